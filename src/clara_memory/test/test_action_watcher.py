# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What an action server lists of its goals is told once, however long and however often."""

import pytest
from action_msgs.msg import GoalStatus, GoalStatusArray
from clara_memory.action_watcher import ActionWatcher, Watched

from clara_memory import Event, Outcome, Result, action_watcher

S = 10**9


@pytest.fixture
def watched(peer, monkeypatch):
    monkeypatch.setattr(action_watcher, "GOALS_KEPT", 3)
    told = []
    watcher = ActionWatcher(peer.node, Watched("/dock"), told.append, lambda _: False, lambda: S)

    def listed(*goals):
        message = GoalStatusArray()
        for number, accepted_s, state in goals:
            status = GoalStatus(status=state)
            status.goal_info.goal_id.uuid = [number] * 16
            status.goal_info.stamp.sec = accepted_s
            message.status_list.append(status)
        watcher._on_status(message)
        return len(told)

    listed.told = told
    yield listed
    watcher.stop()


def test_a_goal_that_ended_is_told_once_however_many_the_server_lists(watched):
    goals = []
    for number in range(1, 21):
        goals.append((number, number, GoalStatus.STATUS_SUCCEEDED))
        assert watched(*goals) == 2 * number
    assert watched(*goals[5:]) == watched(*goals[10:]) == watched(*goals[7:]) == 40


def test_a_goal_id_used_again_is_another_goal(watched):
    watched((1, 5, GoalStatus.STATUS_EXECUTING))
    watched((1, 5, GoalStatus.STATUS_SUCCEEDED))
    watched((1, 900, GoalStatus.STATUS_EXECUTING))
    watched((1, 950, GoalStatus.STATUS_ABORTED))
    begun = [one.start_ns // S for one in watched.told if isinstance(one, Event)]
    ended = [one.outcome for one in watched.told if isinstance(one, Result)]
    assert begun == [5, 900, 950] and ended == [Outcome.SUCCEEDED, Outcome.FAILED]
