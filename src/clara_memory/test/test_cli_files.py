# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Asking in words, and changing a memory's file, with the command clara-memory as a process."""

import json
import sqlite3
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_share_directory
from clara_memory.bag import replay
from test_cli import ok, run

from clara_memory import Episode, EpisodicMemory, Event, Outcome, Result, RoleFiller


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "memory.sqlite3"
    with EpisodicMemory(path) as memory:
        memory.store_all(
            Episode(
                action="PICK_UP",
                object="TEAPOT",
                episode_id=f"e{number}",
                result="FAILED" if number < 2 else "SUCCESS",
                start_ns=(1_700_000_000 + number) * 10**9,
            )
            for number in range(11)
        )
        at_sink = (RoleFiller("place", "SINK"),)
        memory.store(
            Episode(
                action="WASH",
                object="PLATE",
                start_ns=1_700_000_100 * 10**9,
                context=at_sink,
                effects=at_sink,
            )
        )
    return path


def episodes(path):
    with EpisodicMemory(path, read_only=True) as memory:
        return list(memory.episodes())


def test_ask_answers_in_sentences(file):
    said = ok("ask", "--file", file, "how", "often", "did", "you", "pick", "up", "the", "teapot?")
    assert "PICK_UP TEAPOT: 11 times, 9 of 11 succeeded" in said
    assert "(episode e10)" in said


def test_ask_says_what_it_does_not_know_and_what_may_be_meant(file):
    assert "I do not know" in ok("ask", "--file", file, "where", "is", "the", "zebra?")
    shown = ok("query", "--file", file, "--object", "TEAROOM")
    assert "Did you mean TEAPOT?" in shown and "no object like 'TEAROOM' is known" in shown
    assert "PICK_UP" in ok("query", "--file", file, "--object", "TEAROOM", "--guess")


def test_what_no_episode_has_together_is_said_not_joined(file):
    said = ok("ask", "--file", file, "how often did you wash the teapot?")
    first, rest = said.split("\n", 1)
    assert "No episode fits all of" in first
    assert "action=WASH" in first and "object=TEAPOT" in first
    assert "WASH: once" in rest and "TEAPOT" not in rest
    shown = ok("query", "--file", file, "how often did you wash the teapot?")
    assert "1 of 12 episodes fit: action=WASH\n" in shown and "No episode fits all of" in shown
    assert "No episode" not in ok("ask", "--file", file, "did you wash the plate?")


def test_of_two_half_fits_as_good_as_each_other_neither_is_called_what_was_asked(tmp_path):
    path = tmp_path / "two.sqlite3"
    with EpisodicMemory(path) as memory:
        memory.store_memory(action="WASH", object="PLATE")
        memory.store_memory(action="FILL", object="TEAPOT")
    shown = ok("query", "--file", path, "did you wash the teapot?")
    assert "2 of 2 episodes fit: part of it" in shown
    answer = json.loads(ok("query", "--file", path, "did you wash the teapot?", "--json"))
    assert answer["understood"] == [] and answer["matches"] == 2
    assert {reading["cue"]["filler"] for reading in answer["readings"]} == {"WASH", "TEAPOT"}


def test_timeline_and_plot_show_what_happened(file):
    shown = ok("timeline", "--file", file, "--last", "3")
    assert "WASH PLATE (place=SINK)" in shown and "3 of 12" in shown
    last = json.loads(ok("timeline", "--file", file, "--last", "3", "--json"))
    assert [one["action"] for one in last] == ["PICK_UP", "PICK_UP", "WASH"]
    assert "82%" in ok("plot", "--file", file)
    drawn = json.loads(ok("plot", "--file", file, "--json"))
    assert drawn[0] == {"action": "PICK_UP", "episodes": 11, "succeeded": 9}


def test_forget_counts_asks_and_forgets(file):
    assert "2 episodes would be" in ok("forget", "--file", file, "--result", "FAILED", "--dry-run")
    asked = run("forget", "--file", file, "--result", "FAILED")
    assert asked.returncode == 1 and len(episodes(file)) == 12
    told = ok("forget", "--file", file, "--result", "FAILED", "--yes", "--json")
    assert json.loads(told) == {"fit": 2, "forgotten": 2} and len(episodes(file)) == 10
    refused = run("forget", "--file", file, "--yes")
    assert refused.returncode == 1 and "say what to forget" in refused.stderr


