# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Forgetting, correcting, pinning, merging, patterns and watched actions, over real DDS."""

import contextlib
import math
import threading

import pytest
from clara_memory.action_watcher import WAIT_FOR_GOAL_S
from clara_memory.node_client import NodeClient
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.executors import MultiThreadedExecutor
from service_msgs.msg import ServiceEventInfo
from unique_identifier_msgs.msg import UUID

from clara_interfaces.action import Chat
from clara_interfaces.msg import (
    ActionEvent,
    ActionResult,
    CueMatch,
    Episode,
    Match,
    RoleFiller,
    RoleRange,
)
from clara_interfaces.srv import (
    CorrectEpisode,
    ForgetEpisodes,
    GetMemoryStats,
    MergeMemory,
    PinEpisodes,
    QueryMemory,
    StoreEpisode,
)
from clara_memory import Episode as Remembered
from clara_memory import EpisodicMemory

pytestmark = pytest.mark.usefixtures("domain")


def store(peer, **fields):
    request = StoreEpisode.Request(episode=Episode(**fields))
    return peer.call(StoreEpisode, "memory/store", request).episode_id


def query(peer, **fields):
    return peer.call(QueryMemory, "memory/query", QueryMemory.Request(**fields))


def stats(peer):
    return peer.call(GetMemoryStats, "memory/stats")


def seconds(time):
    return time.sec + time.nanosec / 1e9


def forget(peer, **fields):
    return peer.call(ForgetEpisodes, "memory/forget", ForgetEpisodes.Request(**fields))


def test_forget_counts_first_and_then_forgets(node, peer):
    for thing in ("CUP", "CUP", "PLATE"):
        store(peer, action="PICK_UP", object=thing)
    cup = RoleFiller(role="object", filler="cup")
    assert forget(peer, where=[cup], dry_run=True).forgotten == 2
    assert query(peer, cue=[cup]).matches == 2
    assert forget(peer, where=[cup], reason="a test").forgotten == 2
    gone = query(peer, cue=[cup])
    assert gone.abstained and gone.searched == 1
    refused = forget(peer)
    assert refused.error_code == ForgetEpisodes.Response.INVALID_REQUEST
    assert "say what to forget" in refused.error_msg


def correct(peer, identity, *changes):
    request = CorrectEpisode.Request(episode_id=identity, changes=list(changes))
    return peer.call(CorrectEpisode, "memory/correct", request)


def test_a_correction_is_on_disk_when_it_is_answered_and_a_late_result_adds_to_it(
    start, peer, tmp_path
):
    start(autostart=True, result_timeout_s=0.1, match_patterns="['outcome=SUCCEEDED']")
    peer.until(lambda: peer.state() == "active", "the node to be active")
    heard, matched = [], []
    peer.node.create_subscription(Episode, "memory/episodes", heard.append, 100)
    peer.node.create_subscription(Match, "memory/match", matched.append, 100)
    events = peer.publisher(ActionEvent, "action_event")
    results = peer.publisher(ActionResult, "action_result")
    events.publish(ActionEvent(action_id="a1", action="PICK_UP", object="CUP"))
    peer.until(lambda: heard, "the event to be given up")
    identity = heard[0].episode_id
    mug, ended = RoleFiller(role="object", filler="MUG"), RoleFiller(role="result", filler="OK")
    answer = correct(peer, identity, mug, ended)
    assert answer.error_code == CorrectEpisode.Response.NONE, answer.error_msg
    told = answer.episode
    assert (told.episode_id, told.object, told.result) == (identity, "MUG", "SUCCEEDED")
    with EpisodicMemory(tmp_path / "memory.sqlite3", read_only=True) as reader:
        assert [one.object for one in reader.episodes()] == ["MUG"]
    peer.until(lambda: len(heard) == 2, "the news of it")
    assert heard[1] == told and not matched  # who waits for a pattern waits for what happens
    results.publish(ActionResult(action_id="a1", outcome=ActionResult.SUCCEEDED, detail="fine"))
    peer.until(lambda: len(heard) == 3, "the late result")
    assert (heard[2].episode_id, heard[2].object, heard[2].detail) == (identity, "MUG", "fine")
    figures = stats(peer)
    assert (figures.episodes, figures.orphans, figures.pending) == (1, 0, 0)


