#!/usr/bin/env python3
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/images/console.png: the console after a talk with the simulated robot.

The page is the real one, in the headless Chromium that its tests drive, and everything on it was
said, done and stored by the nodes, as in `make demo`.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
from pathlib import Path

from clara_demo.bring_up import launch_command, launched

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src" / "clara_console" / "test"))

from browser import ENTER, Browser, found_browser
from serving import wait_until

WIDTH, HEIGHT = 1440, 960
LEFT = "\ue012"  # of the WebDriver protocol
OF_ITS_OWN_ACCORD = 4  # what the robot does before anybody asks
# What is said, and how many episodes more there are once it is done.
TALK = (
    ("Hello! Who are you?", 0),
    ("Please pick up the cup.", 1),
    ("What happened with the cup?", 0),
    ("Please pick up the book.", 1),
    ("What did you do with the book?", 0),
    ("Have you seen the submarine?", 0),
)
LIMIT_S = 120.0


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether somebody listens on a port."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def talk(page: Browser) -> None:
    """Say what is to be seen, each when what was said before is done; make her less playful."""
    episodes = OF_ITS_OWN_ACCORD
    page.wait_for_text("#memory-count", f"{episodes} episodes", LIMIT_S)
    for number, (said, more) in enumerate(TALK, 1):
        page.type("#text", said + ENTER)
        page.wait(f"document.querySelectorAll('.clara .facts').length === {number}", said, LIMIT_S)
        episodes += more
        page.wait_for_text("#memory-count", f"{episodes} episodes", LIMIT_S)
    page.run("document.getElementById('slider-playful').focus()")
    page.press(*[LEFT] * 9)
    page.wait("document.querySelector('.slider.moved')", "the slider")
    for name, count in (("turns", len(TALK)), ("episodes", episodes)):
        told = f"(one) => one.innerText === '{name}' && one.nextSibling.innerText === '{count}'"
        page.wait(f"[...document.querySelectorAll('#statuses dt')].some({told})", "its health")
    page.run("document.activeElement.blur()")


def main() -> None:
    """Start everything, talk, take the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    picture = ROOT / "docs" / "images" / "console.png"
    parser.add_argument("--output", type=Path, default=picture, help="PNG to write")
    options = parser.parse_args()
    if found_browser() is None:
        sys.exit("no Chromium with its driver: sudo apt install chromium chromium-driver")
    port = free_port()
    command = [*launch_command("clara"), "console:=true", f"console_port:={port}"]
    with launched(command) as check, tempfile.TemporaryDirectory() as folder:

        def serves() -> bool:
            check()
            return listens(port)

        wait_until(serves, "the console", LIMIT_S)
        page = Browser(Path(folder), WIDTH, HEIGHT)
        try:
            page.open(f"http://127.0.0.1:{port}/")
            talk(page)
            page.picture(options.output)
        finally:
            page.close()
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
