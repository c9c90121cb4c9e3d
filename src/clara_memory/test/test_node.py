# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The node as its own process, over real DDS."""

import signal
import time

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from std_msgs.msg import Header

from clara_interfaces.msg import ActionEvent, ActionResult, Episode, RoleFiller
from clara_interfaces.srv import GetMemoryStats, QueryMemory, StoreEpisode

pytestmark = pytest.mark.usefixtures("domain")


def store(peer, **fields):
    request = StoreEpisode.Request(episode=Episode(**fields))
    return peer.call(StoreEpisode, "memory/store", request)


def query(peer, **fields):
    return peer.call(QueryMemory, "memory/query", QueryMemory.Request(**fields))


def stats(peer):
    return peer.call(GetMemoryStats, "memory/stats")


def test_what_was_stored_is_found_and_counted(node, peer):
    place = RoleFiller(role="place", filler="dock")
    speed = RoleFiller(role="speed", kind=RoleFiller.NUMBER, values=[0.5])
    answer = store(peer, action="PICK_UP", object="CUP", result="SUCCESS", context=[place, speed])
    assert (answer.error_code, answer.error_msg) == (0, "") and answer.episode_id
    found = query(peer, cue=[RoleFiller(role="object", filler="cup")], ask=["action", "place"])
    assert not found.abstained and (found.matches, found.searched) == (1, 1)
    action, where = found.answers
    assert action.candidates[0].filler == "PICK_UP" and action.candidates[0].succeeded == 1
    assert action.candidates[0].episode_ids == [answer.episode_id]
    assert where.candidates[0].filler == "dock"
    episode = found.episodes[0].episode
    assert found.episodes[0].score == pytest.approx(1.0)
    assert (episode.robot, episode.subject, episode.source) == ("CLARA", "CLARA", "service")
    assert list(episode.context) == [place, speed]
    said = query(peer, text="what happened with the cup?")
    assert [filler.filler for filler in said.understood] == ["CUP"] and said.matches == 1
    figures = stats(peer)
    assert (figures.episodes, figures.succeeded, figures.failed) == (1, 1, 0)
    assert figures.path.endswith("memory.sqlite3") and figures.bytes > 0
    assert {(pair.key, pair.value) for pair in figures.vocabulary} >= {("object", "1")}
    unknown = query(peer, cue=[RoleFiller(role="object", filler="ZEBRA")])
    assert unknown.abstained and unknown.answers[0].reason == "no object like 'ZEBRA' is known"


def test_a_thousand_events_and_results_are_paired_without_loss(node, peer):
    heard = []
    peer.node.create_subscription(Episode, "memory/episodes", heard.append, 1000)
    peer.until(lambda: peer.node.count_publishers("/clara/memory/episodes"), "its publisher")
    events = peer.publisher(ActionEvent, "action_event")
    results = peer.publisher(ActionResult, "action_result")
    for number in range(1000):
        stamp = Header(stamp=Time(sec=1_700_000_000 + number))
        name = f"id-{number}"
        event = ActionEvent(header=stamp, action_id=name, action="GO", object=f"R{number}")
        result = ActionResult(header=stamp, action_id=name, outcome=1 + number % 4)
        if number % 3:
            events.publish(event)
            results.publish(result)
        else:
            results.publish(result)
            events.publish(event)
        if number % 50 == 0:
            peer.executor.spin_once(timeout_sec=0.01)
    peer.until(lambda: stats(peer).episodes == 1000, "1,000 episodes")
    figures = stats(peer)
    assert (figures.pending, figures.orphans, figures.duplicates) == (0, 0, 0)
    assert (figures.events_received, figures.results_received) == (1000, 1000)
    assert (figures.succeeded, figures.failed, figures.dropped) == (250, 500, 0)
    for number in (0, 1, 998, 999):
        found = query(peer, cue=[RoleFiller(role="object", filler=f"R{number}")])
        assert found.matches == 1
        assert found.episodes[0].episode.outcome == 1 + number % 4
        assert found.episodes[0].episode.action_id == f"id-{number}"
    peer.until(lambda: len(heard) >= 1000, "1,000 episodes on the topic")
    assert len({episode.episode_id for episode in heard}) == 1000


def test_an_event_before_a_restart_meets_its_result_after_it(start, peer):
    first = start(autostart=True)
    events = peer.publisher(ActionEvent, "action_event")
    events.publish(ActionEvent(action_id="long", action="CLEAN", object="HALL"))
    peer.until(lambda: stats(peer).pending == 1, "the event")
    assert first.stop() == 0
    peer.until(lambda: not events.get_subscription_count(), "the first node to be gone")
    start(autostart=True)
    peer.publisher(ActionResult, "action_result").publish(
        ActionResult(action_id="long", outcome=1)
    )
    peer.until(lambda: stats(peer).episodes == 1, "the episode")
    (match,) = query(peer).episodes
    assert (match.episode.object, match.episode.outcome) == ("HALL", 1)


def test_an_event_without_a_result_is_unknown_after_the_time_out(start, peer):
    start(autostart=True, result_timeout_s=3.0, event_timeout_s=0.3)
    peer.publisher(ActionEvent, "action_event").publish(ActionEvent(action_id="a", action="GO"))
    peer.publisher(ActionResult, "action_result").publish(ActionResult(action_id="b", outcome=2))
    (begun,) = peer.until(lambda: query(peer, text="did you go?").under_way, "what is under way")
    assert (begun.action_id, begun.action, begun.subject) == ("a", "GO", "")
    assert begun.header.stamp.sec > 0
    peer.until(lambda: stats(peer).episodes == 2, "both to time out")
    assert not query(peer).under_way
    episodes = {match.episode.action: match.episode for match in query(peer).episodes}
    assert episodes["GO"].outcome == Episode.UNKNOWN and "no result" in episodes["GO"].detail
    assert episodes["UNKNOWN_ACTION"].outcome == Episode.FAILED and stats(peer).orphans == 1