@pytest.mark.parametrize(
    "words", [("forget", "--object", "TEAPOT", "--yes"), ("pin", "e1"), ("correct", "e1")]
)
def test_what_changes_episodes_makes_no_memory_of_a_file_that_is_not_there(tmp_path, words):
    refused = run(*words, "--file", tmp_path / "typo.sqlite3")
    assert refused.returncode == 1 and "there is no memory" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_forgetting_by_a_number_takes_what_was_stored_as_text_and_as_number(file):
    with EpisodicMemory(file) as memory:
        memory.store_memory(action="GO", room="101")
        memory.store_memory(action="GO", room=101.0)
        memory.store_memory(action="GO", room="102")
    words = ("forget", "--file", file, "--role", "room=101", "--json")
    assert json.loads(ok(*words, "--dry-run")) == {"fit": 2, "forgotten": 0}
    assert json.loads(ok(*words, "--yes")) == {"fit": 2, "forgotten": 2}
    left = [episode.context for episode in episodes(file) if episode.action == "GO"]
    assert left == [(RoleFiller("room", "102"),)]


@pytest.mark.parametrize(
    ("written", "values"),
    [
        *[(text, (float(text),)) for text in ("0.5", "-3", "101", "2.0")],
        *[(text, ()) for text in ("007", "Nan", "inf", "1_000", "1e3", "12345678901234567891")],
    ],
)
def test_a_role_is_stored_as_a_number_only_where_nothing_of_the_text_is_lost(
    tmp_path, written, values
):
    path = tmp_path / "one.sqlite3"
    ok("store", "--file", path, "--action", "GO", "--role", f"id={written}")
    ((filler,),) = (episode.context for episode in episodes(path))
    assert filler.values == values and filler.filler == ("" if values else written)


def test_pin_and_unpin(file):
    assert json.loads(ok("pin", "e3", "e4", "--file", file, "--json")) == {"changed": 2}
    assert json.loads(ok("pin", "e3", "--undo", "--file", file, "--json")) == {"changed": 1}
    assert json.loads(ok("stats", "--file", file, "--json"))["pinned"] == 1
    assert "'nobody' is not in memory" in run("pin", "nobody", "--file", file).stderr


def test_an_export_is_imported_and_merged_without_doubles(file, tmp_path):
    ok("export", "--file", file, "--output", tmp_path / "all.jsonl")
    fresh = tmp_path / "fresh.sqlite3"
    told = ok("import", tmp_path / "all.jsonl", "--file", fresh, "--json")
    assert json.loads(told) == {"added": 12, "already_known": 0}
    told = ok("merge", file, "--file", fresh, "--json")
    assert json.loads(told) == {"added": 0, "already_known": 12}
    (tmp_path / "all.jsonl").write_text('{"action": "A"}\n{"action": 3}\n')
    broken = run("import", tmp_path / "all.jsonl", "--file", fresh)
    assert broken.returncode == 1 and "line 2: action is not text" in broken.stderr
    assert len(episodes(fresh)) == 12 and "Traceback" not in broken.stderr


def test_verify_finds_a_damaged_row(file):
    assert "12 episodes, all sound" in ok("verify", "--file", file)
    database = sqlite3.connect(file)
    database.execute("UPDATE episodes SET detail = 'never said' WHERE episode_id = 'e7'")
    database.commit()
    database.close()
    found = run("verify", "--file", file)
    assert found.returncode == 1 and "'e7') does not match" in found.stdout
    assert "damaged in 1 places" in found.stderr


def test_a_backup_from_before_an_upgrade_is_read_without_changing_it(file, tmp_path):
    database = sqlite3.connect(file)
    database.execute("DROP INDEX revisions_by_row")
    database.execute("PRAGMA user_version=4")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    before = file.read_bytes()
    assert "2 of 12 episodes fit" in ok("query", "--file", file, "--result", "FAILED")
    assert "12 episodes, all sound" in ok("verify", "--file", file)
    assert "12 episodes written" in ok("export", "--file", file, "--output", tmp_path / "a.csv")
    assert "12 episodes added" in ok("merge", file, "--file", tmp_path / "fresh.sqlite3")
    assert file.read_bytes() == before


def test_completion_knows_the_command():
    assert "_CLARA_MEMORY_COMPLETE" in ok("completion", "bash")


def definition(name):
    """Return a message's definition with those it uses, as a bag holds it."""
    texts, open_, seen = [], [f"clara_interfaces/{name}"], set()
    while open_:
        package, message = open_.pop(0).split("/")
        if (package, message) in seen:
            continue
        seen.add((package, message))
        share = Path(get_package_share_directory(package), "msg", f"{message}.msg")
        text = share.read_text()
        texts.append(text if not texts else f"MSG: {package}/{message}\n{text}")
        for line in text.splitlines():
            kind = line.split("#")[0].split("=")[0].split()[:1]
            for used in [one.split("[")[0] for one in kind]:
                if used[:1].isupper():
                    open_.append(f"{package}/{used}")
                elif "/" in used:
                    open_.append(used)
    return f"\n{'=' * 80}\n".join(texts)


