# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The command clara-memory, as a process: on a file, and with a running node."""

import json
import re
import subprocess
import sys

import pytest
from clara_memory.cli_options import parse_near, parse_range
from clara_memory.tables import show_answer, show_stats

from clara_memory import EpisodicMemory, InvalidRequest, RoleRange


def run(*words):
    command = [sys.executable, "-c", "from clara_memory.cli import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def ok(*words):
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "memory.sqlite3"
    place = ["--role", "place=dock", "--role", "speed=0.5"]
    ok(
        "store",
        "--file",
        path,
        "--action",
        "PICKED_UP",
        "--object",
        "CUP",
        "--result",
        "OK",
        *place,
    )
    ok("store", "--file", path, "--action", "DROP", "--object", "[PLATE]", "--result", "FAILED")
    return path


@pytest.mark.parametrize(
    ("cue", "action"),
    [
        (["--object", "CUP", "--result", "SUCCESS"], "PICKED_UP"),
        (["--role", "place=dock"], "PICKED_UP"),
        (["--role", "speed=0.5"], "PICKED_UP"),
        (["what", "did you drop?"], "DROP"),
        (["--outcome", "failed"], "DROP"),
        (["--range", "speed=:1", "--object", "CUP"], "PICKED_UP"),
    ],
)
def test_a_file_is_asked_by_roles_and_text(file, cue, action):
    answer = json.loads(ok("query", *cue, "--ask", "action", "--file", file, "--json"))
    (role,) = answer["answers"]
    assert [candidate["filler"] for candidate in role["candidates"]] == [action]
    assert answer["episodes"][0]["episode"]["action"] == action and answer["matches"] == 1


def test_tables_show_the_answer_and_markup_is_only_text(file):
    shown = ok("query", "--action", "DROP", "--file", file)
    assert "[PLATE]" in shown and "FAILED" in shown and "1 of 2 episodes fit" in shown


def test_tables_fold_a_long_filler_or_path_and_cut_off_nothing(tmp_path, capsys):
    with EpisodicMemory(tmp_path / ("a_folder_" * 12) / "memory.sqlite3") as memory:
        memory.store_memory(action="GO", object="a_long_name_" * 10)
        show_answer(memory.query(action="GO"))
        show_stats(memory.stats())
    shown = capsys.readouterr().out
    assert "a_long_name" in shown and "a_folder" in shown and "…" not in shown


def test_what_is_not_known_is_said(file):
    shown = ok("query", "--object", "ZEBRA", "--file", file)
    assert "no object like 'ZEBRA' is known" in shown


def test_figures_of_a_file(file):
    figures = json.loads(ok("stats", "--file", file, "--json"))
    assert (figures["episodes"], figures["succeeded"], figures["failed"]) == (2, 1, 1)
    assert "episodes" in ok("stats", "--file", file)


def test_a_file_is_exported_also_while_it_is_open_for_writing(file, tmp_path):
    output = tmp_path / "out.jsonl"
    with EpisodicMemory(file) as memory:
        memory.store_memory(action="WAVE")
        assert "3 episodes" in ok("export", "--file", file, "--output", output)
        refused = run("store", "--file", file, "--action", "GO")
    actions = [json.loads(line)["action"] for line in output.read_text().splitlines()]
    assert actions == ["PICKED_UP", "DROP", "WAVE"]
    assert ok("export", "--file", file) == output.read_text()
    assert refused.returncode == 1 and "in use by process" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stats", "--file", "/nowhere/m.sqlite3"], "there is no memory /nowhere/m.sqlite3"),
        (["query", "--role", "place", "--file", "F"], "write it as place=dock"),
        (["query", "--role", "No=x", "--file", "F"], "role"),
        (["query", "--range", "speed=2:1", "--file", "F"], "low of 'speed' is 2, above high, 1"),
        (["store", "--object", "CUP", "--file", "F"], "action is empty"),
        (["export", "--file", "F", "--output", "/nowhere/out"], "/nowhere/out cannot be written"),
        (["stats", "--namespace", "no such!"], "--namespace"),
        (["stats", "--namespace", "lonely", "--timeout", "0.5"], "--file PATH"),
    ],
)
def test_a_fault_is_one_sentence_and_exit_code_1(domain, file, words, said):
    done = run(*[file if word == "F" else word for word in words])
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("parse", "written", "wanted"),
    [
        (parse_range, "battery=0.1:0.3", RoleRange("battery", 0.1, 0.3)),
        (parse_range, "speed=:-0.5", RoleRange("speed", high=-0.5)),
        (parse_range, "speed = 0:", RoleRange("speed", 0.0)),
        (parse_near, "at=1,2.5:3", RoleRange("at", center=(1, 2.5, 0), radius=3)),
        (
            parse_near,
            "at=1,2,-3@robot/map:0.5",
            RoleRange("at", center=(1, 2, -3), frame="robot/map", radius=0.5),
        ),
    ],
)
def test_a_range_is_read_as_it_is_written(parse, written, wanted):
    assert parse(written) == wanted


@pytest.mark.parametrize(
    ("parse", "written", "said"),
    [
        (parse_range, "battery", "--range is 'battery': write it as battery=0.1:0.3"),
        (parse_range, "battery=0.3", "write it as"),
        (parse_range, "battery=low:high", "write it as"),
        (parse_near, "at=1:3", "--near is 'at=1:3': write it as at=1.0,2.0@map:2.5"),
        (parse_near, "at=1,2,3,4:3", "write it as"),
        (parse_near, "at=1,2@map", "write it as"),
        (parse_near, "at=north,2:1", "write it as"),
    ],
)
def test_a_range_that_is_not_read_says_how_to_write_it(parse, written, said):
    with pytest.raises(InvalidRequest, match=re.escape(said)):
        parse(written)


def test_a_running_node_is_stored_into_asked_corrected_and_exported(node, tmp_path):
    cup = ("--object", "CUP", "--role", "speed=0.5")
    stored = ok("store", "--action", "PICK_UP", *cup, "--result", "DONE", "--json")
    answer = json.loads(ok("query", "--object", "CUPP", "--json"))
    episode = answer["episodes"][0]["episode"]
    assert episode["episode_id"] == json.loads(stored)["episode_id"]
    assert (episode["outcome"], episode["source"]) == ("SUCCEEDED", "service")
    assert json.loads(ok("stats", "--json"))["episodes"] == 1
    assert json.loads(ok("query", "--range", "speed=0:1", "--json"))["matches"] == 1
    near = json.loads(ok("query", "--near", "at=1,2@map:3", "--json"))
    assert near["answers"][0]["reason"] == "no episode has the role 'at'"
    corrected = ok("correct", episode["episode_id"], "--object", "MUG", "--detail", "blue")
    assert corrected == "corrected: CLARA PICK_UP MUG (speed=0.5): blue, SUCCEEDED\n"
    output = tmp_path / "out.jsonl"
    ok("export", "--output", output)
    assert json.loads(output.read_text())["object"] == "MUG"
    unknown = run("correct", "nobody", "--object", "MUG")
    assert unknown.returncode == 1 and "'nobody' is not in memory" in unknown.stderr
    refused = run("store", "--object", "CUP")
    assert refused.returncode == 1 and "action is empty" in refused.stderr
