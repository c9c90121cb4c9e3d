# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A guided tour: what bind, bundle, permute and a query do, with real codes."""

import numpy as np
from rich.console import Console
from rich.table import Table

from clara_memory.hdc.codes import Codes, ItemMemory, Space, bind, hamming, unbind
from clara_memory.hdc.encoders import circular, level, text
from clara_memory.hdc.gist import Gist

SPACE = Space()
CONSOLE = Console()


def show(title: str, pairs: dict[str, tuple[Codes, Codes]]) -> None:
    """Print how alike pairs of codes are."""
    table = Table("", "similarity", title=title, title_justify="left", min_width=60)
    for name, (first, second) in pairs.items():
        table.add_row(name, f"{float(SPACE.similarity(first, second)):+.3f}")
    CONSOLE.print(table)


def show_operations() -> None:
    """Show symbols, binding and bundling."""
    cup, mug, plate, picked = SPACE.symbols(["CUP", "MUG", "PLATE", "PICK_UP"])
    CONSOLE.print(
        f"A code has {SPACE.dimensions:,} bits, {SPACE.words * 8:,} bytes; it is drawn from the "
        "symbol's name, so every robot has the same."
    )
    CONSOLE.print(f"CUP and MUG differ in {int(hamming(cup, mug)):,} bits, as chance has it.")
    bound = bind(cup, picked)
    show(
        "bind: XOR, unlike both, and undone by itself",
        {
            "CUP bound to PICK_UP, against CUP": (bound, cup),
            "unbound again, against CUP": (unbind(bound, picked), cup),
        },
    )
    three = SPACE.bundle(np.stack([cup, mug, picked]))
    show(
        "bundle: the majority, like all that went in",
        {
            "bundle of CUP, MUG and PICK_UP, against CUP": (three, cup),
            "against MUG": (three, mug),
            "against PLATE": (three, plate),
        },
    )
    show(
        "permute: the same code at another place of a sequence",
        {
            "CUP permuted, against CUP": (SPACE.permute(cup), cup),
            "permuted back": (SPACE.permute(SPACE.permute(cup), -1), cup),
        },
    )


def show_encoders() -> None:
    """Show codes that are more or less alike."""
    show(
        "encoders: like things have like codes",
        {
            "'coffee mug' against 'cofee mug'": (
                text(SPACE, "coffee mug"),
                text(SPACE, "cofee mug"),
            ),
            "0.50 m/s against 0.55 (of 0 to 1)": (
                level(SPACE, "speed", 0.5, 0, 1),
                level(SPACE, "speed", 0.55, 0, 1),
            ),
            "23:30 against 00:30": (
                circular(SPACE, "day", 23.5, 24),
                circular(SPACE, "day", 0.5, 24),
            ),
            "23:30 against 11:30": (
                circular(SPACE, "day", 23.5, 24),
                circular(SPACE, "day", 11.5, 24),
            ),
        },
    )


def show_queries() -> None:
    """Show how an episode and a gist are asked."""
    roles = SPACE.symbols(["subject", "action", "object", "result"])
    episode = SPACE.record(roles, SPACE.symbols(["CLARA", "PICK_UP", "CUP", "SUCCEEDED"]))
    things = ItemMemory(SPACE, ["CUP", "MUG", "PLATE", "BOWL"])
    answer, alike = things.cleanup(unbind(episode, roles[2]))
    CONSOLE.print("query: an episode is one bundle of four pairs of role and filler.")
    CONSOLE.print(f"Ask it for its object: {answer} (similarity {alike:+.3f}).")
    gist = Gist(SPACE)
    for number in range(80):
        gist.add(["CLARA", f"ACTION_{number % 9}", f"THING_{number}", "SUCCEEDED"])
    cue = ["CLARA", None, "THING_41", "SUCCEEDED"]
    first, second = gist.ask(cue, [f"ACTION_{number}" for number in range(9)])[:2]
    CONSOLE.print(
        f"80 episodes in one gist of {len(gist.to_bytes()):,} bytes: what was done to THING_41? "
        f"{first[0]} (evidence {first[1]:.1f}, the next {second[1]:.1f})."
    )


if __name__ == "__main__":
    show_operations()
    show_encoders()
    show_queries()