def test_what_is_wrong_with_a_correction_is_named_and_nothing_is_changed(node, peer):
    identity = store(peer, action="PICK_UP", object="CUP")
    jug = RoleFiller(role="object", filler="JUG")
    for changes, said in (
        ((), "changes is empty: give one of subject, action"),
        ((jug, RoleFiller(role="robot", filler="BOB")), "changes[1].role is 'robot': only"),
        ((jug, jug), "changes[1].role is 'object', which is given twice"),
        ((jug, RoleFiller(role="action")), "changes[1].filler is empty"),
        ((RoleFiller(role="detail", filler="x" * 1025),), "changes[0].filler has 1,025"),
        ((jug, RoleFiller(role="subject", filler="A\x07")), "changes[1].filler holds the control"),
        ((RoleFiller(role="result", kind=1, values=[1.0]),), "changes[0].kind must be TEXT"),
        ((RoleFiller(role="result", kind=9),), "changes[0].kind is 9"),
    ):
        refused = correct(peer, identity, *changes)
        assert refused.error_code == CorrectEpisode.Response.INVALID_REQUEST
        assert said in refused.error_msg, refused.error_msg
    unknown = correct(peer, "nobody", jug)
    assert unknown.error_code == CorrectEpisode.Response.INVALID_REQUEST
    assert unknown.error_msg == "episode_id 'nobody' is not in memory"
    assert query(peer).episodes[0].episode.object == "CUP"
    cleared = correct(peer, identity, RoleFiller(role="object"))
    assert (cleared.error_code, cleared.episode.object) == (0, "")


def test_a_reading_says_what_was_meant(node, peer):
    store(peer, action="PICK_UP", object="TEAPOT")
    found = query(peer, cue=[RoleFiller(role="object", filler="teapto")])
    (reading,) = found.readings
    assert (reading.nearest, reading.by, reading.accepted) == ("TEAPOT", CueMatch.SPELLING, True)
    unknown = query(peer, cue=[RoleFiller(role="object", filler="tearoom")])
    assert unknown.abstained and unknown.readings[0].nearest == "TEAPOT"
    assert not query(peer, cue=[unknown.readings[0].cue], guess=True).abstained


def test_what_a_text_wants_counted_is_counted_over_all_that_fit(node, peer):
    for place in ("KITCHEN", "KITCHEN", "BATH"):
        store(peer, action="CLEAN", context=[RoleFiller(role="place", filler=place)])
    asked = "where did you clean most often?"
    (said,) = query(peer, text=asked).counted
    assert said == "KITCHEN most often: 2 of 3 episodes with action=CLEAN; then BATH 1."
    (none,) = query(peer, text=asked, outcomes=[Episode.FAILED]).counted
    assert none == "I do not know: no episode is within the given times and filters."
    kitchen = RoleFiller(role="place", filler="KITCHEN")
    assert not query(peer, text=asked, cue=[kitchen]).counted
    assert not query(peer, text="what did you clean?").counted
    with contextlib.closing(NodeClient("clara", 5.0)) as client:
        told: list[str] = []
        thread = threading.Thread(target=lambda: told.extend(client.counted(asked)))
        thread.start()
        peer.until(lambda: told == [said], "the client's answer")
        thread.join()


def test_a_query_is_bounded_by_ranges_of_numbers_and_places(node, peer):
    for value in (0.1, 0.2, 0.9):
        battery = RoleFiller(role="battery", kind=RoleFiller.NUMBER, values=[value])
        at = RoleFiller(
            role="at", kind=RoleFiller.POSITION, filler="map", values=[value, 0.0, 0.0]
        )
        store(peer, action="GO", context=[battery, at])
    low = RoleRange(role="battery", low=0.1, high=0.2)
    assert query(peer, ranges=[low]).matches == 2
    assert query(peer, ranges=[RoleRange(role="battery", low=0.2, high=math.inf)]).matches == 2
    near = RoleRange(role="at", center=[0.0, 0.0, 0.0], frame="map", radius=0.1)
    both = query(peer, ranges=[low, near])
    assert both.matches == 1
    assert [one.filler for one in both.understood] == ["0.1 to 0.2", "within 0.1 m of map 0 0 0"]
    (said,) = query(peer, text="what was the highest battery?", ranges=[low]).counted[:1]
    assert said == "highest battery: 0.2, over 2 episodes with battery=0.1 to 0.2."
    unknown = query(peer, ranges=[RoleRange(role="speed", high=1.0)])
    assert unknown.abstained and unknown.answers[0].reason == "no episode has the role 'speed'"
    assert [one.by for one in unknown.readings] == [CueMatch.NOTHING]
    refused = query(peer, ranges=[low, RoleRange(role="at", center=[0.0] * 4, radius=1.0)])
    assert refused.error_code == QueryMemory.Response.INVALID_REQUEST
    assert refused.error_msg.startswith("ranges[1].center of 'at' has 4 numbers")
    many = query(peer, ranges=[RoleRange(role=f"r{number}") for number in range(17)])
    assert many.error_msg == "ranges has 17, at most 16 are allowed"


