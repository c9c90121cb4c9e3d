# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Correcting episodes, and memories that travel as JSONL, CSV and gist, with clara-memory."""

import codecs
import contextlib
import csv
import json
import sqlite3

import pytest
from clara_memory.cli import commands
from clara_memory.hdc import Gist
from click.testing import CliRunner
from test_cli import ok, run

from clara_memory import Episode, EpisodicMemory, InvalidRequest, Outcome, RoleFiller

DETAILS = (
    "",
    'said "hm",\nand went; ☕',
    "a lone\rreturn",
    "=HYPERLINK(1)",
    "'=one",
    "''-two",
    "'three",
    "\t@four",
)
HUGE = f"""[{{"role": "n", "kind": "NUMBER", "values": [{10**400}]}}]"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "memory.sqlite3"
    with EpisodicMemory(path) as memory:
        told = [
            Episode(
                action=f"ACT_{number % 3}",
                object=f"THING {number}",
                episode_id=f"e{number}",
                result="SUCCESS",
                detail=DETAILS[number % len(DETAILS)],
                context=(RoleFiller("place", f"room, {number}"),) if number % 5 else (),
                start_ns=(1_700_000_000 + number) * 10**9,
                source="merge:BOB" if number % 4 else "topic",
            )
            for number in range(40)
        ]
        memory.store_all(told, source="")
    return path


def episodes(path):
    with EpisodicMemory(path, read_only=True) as memory:
        return list(memory.episodes())


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_what_is_exported_comes_back_the_same(file, tmp_path, kind):
    output, fresh = tmp_path / f"all.{kind}", tmp_path / "fresh.sqlite3"
    assert "40 episodes written" in ok("export", "--file", file, "--output", output)
    assert ok("export", "--file", file, "--format", kind) == output.read_text()
    told = json.loads(ok("import", output, "--file", fresh, "--json"))
    assert told == {"added": 40, "already_known": 0}
    assert episodes(fresh) == episodes(file)
    assert [path.name for path in tmp_path.glob("*.partial")] == []


def here(*words):
    return CliRunner().invoke(commands, list(map(str, words)))  # in this process, for time


@pytest.mark.parametrize("part", ["", "-wal", "-shm", ".lock"])
def test_an_export_never_takes_the_place_of_a_memory(file, tmp_path, part):
    before = episodes(file)
    refused = here("export", "--file", file, "--output", f"{file}{part}").exception
    assert "memory: name another file" in str(refused)
    other = tmp_path / "link.jsonl.partial"
    other.symlink_to(file)
    here("export", "--file", file, "--output", tmp_path / "link.jsonl")
    assert episodes(file) == before


def test_a_damaged_episode_is_named_and_all_others_travel(file, tmp_path):
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE episodes SET object = 'X' WHERE episode_id = 'e3'")
        database.commit()
    output, fresh = tmp_path / "all.jsonl", tmp_path / "fresh.sqlite3"
    for command in (
        ("export", "--file", file, "--output", output),
        ("timeline", "--file", file, "--last", 100, "--json"),
        ("plot", "--file", file),
        ("merge", file, "--file", fresh),
        ("ask", "what about X?", "--file", file),
    ):
        done = here(*command)
        assert done.exit_code == 1 and done.stdout
        assert "1 episode left out" in str(done.exception) and "'e3'" in done.stderr
    assert "damaged" in done.stdout  # all that there is of X
    assert len(output.read_text().splitlines()) == len(episodes(fresh)) == 39
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_byte_order_mark_is_no_text(file, tmp_path, kind):
    output, fresh = tmp_path / f"all.{kind}", tmp_path / "fresh.sqlite3"
    here("export", "--file", file, "--output", output)
    output.write_bytes(codecs.BOM_UTF8 + output.read_bytes())
    assert here("import", output, "--file", fresh).exit_code == 0
    assert episodes(fresh) == episodes(file)
    assert kind == "csv" or here("merge", output, "--file", fresh).exit_code == 0


def test_an_import_without_a_source_is_from_a_file(file, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("action,object,source\nGO,DOCK,\nGO,DOOR,merge:EVE\n")
    ok("import", path, "--file", file)
    assert [one.source for one in episodes(file)[-2:]] == ["file", "merge:EVE"]


def test_no_cell_of_a_csv_is_a_formula(file, tmp_path):
    output = tmp_path / "all.csv"
    ok("export", "--file", file, "--output", output)
    with output.open(newline="") as written:
        cells = [cell for row in csv.reader(written) for cell in row]
    assert "'=HYPERLINK(1)" in cells and "'three" in cells
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n"))]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("action,colour\nGO,red\n", "line 2: colour is not a field"),
        ("action,start_ns\nGO,now\n", "line 2: start_ns is not a whole number"),
        ("action,context\nGO,dock\n", "line 2: context is not a JSON list"),
        ("object\nCUP\n", "line 2: action is empty"),
        ("action\nGO,1,2\n", "line 2 has more fields than the header"),
        ('action\n"GO\n', "is not CSV"),
    ],
)
def test_a_row_that_is_no_episode_is_named_and_nothing_is_taken(file, tmp_path, written, said):
    path = tmp_path / "broken.csv"
    path.write_text(written)
    refused = run("import", path, "--file", file)
    assert refused.returncode == 1 and said in refused.stderr, refused.stderr
    assert "Traceback" not in refused.stderr and len(episodes(file)) == 40


def test_a_gist_has_a_fixed_size_and_answers_full_cues(file, tmp_path):
    output = tmp_path / "all.gist"
    ok("export", "--file", file, "--output", output)
    written = output.read_bytes()
    assert len(written) < 1_350
    gist = Gist.from_bytes(written)
    right = [
        gist.ask(["clara", None, f"thing {n}", "succeeded"], ["act 0", "act 1", "act 2"])[0][0]
        == f"act {n % 3}"
        for n in range(40)
    ]
    assert all(right)
    refused = run("import", output, "--file", file)
    assert refused.returncode == 1 and "is a gist" in refused.stderr
    assert "name a file" in run("export", "--file", file, "--format", "gist").stderr


def test_a_corrected_episode_keeps_its_id_and_what_it_was_before(file):
    told = ok("correct", "e7", "--object", "JUG", "--result", "FAILED", "--file", file)
    assert told.startswith("corrected: CLARA ACT_1 JUG") and "FAILED" in told
    with EpisodicMemory(file) as memory:
        (match,) = memory.query(object="jug").episodes
        assert (match.episode.episode_id, match.episode.outcome) == ("e7", Outcome.FAILED)
        assert match.episode.context == (RoleFiller("place", "room, 7"),)
        assert memory.query(object="THING 7").abstained and len(memory) == 40
        assert not any(text for _, text in memory.verify())
    (before,) = sqlite3.connect(file).execute("SELECT before FROM revisions").fetchone()
    assert json.loads(before)["object"] == "THING 7"


def test_a_number_too_large_for_a_float_is_refused_with_its_line(file, tmp_path):
    lines, table = tmp_path / "huge.jsonl", tmp_path / "huge.csv"
    lines.write_text(f'{{"action": "GO", "episode_id": "huge", "context": {HUGE}}}\n')
    quoted = HUGE.replace('"', '""')
    table.write_text(f'action,context\nGO,"{quoted}"\n')
    for command, path, line in (("import", lines, 1), ("merge", lines, 1), ("import", table, 2)):
        refused = run(command, path, "--file", file)
        assert refused.returncode == 1 and "Traceback" not in refused.stderr
        said = f"line {line}: context[0].values holds a number that is too large"
        assert said in refused.stderr, refused.stderr


def test_fillers_nested_too_deep_are_refused_with_their_line(file, tmp_path):
    path = tmp_path / "deep.csv"
    path.write_text(f"action,context\nGO,{'[' * 100_000}\n")
    refused = run("import", path, "--file", file)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "line 2: context is not a JSON list" in refused.stderr


@pytest.fixture
def poured():
    memory = EpisodicMemory()
    memory.store_all(
        Episode(action="POUR", object=thing, episode_id=thing)
        for thing in ("JUICE", "WATER", "TEA")
    )
    memory.correct("JUICE", object="WATER")
    return memory


def test_what_was_corrected_away_is_unknown_at_once(poured):
    assert poured.query(object="JUICE")["action"].reason == "no object like 'JUICE' is known"
    assert poured.query(object="JUCE").readings[0].nearest == ""
    assert poured.query("what about the juice?").abstained
    assert poured.stats().vocabulary["object"] == 2
    assert poured.forget(where=[RoleFiller("object", "JUICE")], dry_run=True) == 0
    assert poured.query(object="WATER").matches == 2


def test_what_was_corrected_away_is_known_again_when_it_comes_back(poured):
    poured.store_memory(action="SPILL", object="juice")
    poured.correct("TEA", object="JUICE")
    assert poured.query(object="JUICE").matches == 2
    assert poured.query("did you spill the juice?").matches == 1
    assert poured.stats().vocabulary["object"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody", "--object", "JUG"], "'nobody' is not in memory"),
        (["e7"], "give one of subject"),
        (["e7", "--action", " "], "action is empty"),
    ],
)
def test_a_correction_that_is_not_valid_changes_nothing(file, words, said):
    before = episodes(file)
    refused = run("correct", *words, "--file", file)
    assert refused.returncode == 1 and said in refused.stderr, refused.stderr
    assert episodes(file) == before
    with EpisodicMemory(file) as memory, pytest.raises(InvalidRequest, match="cannot be corr"):
        memory.correct("e7", robot="BOB")