def test_malformed_messages_are_counted_and_named_and_hurt_nobody(node, peer):
    events = peer.publisher(ActionEvent, "action_event")
    results = peer.publisher(ActionResult, "action_result")
    nan = RoleFiller(role="v", kind=RoleFiller.NUMBER, values=[float("nan")])
    events.publish(ActionEvent(action_id="a", action=""))
    events.publish(ActionEvent(action_id="a", action="x" * 1_000_000))
    events.publish(ActionEvent(action_id="a", action="GO", context=[nan]))
    events.publish(ActionEvent(action_id="a", action="GO", context=[RoleFiller(kind=9)]))
    results.publish(ActionResult(action_id="a", outcome=77))
    peer.until(lambda: stats(peer).rejected == 5, "five rejections")
    assert stats(peer).episodes == stats(peer).pending == 0
    # One in a while is logged, and which of two topics comes first is not said.
    named = ("rejected ActionEvent 'a': action is empty", "rejected ActionResult 'a': outcome is")
    assert any(words in node.said for words in named)
    assert store(peer, action="STILL_HERE").error_code == 0


def test_three_lifecycle_cycles_keep_everything(start, peer):
    start()
    for cycle in range(1, 4):
        assert peer.state() == "unconfigured"
        assert query(peer).error_code == QueryMemory.Response.NOT_ACTIVE
        assert peer.change("configure") and peer.state() == "inactive"
        refused = store(peer, action="GO")
        assert refused.error_code == StoreEpisode.Response.NOT_ACTIVE
        assert stats(peer).error_code == GetMemoryStats.Response.NOT_ACTIVE
        assert peer.change("activate") and peer.state() == "active"
        assert store(peer, action=f"CYCLE_{cycle}").error_code == 0
        assert stats(peer).episodes == cycle
        assert peer.change("deactivate") and peer.change("cleanup")


@pytest.mark.parametrize("autostart", [True, False])
def test_a_path_that_cannot_be_written_leaves_the_node_unconfigured_and_alive(
    start, peer, tmp_path, autostart
):
    (tmp_path / "a_file").write_text("not a folder")
    node = start(autostart=autostart, memory_path=tmp_path / "a_file" / "m.sqlite3")
    if not autostart:
        assert not peer.change("configure")
    peer.until(lambda: "cannot configure" in node.said, "the sentence")
    assert "a_file" in node.said and peer.state() == "unconfigured"
    answer = store(peer, action="GO")
    assert answer.error_code == StoreEpisode.Response.NOT_ACTIVE and "a_file" in answer.error_msg
    (tmp_path / "a_file").unlink()
    assert peer.change("configure") and peer.change("activate")
    assert store(peer, action="GO").error_code == 0


def test_a_second_node_on_the_same_file_is_refused_and_the_first_goes_on(start, peer):
    first = start(autostart=True)
    peer.until(lambda: peer.state() == "active", "the first node")
    second = start(autostart=True, namespace="/other")
    peer.until(lambda: "cannot configure" in second.said, "the refusal")
    assert f"in use by process {first.process.pid}" in second.said
    assert second.process.poll() is None
    assert store(peer, action="GO").error_code == 0


def test_a_damaged_file_is_set_aside_and_reported_in_the_log(start, peer, tmp_path):
    (tmp_path / "memory.sqlite3").write_bytes(b"scrambled" * 100)
    node = start(autostart=True)
    peer.until(lambda: peer.state() == "active", "the node")
    assert "set aside whole" in node.said and stats(peer).episodes == 0
    (aside,) = tmp_path.glob("memory.sqlite3.corrupt-*")
    assert aside.read_bytes() == b"scrambled" * 100


def test_diagnostics_say_how_the_node_is(node, peer):
    heard = []
    peer.node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda message: heard.extend(message.status), 10
    )
    store(peer, action="GO")

    def healthy():
        values = {pair.key: pair.value for pair in heard[-1].values} if heard else {}
        return values.get("episodes") == "1" and heard[-1]

    status = peer.until(healthy, "diagnostics with one episode")
    assert status.level == DiagnosticStatus.OK and status.name == "clara/memory: memory"
    names = {pair.key for pair in status.values}
    assert names >= {"pending", "episodes_per_second", "queue_depth", "dropped", "last_error"}
    assert names >= {"forgotten", "bytes", "last_commit_age_s", "last_commit_ms"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_the_load_ends_the_node_cleanly(node, peer, number):
    events = peer.publisher(ActionEvent, "action_event")
    results = peer.publisher(ActionResult, "action_result")
    for index in range(500):
        events.publish(ActionEvent(action_id=f"{index}", action="GO"))
        results.publish(ActionResult(action_id=f"{index}", outcome=1))
    futures = [
        peer.future(
            StoreEpisode, "memory/store", StoreEpisode.Request(episode=Episode(action="A"))
        )
        for _ in range(5)
    ]
    peer.until(lambda: any(future.done() for future in futures), "the first answer")
    begun = time.monotonic()
    assert node.stop(number) == 0
    assert time.monotonic() - begun < 3.0
    assert "Traceback" not in node.said and "terminate" not in node.said


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("result_timeout_s", "soon", "expecting type 'DOUBLE'"),
        ("commit_interval_s", 1, "a number with a point, as 1.0"),
    ],
)
def test_a_parameter_of_the_wrong_kind_is_a_sentence(start, name, value, reason):
    node = start(**{name: value})
    assert node.process.wait(20) == 1
    assert name in node.said and reason in node.said and "Traceback" not in node.said
