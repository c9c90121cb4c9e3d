# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven over the WebDriver protocol (w3.org/TR/webdriver2) by ChromeDriver.

The handful of commands that the tests need, on the standard library: selenium would bring ten
packages and a downloader of browsers.
"""

import base64
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from serving import wait_until

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ENTER, TAB, RIGHT, END = "\ue007", "\ue004", "\ue014", "\ue010"
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
    "--lang=en-GB",
)


def found_browser():
    """Return the paths of a Chromium and of its driver, or None."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """One window. What is clicked and typed goes through the browser's own input handling."""

    def __init__(self, folder: Path, width: int = 1440, height: int = 900) -> None:
        browser, driver = found_browser()
        self._log = (folder / "chromedriver.log").open("w+")
        self._driver = subprocess.Popen(
            [driver, "--port=0"], stdout=self._log, stderr=subprocess.STDOUT
        )
        started = re.compile(r"started successfully on port (\d+)")
        said = folder / "chromedriver.log"
        port = wait_until(lambda: started.search(said.read_text()), "chromedriver")[1]
        self._at = f"http://127.0.0.1:{port}/session"
        options = {
            "binary": browser,
            "args": [*_ARGUMENTS, f"--user-data-dir={folder / 'profile'}"],
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        session = self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._at += f"/{session['sessionId']}"
        self.resize(width, height)

    def close(self) -> None:
        try:
            self._ask("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(10.0)
            self._log.close()

    def _ask(self, method, path, body=None):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._at + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60.0) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise AssertionError(f"{value['error']}: {value['message']}") from None

    def resize(self, width: int, height: int) -> None:
        """Give the page, not the window, this size."""
        command = {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        }
        self._ask("POST", "/goog/cdp/execute", command)

    def emulate(self, feature: str, value: str) -> None:
        """Let a media feature, as prefers-color-scheme, have a value."""
        params = {"features": [{"name": feature, "value": value}]}
        command = {"cmd": "Emulation.setEmulatedMedia", "params": params}
        self._ask("POST", "/goog/cdp/execute", command)

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def run(self, script: str, *values):
        """Return what the body of a function returns in the page; it may await."""
        body = f"return (async (...args) => {{ {script} }})(...arguments)"
        return self._ask("POST", "/execute/sync", {"script": body, "args": list(values)})

    def wait(self, script: str, what: str, limit: float = 20.0):
        """Return the first true value of an expression of the page."""
        return wait_until(lambda: self.run(f"return {script}"), f"{what} ({script})", limit)

    def text(self, selector: str) -> str:
        """Return the text of an element as it is shown."""
        return self.run("return document.querySelector(args[0])?.innerText ?? ''", selector)

    def wait_for_text(self, selector: str, text: str, limit: float = 20.0) -> None:
        try:
            wait_until(lambda: text in self.text(selector), f"{text!r} in {selector}", limit)
        except AssertionError as error:
            raise AssertionError(f"{error}; it has {self.text(selector)!r}") from None

    def _find(self, selector: str) -> str:
        using = {"using": "css selector", "value": selector}
        return self._ask("POST", "/element", using)[_ELEMENT]

    def click(self, selector: str) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        self._ask("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Press keys one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self._ask("POST", "/actions", {"actions": [source]})

    def drag(self, selector: str, right: int) -> None:
        """Take a thing in its middle and move it; it is held until `release`."""
        origin = {_ELEMENT: self._find(selector)}
        here = {"type": "pointerMove", "duration": 0, "origin": origin, "x": 0, "y": 0}
        down = {"type": "pointerDown", "button": 0}
        there = {**here, "duration": 50, "x": right}
        source = {"type": "pointer", "id": "mouse", "actions": [here, down, there]}
        self._ask("POST", "/actions", {"actions": [source]})

    def release(self) -> None:
        """Let go of every key and button that is held."""
        self._ask("DELETE", "/actions")

    def faults(self) -> list[str]:
        """Return what the page complained of since the last time, failed requests left out."""
        log = self._ask("POST", "/se/log", {"type": "browser"})
        return [
            line["message"]
            for line in log
            if line["level"] in ("SEVERE", "WARNING") and line["source"] != "network"
        ]

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))