def test_pinned_episodes_outlive_the_cap_and_the_figures_say_so(start, peer):
    start(autostart=True, max_episodes=10)
    peer.until(lambda: peer.state() == "active", "the node to be active")
    dear = store(peer, action="SING", object="SONG")
    request = PinEpisodes.Request(episode_ids=[dear])
    assert peer.call(PinEpisodes, "memory/pin", request).changed == 1
    for number in range(15):
        store(peer, action="WALK", object=f"ROOM_{number}")
    figures = peer.call(GetMemoryStats, "memory/stats")
    assert (figures.pinned, figures.max_episodes) == (1, 10)
    assert figures.episodes <= 10 and figures.forgotten == 16 - figures.episodes
    assert query(peer, cue=[RoleFiller(role="action", filler="SING")]).matches == 1
    refused = peer.call(PinEpisodes, "memory/pin", PinEpisodes.Request(episode_ids=["nobody"]))
    assert refused.error_code == PinEpisodes.Response.INVALID_REQUEST


def test_merge_takes_in_another_memory_once(node, peer, tmp_path):
    with EpisodicMemory(tmp_path / "bob.sqlite3", robot="BOB") as other:
        other.store_all(Remembered(action="GO", object=f"ROOM_{n}") for n in range(50))
    request = MergeMemory.Request(path=str(tmp_path / "bob.sqlite3"))
    merged = peer.call(MergeMemory, "memory/merge", request)
    assert (merged.error_code, merged.added, merged.already_known) == (0, 50, 0)
    again = peer.call(MergeMemory, "memory/merge", request)
    assert (again.added, again.already_known) == (0, 50)
    assert query(peer, robots=["BOB"]).matches == 50
    missing = peer.call(MergeMemory, "memory/merge", MergeMemory.Request(path="/nowhere/x"))
    assert missing.error_code == MergeMemory.Response.INVALID_REQUEST
    assert "/nowhere/x" in missing.error_msg


def test_every_parameter_has_a_value_to_show(node, peer):
    listed = peer.call(ListParameters, "memory/list_parameters").result.names
    request = GetParameters.Request(names=listed)
    values = peer.call(GetParameters, "memory/get_parameters", request).values
    assert len(values) == len(listed) > 10
    assert all(value.type != ParameterType.PARAMETER_NOT_SET for value in values)


def test_an_episode_that_fits_a_pattern_is_announced(start, peer):
    start(autostart=True, match_patterns="['action=DROP outcome=FAILED', 'object=CUP']")
    peer.until(lambda: peer.state() == "active", "the node to be active")
    heard = []
    peer.node.create_subscription(Match, "memory/match", heard.append, 100)
    peer.until(lambda: peer.node.count_publishers("/clara/memory/match"), "its publisher")
    store(peer, action="PICK_UP", object="PLATE")
    store(peer, action="DROP", object="CUP", result="FAILED")
    peer.until(lambda: len(heard) == 2, "two matches")
    assert {match.pattern for match in heard} == {"action=DROP outcome=FAILED", "object=CUP"}
    assert {match.episode.object for match in heard} == {"CUP"}


@pytest.fixture
def server(peer):
    """An ordinary action server that knows nothing of memory, on a thread of its own."""
    node = peer.node
    released = threading.Event()

    def execute(goal):
        released.wait(20.0)
        if goal.is_cancel_requested:
            goal.canceled()
        elif goal.request.text == "fail":
            goal.abort()
        else:
            goal.succeed()
        return Chat.Result()

    import rclpy

    own = rclpy.create_node("some_robot", namespace="clara", context=peer.context)
    made = ActionServer(
        own, Chat, "greet", execute, cancel_callback=lambda goal: CancelResponse.ACCEPT
    )
    # A goal under way holds a thread: three of them must leave some for those that come.
    executor = MultiThreadedExecutor(8, context=peer.context)
    executor.add_node(own)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    made.released = released
    made.client = ActionClient(node, Chat, "greet")
    yield made
    released.set()
    executor.shutdown()
    thread.join(10.0)
    made.destroy()
    own.destroy_node()


def goal(peer, server, text, identity=None):
    assert server.client.wait_for_server(20.0)
    asked = server.client.send_goal_async(Chat.Goal(text=text), goal_uuid=identity)
    peer.until(asked.done, "the goal to be accepted")
    return asked.result()


