# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""How a long reply appears in a terminal that is shorter than it, and a long name in a table."""

from __future__ import annotations

import io
import re
import time

from clara_brain.cli_reply import Rendered
from clara_brain.skills import Skill, Target, TargetKind
from rich.console import Console

from clara_brain import check_skills, cli_text, doctor
from clara_interfaces.msg import Adapter, Session
from clara_interfaces.msg import Skill as SkillMessage
from clara_interfaces.srv import GetModelInfo

HEIGHT, WIDTH = 8, 40
_CODES = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[\?25[lh]|([^\x1b])")


def shown(written: str) -> list[str]:
    """Return the lines of a terminal, scrolled-back ones first, after all that was written."""
    lines, row, column = [""], 0, 0
    for found in _CODES.finditer(written):
        number, code, letter = found.groups()
        if code == "A":  # up, but never beyond the top of the screen
            row = max(row - int(number or 1), len(lines) - HEIGHT, 0)
        elif code == "K":
            lines[row] = ""
        elif letter == "\r":
            column = 0
        elif letter == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif letter:
            lines[row] = lines[row][:column].ljust(column) + letter
            column += 1
    return [line.rstrip() for line in lines]


def test_a_reply_longer_than_the_screen_is_in_the_scrollback_once():
    console = Console(
        file=io.StringIO(), force_terminal=True, width=WIDTH, height=HEIGHT, color_system=None
    )
    reply = Rendered(console)
    paragraphs = [" ".join(f"p{number}w{word}" for word in range(60)) for number in range(4)]
    code = "```\n" + "\n\n".join(f"line {number}" for number in range(12)) + "\n```"
    text = "\n\n".join([*paragraphs, "- one\n\n  more of it\n- two", code, "The end."])
    for at in range(0, len(text), 5):
        reply.add(text[at : at + 5])
        time.sleep(0.002)
    reply.end()
    words = " ".join(shown(console.file.getvalue())).split()
    assert words == text.replace("```", "").replace("- ", "• ").split()


def test_a_table_folds_what_it_has_no_room_for_and_cuts_off_nothing() -> None:
    long = "a_name_or_path_that_somebody_may_want_to_copy/" * 3
    target = Target(TargetKind.TOPIC, long, "std_msgs/msg/String")
    drawn = [
        cli_text.sessions([Session(session_id=long)]),
        cli_text.adapters([Adapter(name="dialect", path=long)]),
        cli_text.model(GetModelInfo.Response(name="x", sha256=long), metadata=False),
        cli_text.skills([SkillMessage(name="wave", target=long, reachable=True)]),
        check_skills.table((Skill("wave", "WAVE", "wave", target=target),)),
        doctor.table([doctor.Finding("model", doctor.Level.FAULT, long, "put it there")]),
    ]
    for one in drawn:
        shown = io.StringIO()
        Console(file=shown, width=80).print(one)
        rows = [re.split("[│┃]", line)[1:-1] for line in shown.getvalue().splitlines()]
        columns = zip(*filter(None, rows), strict=True)
        assert any(long in "".join(map(str.strip, column)) for column in columns), shown.getvalue()
