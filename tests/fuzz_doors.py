# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Every door of a memory and a brain that a stranger can knock at, with what plausibly comes in.

The two nodes are real, with a small model that answers at once; files that a request may name lie
beside them, among them ones that never end, never begin, or are something else.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conftest import active
from fuzzing import Findings, Fuzzer
from hypothesis import strategies as st
from malformed import Plausible, messages, one_of_these
from running import Peer, Process
from small_model import write_small_adapter, write_small_model

from clara_interfaces import msg, srv
from clara_interfaces.action import Chat
from clara_memory import Episode, EpisodicMemory

LOOKED_FOR = (
    "There is a cup on the table",
    "what happened with the cup?",
    "around noon near the dock yesterday",
)
IDS = tuple(f"{number:016x}" for number in range(6))
ADAPTERS = ("warmth", "own")
GOOD = ("other.sqlite3", "export.jsonl", "adapter.gguf")


GRAMMARS = (
    "",
    "",
    'root ::= "yes" | "no"',
    "root ::= [a-z ]+",
    "root ::= root",
    "root ::= nothing",
    'root ::= ("")*',
    'root ::= "a"{1000000000}',
    'root ::= (("a"{1,900}){1,900}){1,900}',
    'root ::= "' + "a" * 60_000 + '"{1900}',
    "root ::= " + '"a"? ' * 1200,
    "root ::= " + "(" * 12_000,
    "root ::= <[4294967295]>",
    'root ::= <"> ' + "(" * 12_000,
    "[" * 60_000,
)
SCHEMAS = (
    "",
    "",
    '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}',
    '{"$ref": "#"}',
    '{"$ref": "#/nothing"}',
    '{"$ref": "https://127.0.0.1:9/schema"}',
    '{"$dynamicRef": "http://127.0.0.1:9/schema"}',
    '{"anyOf": [{"$ref": "#"}, {"type": "array", "items": {"$ref": "#"}}]}',
    '{"type": "string", "pattern": "^(a+)+$"}',
    '{"type": "string", "minLength": 1000000000}',
    '{"type": "integer", "minimum": -1e400}',
    '{"type": 5}',
    '{"$schema": 5}',
    "[" * 12_000,
    '{"a":' * 6_000 + "1" + "}" * 6_000,
    "9" * 6_000,
    "[]",
    "true",
    "null",
)


@dataclass
class Nodes:
    """The two nodes and who talks to them."""

    peer: Peer
    memory: Process
    brain: Process
    folder: Path
    doors: dict[str, Callable[[int, int], Findings]] = field(default_factory=dict)


@contextmanager
def nodes(domain: int, folder: Path) -> Iterator[Nodes]:
    """Run a memory and a brain with all their doors open."""
    write_files(folder)
    began = [
        Process(
            *(sys.executable, "-m", f"clara_{name}.node", "--ros-args", "-r", "__ns:=/clara"),
            *(word for pair in parameters.items() for word in ("-p", f"{pair[0]}:={pair[1]}")),
            env={"HOME": str(folder)},
        )
        for name, parameters in {
            # Small enough that what is stored does not look like a leak.
            "memory": {
                "autostart": "true",
                "memory_path": folder / "memory.sqlite3",
                "max_episodes": 1000,
                "max_pending": 1000,
            },
            "brain": {
                "autostart": "true",
                "model": folder / "small.gguf",
                "n_ctx": 1024,
                "n_threads": 1,
                "queue_size": 100,
                "max_sessions": 50,
            },
        }.items()
    ]
    peer = Peer(domain)
    try:
        for name in ("memory", "brain"):
            peer.spin_until(lambda name=name: active(peer, name), 90.0, f"{name} active")
        made = Nodes(peer, *began, folder)
        made.doors = dict(_doors(made))
        yield made
    finally:
        peer.close()
        for process in began:
            process.close()