def test_a_memory_rebuilt_from_a_bag_equals_the_one_that_watched(tmp_path):
    writers = pytest.importorskip("mcap_ros2.writer")
    from mcap.writer import CompressionType

    bag = tmp_path / "bag.mcap"
    watched = tmp_path / "watched.sqlite3"
    with (
        bag.open("wb") as file,
        writers.Writer(file, compression=CompressionType.NONE) as writer,
        EpisodicMemory(watched) as memory,
    ):
        schemas = {
            name: writer.register_msgdef(f"clara_interfaces/msg/{name}", definition(name))
            for name in ("ActionEvent", "ActionResult")
        }
        for number in range(1500):
            moment = (1_700_000_000 + number) * 10**9
            stamp = {"sec": 1_700_000_000 + number, "nanosec": 5}
            place = {"role": "place", "kind": 0, "filler": f"room {number % 7}", "values": []}
            event = {
                "header": {"stamp": stamp, "frame_id": ""},
                "action_id": f"a{number}",
                "subject": "",
                "action": "GO",
                "object": f"THING_{number % 50}",
                "context": [place],
            }
            ended = {
                "header": {"stamp": stamp, "frame_id": ""},
                "action_id": f"a{number}",
                "outcome": 1 + number % 2,
                "detail": "done",
                "effects": [],
            }
            for kind, message, later in (("Event", event, 0), ("Result", ended, 1000)):
                writer.write_message(
                    f"/clara/action_{kind.lower()}",
                    schemas[f"Action{kind}"],
                    message,
                    log_time=moment + later,
                    publish_time=moment + later,
                )
            filler = RoleFiller("place", f"room {number % 7}")
            thing = f"THING_{number % 50}"
            began = Event(f"a{number}", "GO", object=thing, start_ns=moment + 5, context=(filler,))
            outcome = Outcome(1 + number % 2)
            over = Result(f"a{number}", outcome, end_ns=moment + 5, detail="done")
            memory.record_arrived([(moment, began), (moment + 1000, over)])
    told = ok("rebuild", bag, "--file", tmp_path / "rebuilt.sqlite3", "--json")
    assert json.loads(told) == {"messages": 3000, "added": 1500}
    assert episodes(tmp_path / "rebuilt.sqlite3") == episodes(watched)
    with_name = tmp_path / "ada.sqlite3"
    ok("rebuild", bag, "--file", with_name, "--robot", "ADA", "--json")
    assert {episode.robot for episode in episodes(with_name)} == {"ADA"}
    bag.write_bytes(bag.read_bytes()[:2000])
    broken = run("rebuild", bag, "--file", tmp_path / "other.sqlite3")
    assert broken.returncode == 1 and "damaged or no MCAP file" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_a_replayed_memory_gives_up_and_completes_in_the_order_of_the_one_that_watched():
    second = 10**9
    moments = [
        (0, Event("late", "GO", object="A", start_ns=1)),
        (1, Event("never", "GO", object="B", start_ns=2)),
        (2, Result("orphan", Outcome.FAILED, end_ns=3)),
        (200, Event("quick", "GO", object="C", start_ns=4)),
        (201, Result("quick", Outcome.SUCCEEDED, end_ns=5)),
        (350, Event("after", "GO", object="D", start_ns=6)),
        (351, Result("after", Outcome.SUCCEEDED, end_ns=7)),
        (400, Result("late", Outcome.SUCCEEDED, end_ns=8)),
        (900, Event("last", "GO", object="E", start_ns=9)),
    ]
    watched, replayed = EpisodicMemory(), EpisodicMemory()
    coming = iter(moments)
    following = next(coming)
    for tick in range(0, 901 * 5):  # a node looks five times a second
        now = tick * second // 5
        while following is not None and following[0] * second <= now:
            watched.expire(following[0] * second)
            watched.record([following[1]], now_ns=following[0] * second)
            following = next(coming, None)
        watched.expire(now)
    shown = []
    count = replay(replayed, ((at * second, message) for at, message in moments), shown.append)
    assert count == shown[-1] == len(moments)
    assert list(replayed.episodes()) == list(watched.episodes())
    assert [one.object for one in replayed.episodes()] == ["", "C", "A", "B", "D"]
    assert replayed.pending == watched.pending == 1