def test_the_goals_of_an_action_server_become_episodes(server, start, peer):
    server.released.set()
    ended = goal(peer, server, "before anybody watched").get_result_async()
    peer.until(ended.done, "its end")
    start(autostart=True, watched_actions="['/clara/greet']")
    peer.until(lambda: peer.state() == "active", "the node to be active")
    watching = "/clara/greet/_action/status"
    peer.until(lambda: peer.node.count_subscribers(watching) >= 2, "memory to watch")
    server.released.clear()
    handles = [goal(peer, server, text) for text in ("hello", "fail", "stop")]
    canceled = handles[2].cancel_goal_async()
    peer.until(canceled.done, "the cancel to be accepted")
    server.released.set()
    cue = [RoleFiller(role="action", filler="GREET")]
    found = peer.until(
        lambda: (answer := query(peer, cue=cue)).matches >= 3 and answer, "three episodes"
    )
    outcomes = {match.episode.action_id: match.episode.outcome for match in found.episodes}
    wanted = (Episode.SUCCEEDED, Episode.FAILED, Episode.CANCELED)
    for handle, outcome in zip(handles, wanted, strict=True):
        assert outcomes[bytes(handle.goal_id.uuid).hex()] == outcome
    assert found.matches == 3


@pytest.mark.parametrize("given_up", [False, True])
def test_how_a_goal_ended_while_memory_was_away_completes_what_is_known_of_it(
    server, start, peer, given_up
):
    watched = {"autostart": True, "watched_actions": "['/clara/greet']"}
    first = start(**watched)
    watching = "/clara/greet/_action/status"
    peer.until(lambda: peer.state() == "active", "the node to be active")
    peer.until(lambda: peer.node.count_subscribers(watching) >= 2, "memory to watch")
    handle = goal(peer, server, "hello")
    peer.until(lambda: stats(peer).pending == 1, "the goal to be remembered")
    assert first.stop() == 0
    ended = handle.get_result_async()
    server.released.set()
    peer.until(ended.done, "its end")
    if given_up:
        impatient = start(autostart=True, result_timeout_s=0.1)
        peer.until(lambda: stats(peer).episodes == 1, "the goal to be given up")
        assert impatient.stop() == 0
    start(**watched)
    cue = [RoleFiller(role="result", filler="SUCCEEDED")]
    found = peer.until(
        lambda: (answer := query(peer, cue=cue)).matches and answer, "the end to be known"
    )
    (match,) = found.episodes
    assert stats(peer).episodes == 1
    assert match.episode.action_id == bytes(handle.goal_id.uuid).hex()
    assert match.episode.detail == "it ended before memory was there again"


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_asked_of_an_action_server_is_context_where_it_can_be_seen(
    server, start, peer, when
):
    start(autostart=True, watched_actions="['/clara/greet:clara_interfaces/action/Chat']")
    peer.until(lambda: peer.state() == "active", "the node to be active")
    # rclpy of Jazzy cannot switch introspection of actions on: its topic is published here.
    kind = Chat.Impl.SendGoalService.Event
    events = peer.publisher(kind, "greet/_action/send_goal/_service_event")
    watching = "/clara/greet/_action/status"
    peer.until(lambda: peer.node.count_subscribers(watching) >= 2, "memory to watch")
    identity = UUID(uuid=list(range(16)))
    request = Chat.Impl.SendGoalService.Request(goal_id=identity)
    request.goal.text = "hello"
    request.goal.max_tokens = 7
    info = ServiceEventInfo(event_type=ServiceEventInfo.REQUEST_RECEIVED)
    asked = kind(info=info, request=[request])
    if when == "before":
        events.publish(asked)
    server.released.set()
    ended = goal(peer, server, "hello", identity).get_result_async()
    peer.until(ended.done, "its end")
    if when == "after":
        # DDS keeps no order between two topics: what was asked may come when it has ended.
        events.publish(asked)
    cue = [RoleFiller(role="text", filler="hello")]
    found = peer.until(lambda: (answer := query(peer, cue=cue)).matches and answer, "the episode")
    episode = found.episodes[0].episode
    context = {filler.role: filler for filler in episode.context}
    assert context["text"].filler == "hello" and list(context["max_tokens"].values) == [7.0]
    assert episode.outcome == Episode.SUCCEEDED


def test_a_goal_whose_content_never_comes_is_remembered_without_it(server, start, peer):
    start(autostart=True, watched_actions="['/clara/greet:clara_interfaces/action/Chat']")
    peer.until(lambda: peer.state() == "active", "the node to be active")
    peer.publisher(Chat.Impl.SendGoalService.Event, "greet/_action/send_goal/_service_event")
    watching = "/clara/greet/_action/status"
    peer.until(lambda: peer.node.count_subscribers(watching) >= 2, "memory to watch")
    server.released.set()
    ended = goal(peer, server, "hello").get_result_async()
    peer.until(ended.done, "its end")
    cue = [RoleFiller(role="action", filler="GREET")]
    found = peer.until(lambda: (answer := query(peer, cue=cue)).matches and answer, "the episode")
    episode = found.episodes[0].episode
    took = seconds(episode.end) - seconds(episode.start)
    assert episode.outcome == Episode.SUCCEEDED and not episode.context
    assert took < WAIT_FOR_GOAL_S  # to wait for it is not to act
