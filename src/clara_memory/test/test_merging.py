# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Taking in another robot's memory."""

import os

import pytest
from clara_memory.formats import write_jsonl
from clara_memory.merging import Merged

from clara_memory import Episode, EpisodicMemory, Event, InvalidRequest, Outcome, Result


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "other.sqlite3"
    with EpisodicMemory(path, robot="BOB") as memory:
        memory.store_all(Episode(action="GO", object=f"ROOM_{number}") for number in range(1500))
        with (tmp_path / "other.jsonl").open("w") as file:
            write_jsonl(memory.episodes(), file)
    return path


@pytest.mark.parametrize("suffix", [".sqlite3", ".jsonl"])
def test_every_episode_comes_once_with_its_id_and_where_it_is_from(other, suffix):
    memory = EpisodicMemory()
    memory.store_memory(action="GO", object="HOME")
    seen = []
    merged = memory.merge(other.with_suffix(suffix), progress=seen.append)
    assert (merged.added, merged.already_known) == (1500, 0) and seen == [1000, 1500]
    again = memory.merge(other.with_suffix(suffix))
    assert (again.added, again.already_known) == (0, 1500)
    (match,) = memory.query(object="ROOM_3", robots=["BOB"]).episodes
    assert match.episode.source == "merge:BOB"
    with EpisodicMemory(other, read_only=True) as theirs:
        assert (
            theirs.query(object="ROOM_3").episodes[0].episode.episode_id
            == match.episode.episode_id
        )


def test_where_an_episode_came_from_first_stays(other, tmp_path):
    between = tmp_path / "between.sqlite3"
    with EpisodicMemory(between) as memory:
        memory.merge(other, name="bob in the cellar")
    memory = EpisodicMemory()
    memory.merge(between, name="ada")
    assert memory.query(object="ROOM_3").episodes[0].episode.source == "merge:bob in the cellar"


def test_a_broken_line_is_named_and_nothing_is_taken(other):
    lines = other.with_suffix(".jsonl").read_text().splitlines()
    lines[1200] = lines[1200][:20]
    other.with_suffix(".jsonl").write_text("\n".join(lines))
    memory = EpisodicMemory()
    with pytest.raises(InvalidRequest, match="line 1201"):
        memory.merge(other.with_suffix(".jsonl"))
    assert len(memory) == 0 and memory.query(object="ROOM_3").abstained


@pytest.mark.parametrize("content", [None, b"\x00\xff\xfe", b"SQLite format 3\x00nonsense"])
def test_what_is_no_memory_is_refused_by_name(tmp_path, content):
    path = tmp_path / "x.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=r"x\.bin"):
        EpisodicMemory().merge(path)