def write_files(folder: Path) -> None:
    """Write what a request may name: a model, two memories, an adapter, and what is none."""
    write_small_model(folder / "small.gguf")
    write_small_adapter(folder / "adapter.gguf")
    with EpisodicMemory(folder / "other.sqlite3", robot="OTHER") as other:
        other.store_all(
            Episode(action="TAKE", object="CUP", episode_id=identity) for identity in IDS
        )
    lines = [{"action": "GO", "episode_id": "line-1"}, {"action": "GO", "episode_id": "line-2"}]
    (folder / "export.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "damaged.sqlite3").write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 8)
    (folder / "wrong.jsonl").write_text('{"action": NaN}\n[[\n')
    (folder / "deep.jsonl").write_text("[" * 100_000 + "\n")
    (folder / "latin").write_bytes(b"\xff\xfe\xe4" * 20)
    (folder / "short.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 16)
    (folder / "empty").touch()
    os.mkfifo(folder / "pipe")


def _plausible(folder: Path) -> Plausible:
    """Return what fields often hold, so that requests also come past the first check."""
    words = st.sampled_from(("CUP", "cup", "PICK_UP", "dock", "robot_1", "CLARA", "Hello there."))
    filler = st.sampled_from(
        [
            msg.RoleFiller(role="object", filler="CUP"),
            msg.RoleFiller(role="action", filler="TAKE"),
            msg.RoleFiller(role="place", filler="dock"),
            msg.RoleFiller(role="speed", kind=msg.RoleFiller.NUMBER, values=[0.5]),
            msg.RoleFiller(role="speed", kind=msg.RoleFiller.NUMBER, values=[1e308]),
            msg.RoleFiller(
                role="at", kind=msg.RoleFiller.POSITION, filler="map", values=[1.0, 2.0, 0.0]
            ),
            msg.RoleFiller(role="time_of_day", filler="noon"),
        ]
    )
    bounds = st.sampled_from(
        [
            msg.RoleRange(role="speed", low=0.1, high=math.inf),
            msg.RoleRange(role="speed", low=0.5, high=0.1),
            msg.RoleRange(role="place", low=-math.inf, high=3.0),
            msg.RoleRange(role="at", center=[1.0, 2.0, 0.0], frame="map", radius=2.5),
            msg.RoleRange(role="at", center=[1.0, 2.0, 0.0], radius=math.nan),
        ]
    )
    change = st.builds(
        msg.RoleFiller,
        role=st.sampled_from(("subject", "action", "object", "result", "detail")),
        filler=st.sampled_from(("CUP", "TAKE", "FAILED", "the handle\nwas wet", "")),
    )
    paths = st.sampled_from(
        [
            *map(str, sorted(folder.iterdir())),
            *[str(folder / name) for name in GOOD] * 3,
            str(folder),
            str(folder / "nothing"),
            "/dev/zero",
            "/proc/self/mem",
            "~nobody-of-this-name/file",
            "",
        ]
    )
    pair = st.lists(st.sampled_from((*ADAPTERS, "formal", "medical")), min_size=1, max_size=2)
    shares = st.lists(st.floats(0.0, 1.0, width=32), min_size=1, max_size=2)
    known = Plausible(
        fields={
            **dict.fromkeys(("action", "subject", "object", "robot", "result"), words),
            "text": st.sampled_from(LOOKED_FOR),
            "texts": st.lists(st.sampled_from(LOOKED_FOR), min_size=1, max_size=3),
            "action_id": st.integers(0, 400).map(lambda number: f"a{number}"),
            "outcome": st.integers(0, 4),
            "episode_ids": st.lists(st.sampled_from((*IDS, "nothing")), min_size=1, max_size=3),
            "path": paths,
            "name": st.sampled_from((*ADAPTERS, "OTHER")),
            "names": pair,
            "values": shares,
            "scales": shares,
            "preset": st.sampled_from(("spec", "teacher", "nothing")),
            "session_id": st.sampled_from(("s1", "s2")),
            "ask": st.lists(st.sampled_from(("object", "place", "result")), max_size=2),
            "cue": st.lists(filler, max_size=2),
            "where": st.lists(filler, max_size=2),
            "episode_id": st.sampled_from((*IDS, "nothing", "")),
            "ranges": st.lists(bounds, max_size=2),
            "changes": st.lists(change, min_size=1, max_size=2),
            "max_tokens": st.integers(1, 4),
            "dry_run": st.just(True),
            "grammar": one_of_these(GRAMMARS),
            "json_schema": one_of_these(SCHEMAS),
            "stop": st.lists(st.sampled_from(("a", ".", "</s>")), max_size=2),
            "bias_tokens": st.lists(st.integers(0, 300), min_size=1, max_size=1),
            "bias_values": st.lists(st.sampled_from((-1e30, 0.5, 1e30)), min_size=1, max_size=1),
        },
        messages={msg.RoleFiller: filler},
    )
    sampling = messages(msg.Sampling, known)
    return replace(known, fields={**known.fields, "sampling": sampling})


def _doors(made: Nodes) -> Iterator[tuple[str, Callable[[int, int], Findings]]]:
    """Yield the name of each door and what fuzzes it, given a count and a seed."""
    known = _plausible(made.folder)

    def service(node: Process, kind: Any, name: str) -> Callable[[int, int], Findings]:
        return lambda count, number: Fuzzer(made.peer, node, number).service(
            kind, name, messages(kind.Request, known), count
        )

    for kind, name in (
        (srv.StoreEpisode, "memory/store"),
        (srv.QueryMemory, "memory/query"),
        (srv.PinEpisodes, "memory/pin"),
        (srv.GetMemoryStats, "memory/stats"),
        (srv.ForgetEpisodes, "memory/forget"),
        (srv.MergeMemory, "memory/merge"),
        (srv.CorrectEpisode, "memory/correct"),  # the ids are there once a file was merged
    ):
        yield name, service(made.memory, kind, name)
    for kind in (msg.ActionEvent, msg.ActionResult):
        yield (
            "action_event" if kind is msg.ActionEvent else "action_result",
            lambda count, number, kind=kind: Fuzzer(made.peer, made.memory, number).events(
                kind, messages(kind, known), count
            ),
        )
    for kind, name in (
        (srv.SetPersonality, "personality/set"),
        (srv.GetPersonality, "personality/get"),
        (srv.GetModelInfo, "model/info"),
        (srv.ListSessions, "session/list"),
        (srv.GetSession, "session/get"),
        (srv.ResetSession, "session/reset"),
        (srv.ListSkills, "skill/list"),
        (srv.LoadAdapter, "adapter/load"),
        (srv.ScaleAdapters, "adapter/scale"),
        (srv.ListAdapters, "adapter/list"),
        (srv.UnloadAdapter, "adapter/unload"),
        (srv.Embed, "embed"),
        (srv.Tokenize, "tokenize"),
    ):
        yield name, service(made.brain, kind, name)
    yield (
        "chat",
        lambda count, number: Fuzzer(made.peer, made.brain, number).chat(
            messages(Chat.Goal, known), count
        ),
    )
    yield (
        "say",
        lambda count, number: Fuzzer(made.peer, made.brain, number).say(
            messages(msg.Utterance, known), count
        ),
    )
    for node, kind, topic in (
        (made.memory, msg.ActionEvent, "action_event"),
        (made.memory, msg.ActionResult, "action_result"),
        (made.brain, msg.Utterance, "say"),
    ):
        yield (
            f"{topic} (bytes)",
            lambda count, number, node=node, kind=kind, topic=topic: Fuzzer(
                made.peer, node, number
            ).bytes(kind, topic, messages(kind, known), count),
        )