@pytest.mark.timeout(10)
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(InvalidRequest, match="is no file"):
            EpisodicMemory().merge(path)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        EpisodicMemory().merge("~nobody-of-this-name/memory.sqlite3")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[" * 100_000, "line 1 is not JSON"),
        ('{"start_ns": ' + "9" * 5_000 + "}", "line 1 is not JSON"),
        ('{"action": "' + "x" * 1_000_000 + '"}', "more than 1,000,000 characters"),
        ('{"action": "GO", "outcome": []}', "line 1: outcome is none of"),
        ('{"action": "GO", "context": [{"kind": {}}]}', "kind is none of"),
        ('{"action": "GO", "\\n\\u001b[2J": 1}', r"line 1: \\n\\x1b"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_in_one_printable_line(tmp_path, line, said):
    path = tmp_path / "x.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InvalidRequest, match=said) as raised:
        EpisodicMemory().merge(path)
    assert str(raised.value).isprintable() and len(str(raised.value)) < 1000


def test_a_memory_does_not_merge_itself(tmp_path):
    with (
        EpisodicMemory(tmp_path / "m.sqlite3") as memory,
        pytest.raises(InvalidRequest, match="own file"),
    ):
        memory.merge(tmp_path / "m.sqlite3")


@pytest.mark.parametrize("suffix", [".sqlite3", ".jsonl"])
def test_a_result_that_came_later_completes_the_episode_merged_without_it(tmp_path, suffix):
    path, second = tmp_path / "robby.sqlite3", 10**9
    memory = EpisodicMemory(tmp_path / "clara.sqlite3")

    def merge():
        if suffix == ".jsonl":
            with path.with_suffix(suffix).open("w") as file:
                write_jsonl(robby.episodes(), file)
        return memory.merge(path.with_suffix(suffix))

    with EpisodicMemory(path, robot="ROBBY") as robby:
        start = 1000 * second
        robby.record([Event("a", "DOCK", object="BASE", start_ns=start)], now_ns=start)
        robby.expire(start + 400 * second)
        assert merge() == Merged(1, 0)
        assert memory.query(action="DOCK")["result"].candidates[0].filler == "UNKNOWN"
        end = start + 500 * second
        robby.record([Result("a", Outcome.SUCCEEDED, end_ns=end)], now_ns=end)
        assert merge() == Merged(0, 1, completed=1)
        assert merge() == Merged(0, 1)
        (theirs,) = robby.episodes()
    (match,) = memory.query(action="DOCK", result="SUCCESS").episodes
    ours = match.episode
    assert (ours.outcome, ours.end_ns, ours.detail) == (Outcome.SUCCEEDED, end, theirs.detail)
    assert ours.episode_id == theirs.episode_id and ours.source == "merge:ROBBY"
    assert all(not problem for _, problem in memory.verify())
    memory.close()
    with EpisodicMemory(tmp_path / "clara.sqlite3") as again:
        assert list(again.episodes()) == [ours]


def test_an_event_that_came_later_completes_the_episode_merged_without_it(tmp_path):
    path, second = tmp_path / "robby.sqlite3", 10**9
    memory = EpisodicMemory()
    with EpisodicMemory(path, robot="ROBBY") as robby:
        robby.record([Result("a", Outcome.FAILED, end_ns=1000 * second)], now_ns=1000 * second)
        robby.expire(1040 * second)
        memory.merge(path)
        robby.record([Event("a", "DOCK", start_ns=995 * second)], now_ns=1041 * second)
        merged = memory.merge(path)
        theirs = {one.action: one for one in robby.episodes()}
    assert merged == Merged(0, 1, completed=1)
    assert memory.query(action="DOCK").episodes[0].episode.outcome is Outcome.FAILED
    assert len(memory) == len(theirs) and set(theirs) == {"DOCK"}
    assert memory.query(action="UNKNOWN_ACTION").abstained


def test_what_is_known_with_its_result_is_not_changed_by_merging(tmp_path):
    with EpisodicMemory(tmp_path / "robby.sqlite3", robot="ROBBY") as robby:
        kept = robby.store_memory(action="DOCK", object="BASE", result="FAILED")
        memory = EpisodicMemory()
        memory.merge(tmp_path / "robby.sqlite3")
        memory.correct(kept, object="CHARGER")
        robby.correct(kept, result="SUCCESS")
    assert memory.merge(tmp_path / "robby.sqlite3") == Merged(0, 1)
    (match,) = memory.query(action="DOCK").episodes
    assert (match.episode.object, match.episode.outcome) == ("CHARGER", Outcome.FAILED)


@pytest.mark.parametrize("suffix", [".sqlite3", ".jsonl"])
def test_what_a_robot_lived_comes_back_as_its_own(tmp_path, suffix):
    path = tmp_path / "backup.sqlite3"
    with EpisodicMemory(path, robot="ROBBY") as robby, (tmp_path / "backup.jsonl").open("w") as to:
        robby.record([Event("a", "DOCK"), Result("a", Outcome.SUCCEEDED)])
        robby.store_memory(action="GO", object="DOOR")
        robby.store(Episode(action="WAVE", robot="BOB", subject="BOB"))
        write_jsonl(robby.episodes(), to)
        kept = list(robby.episodes())
    memory = EpisodicMemory(robot="Robby")  # a new disk, and a name written otherwise
    assert memory.merge(path.with_suffix(suffix)) == Merged(3, 0)
    dock, door, wave = memory.episodes()
    assert [dock, door] == kept[:2] and dock.source == "topic" and wave.source == "merge:BOB"
    assert memory.query("what did you do?").matches == 2
    named = EpisodicMemory(robot="ROBBY")
    named.merge(path.with_suffix(suffix), name="a namesake")
    assert {one.source for one in named.episodes()} == {"merge:a namesake"}


def test_what_another_robot_had_of_this_one_comes_back_as_its_own(tmp_path):
    ours, theirs = tmp_path / "clara.sqlite3", tmp_path / "bob.sqlite3"
    with EpisodicMemory(ours) as memory:
        memory.store_memory(action="GO", object="DOOR")
    with EpisodicMemory(theirs, robot="BOB") as bob:
        bob.store_memory(action="WAVE")
        bob.merge(ours)
    memory = EpisodicMemory()
    memory.merge(theirs)
    assert {one.action: one.source for one in memory.episodes()} == {
        "GO": "file",
        "WAVE": "merge:BOB",
    }


def test_another_robots_file_opened_without_its_name_takes_in_its_own_backup(tmp_path):
    path, backup = tmp_path / "robby.sqlite3", tmp_path / "backup.sqlite3"
    with EpisodicMemory(backup, robot="ROBBY") as robby:
        robby.store_memory(action="DOCK")
    with EpisodicMemory(path, robot="ROBBY") as robby:
        robby.store_memory(action="GO")
    with EpisodicMemory(tmp_path / "clara.sqlite3") as clara:
        clara.store_memory(action="WAVE")
    with EpisodicMemory(path) as memory:  # as `clara-memory merge --file` does
        memory.merge(backup)
        memory.merge(tmp_path / "clara.sqlite3")
        sources = {one.action: one.source for one in memory.episodes()}
    assert sources == {"GO": "service", "DOCK": "service", "WAVE": "merge:CLARA"}


def test_you_are_this_robot_and_no_other_whose_memory_was_merged(tmp_path):
    with EpisodicMemory(tmp_path / "robby.sqlite3", robot="ROBBY") as robby:
        for _ in range(3):
            robby.store_memory(action="PICK_UP", object="TEAPOT", result="FAILED")
        robby.store_memory(action="DROP", object="VASE", result="SUCCESS")
    memory = EpisodicMemory()
    memory.store_memory(action="PICK_UP", object="TEAPOT", result="SUCCESS")
    memory.merge(tmp_path / "robby.sqlite3")
    assert memory.query("how often did you pick up the teapot?").matches == 1
    assert memory.query("did your gripper drop the vase?").abstained
    answer = memory.query("did you drop the vase?")
    assert answer.abstained
    said = "there are episodes with object=VASE and action=DROP, but none of CLARA"
    assert answer["result"].reason == said
    assert memory.query("did you drop the vase?", robots=["ROBBY"]).matches == 1
    assert memory.query("how often did Robby pick up the teapot?").matches == 3
    assert memory.query("do you know how often Robby picked up the teapot?").matches == 3
    assert memory.query("can you please tell me what happened to the vase?").matches == 1
    assert memory.query("who picked up the teapot?").matches == 4


def test_of_a_memory_that_is_all_another_robots_you_are_that_robot(tmp_path):
    with EpisodicMemory(tmp_path / "robby.sqlite3", robot="ROBBY") as robby:
        robby.store_memory(action="DROP", object="VASE")
    with EpisodicMemory(tmp_path / "robby.sqlite3") as opened:
        assert opened.query("did you drop the vase?").matches == 1
    with EpisodicMemory(tmp_path / "bob.sqlite3", robot="BOB") as bob:
        bob.store_memory(action="DROP", object="VASE")
    with EpisodicMemory(tmp_path / "robby.sqlite3", robot="ROBBY") as robby:
        robby.merge(tmp_path / "bob.sqlite3")
    with EpisodicMemory(tmp_path / "robby.sqlite3") as opened:
        (match,) = opened.query("did you drop the vase?").episodes
        assert match.episode.robot == "ROBBY"


def test_of_a_robot_that_has_done_nothing_yet_nothing_is_told_as_its_own(tmp_path):
    with EpisodicMemory(tmp_path / "robby.sqlite3", robot="ROBBY") as robby:
        robby.store_memory(action="DROP", object="VASE")
    memory = EpisodicMemory()
    memory.merge(tmp_path / "robby.sqlite3")
    assert memory.query("did you drop the vase?").abstained
    assert memory.query("who dropped the vase?").matches == 1
