# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Commands in documents, held against the programs that they name, without running them.

A command of Clara's is parsed by that command's own parser, `ros2` by the one of `ros2_on_pip`
(whose options are the real one's); messages are filled from the YAML that stands there; launch
arguments, parameters, make targets, executables and files must exist. Nothing is executed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import importlib.util
import io
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from documents import ROOT, Block
from reference import COMMANDS, NODES, Described

_SHELL = {
    *("apt", "apt-get", "awk", "bash", "cat", "cd", "chmod", "cp", "curl", "docker", "echo"),
    *("eval", "export", "git", "grep", "head", "kill", "llama-server", "ls", "mkdir", "mv"),
    *(
        "openssl",
        "pip",
        "pip-audit",
        "printf",
        "rm",
        "rosdep",
        "sed",
        "source",
        "ssh",
        "tail",
        "tar",
        "test",
    ),
    *("umask", "unset", "xargs"),
}
_KEYWORDS = {
    "!",
    "do",
    "done",
    "elif",
    "else",
    "fi",
    "if",
    "then",
    "time",
    "until",
    "while",
    "{",
    "}",
}
# Of the real `ros2` alone: known by name, and not parsed.
_REAL_VERBS = {"bag", "component", "daemon", "doctor", "multicast", "security", "wtf"}
_CLICK = dict(COMMANDS)
_RUN_BY_CLICK = {
    ("clara_brain", "check_skills"): "clara_brain.check_skills",
    ("clara_demo", "demo"): "clara_demo.demo",
}
_PLACEHOLDER = re.compile(r"[A-Z_]{2,}(?:=.*)?|\.\.\.")


class Fault(Exception):
    """What is wrong with a command; the message is a sentence."""


def commands(block: Block) -> Iterator[str]:
    """Yield the commands of a block, continued lines joined; of a console block after `$ `."""
    text = block.text.replace("\\\n", " ")
    heredoc = ""
    for line in text.splitlines():
        if heredoc:
            heredoc = "" if line.strip() == heredoc else heredoc
            continue
        if block.language == "console":
            if not line.startswith("$ "):
                continue
            line = line[2:]
        begun = re.search(r"<<-?\s*'?(\w+)'?", line)
        heredoc = begun[1] if begun else ""
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def simple_commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each simple command of a line: those of lists, pipes and `$(...)` too."""
    line = re.sub(r"\$\(which ([^()]*)\)", r"\1", line)
    inner = re.findall(r"\$\(([^()]*)\)", line)
    for each in inner:
        yield from simple_commands(each)
    lexer = shlex.shlex(re.sub(r"\$\([^()]*\)", "FOUND", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for word in lexer:
        if set(word) <= set("<>&") and set(word) & set("<>"):
            redirected = True
        elif set(word) <= set("();|&"):
            if words:
                yield words
            words = []
        elif redirected:
            redirected = False
        else:
            words.append(word)
    if words:
        yield words


class Checker:
    """Checks commands against the programs of this checkout.

    `parameters` are those of each node, as `reference.parameters()` returns them. `whole` is false
    for a command named in passing, which may leave arguments out.
    """

    def __init__(self, parameters: dict[str, list[Described]]) -> None:
        self.parameters = {
            name: {each.name for each in found} for name, found in parameters.items()
        }
        self.whole = True

    def check(self, line: str, whole: bool = True) -> None:
        """Raise Fault when a command cannot be right."""
        self.whole = whole
        try:
            parts = list(simple_commands(line))
        except ValueError as error:
            raise Fault(f"is not a line of shell: {error}") from error
        for words in parts:
            self._simple(words)

    def _simple(self, words: list[str]) -> None:
        before = {*_KEYWORDS, "exec", "sudo"}
        while words and (re.match(r"[A-Za-z_]\w*=", words[0]) or words[0] in before):
            words = words[1:]
        if not words or words[0] in ("for", "[", "[[", "case"):
            return
        name, rest = words[0], words[1:]
        if name in _CLICK:
            self._click(_CLICK[name], name, rest)
        elif name == "ros2":
            self._ros2(rest)
        elif name == "make":
            self._make(rest)
        elif re.fullmatch(r"python3?|\$PYTHON", name):
            self._python(rest)
        elif name == "pytest":
            self._paths(rest)
        elif name == "torchrun":
            self._simple(rest[rest.index("--") + 1 :] if "--" in rest else [])
        elif "/" in name and not name.startswith(("/", "~", "$")):
            if not (ROOT / name).is_file():
                raise Fault(f"there is no file {name}")
        elif name not in _SHELL and not shutil.which(name):
            raise Fault(f"there is no command {name}")
        elif name == "source" and not (ROOT / rest[0]).exists() and rest[0][0] not in "/~$":
            raise Fault(f"there is no {rest[0]} in this repository")

    def _click(self, module: str, name: str, words: list[str]) -> None:
        loaded = importlib.import_module(module)
        command = loaded.commands if hasattr(loaded, "commands") else _only_command(loaded)
        context: click.Context | None = None
        while True:
            context = click.Context(command, parent=context, info_name=name)
            try:
                values, words, _ = command.make_parser(context).parse_args(list(words))
            except click.UsageError as error:
                if self.whole or not isinstance(error, click.MissingParameter):
                    raise Fault(error.format_message()) from error
                return
            if not isinstance(command, click.Group):
                if words:
                    raise Fault(f"{context.command_path} takes no {words[0]!r}")
                self._given(command, context, values)
                return
            if not words:
                return
            name, words = words[0], words[1:]
            found = command.get_command(context, name)
            if found is None:
                raise Fault(f"{context.command_path} has no command {name!r}")
            command = found

    def _given(
        self, command: click.Command, context: click.Context, values: dict[str, Any]
    ) -> None:
        for parameter in command.params:
            value = values.get(parameter.name or "")
            if parameter.value_is_missing(value):
                if self.whole and isinstance(parameter, click.Argument) and parameter.required:
                    raise Fault(f"{context.command_path} wants {parameter.make_metavar(context)}")
            # A file may be one that the reader makes.
            elif not isinstance(parameter.type, click.Path | click.File):
                try:
                    parameter.type_cast_value(context, value)
                except click.BadParameter as error:
                    raise Fault(error.format_message()) from error

    def _ros2(self, words: list[str]) -> None:
        if not words or words[0] in _REAL_VERBS:
            return
        verbs = _ros2_verbs()
        if words[0] not in verbs:
            raise Fault(f"ros2 has no verb {words[0]!r}")
        module = importlib.import_module(f"ros2_on_pip.verbs.{words[0]}")
        parser = argparse.ArgumentParser(prog=f"ros2 {words[0]}")
        module.add_arguments(parser)
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                options = parser.parse_args(words[1:])
        except SystemExit as error:
            if error.code and (self.whole or "required" not in said.getvalue()):
                raise Fault(said.getvalue().strip().splitlines()[-1]) from error
            return
        judged: dict[str, Callable[[Any], None]] = {
            "launch": self._launch,
            "run": self._run,
            "param": self._param,
        }
        if words[0] in judged:
            judged[words[0]](options)
        elif words[0] in ("topic", "service", "action", "interface"):
            _interface(words[0], options)

    def _launch(self, options: argparse.Namespace) -> None:
        arguments = list(options.launch_arguments)
        name = options.launch_file_name
        if name and ":=" in name:
            arguments, name = [name, *arguments], None
        if options.package_name == "clara_brain":
            if name and name not in (path.name for path in (ROOT / "launch").iterdir()):
                raise Fault(f"clara_brain has no launch file {name}")
            _launch_arguments(arguments)

    def _run(self, options: argparse.Namespace) -> None:
        from ament_index_python.packages import get_package_prefix

        package, executable = options.package_name, options.executable_name
        try:
            prefix = Path(get_package_prefix(package))
        except LookupError as error:
            raise Fault(f"there is no package {package}") from error
        if not (prefix / "lib" / package / executable).exists():
            raise Fault(f"{package} has no executable {executable}")
        if (package, executable) in _RUN_BY_CLICK:
            self._click(_RUN_BY_CLICK[package, executable], executable, options.argv)
        for one, other, _, _, node in NODES:
            if (package, executable) == (one, other):
                given = re.findall(r"(?:^| )-p ([\w.]+):=", " ".join(options.argv))
                for name in given:
                    self._parameter(node, name)

    def _param(self, options: argparse.Namespace) -> None:
        node = getattr(options, "node_name", None)
        names = [getattr(options, "parameter_name", None)]
        names += getattr(options, "parameter_names", None) or []
        for name in filter(None, names):
            self._parameter(node, name)

    def _parameter(self, node: str, name: str) -> None:
        # Another namespace has the same nodes.
        known = self.parameters.get("/clara/" + node.rsplit("/", 1)[-1])
        if known is not None and name not in known and not _PLACEHOLDER.fullmatch(name):
            raise Fault(f"{node} has no parameter {name}")

    def _make(self, words: list[str]) -> None:
        targets = set(re.findall(r"^([a-z][a-z_-]*):", (ROOT / "Makefile").read_text(), re.M))
        variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z]+=", word))
        for word in words:
            if "=" not in word and not word.startswith("-"):
                if word not in targets:
                    raise Fault(f"the Makefile has no target {word}")
                given = shlex.split(variables.get("ARGS", ""))
                if word == "launch":
                    _launch_arguments(given)
                elif word == "train":
                    self._click(_CLICK["clara-train"], "clara-train", ["run", *given])
                elif word == "demo":
                    self._click("clara_demo.demo", "demo", ["--launch", *given])

    def _python(self, words: list[str]) -> None:
        if words[:1] == ["-m"]:
            if importlib.util.find_spec(words[1]) is None:
                raise Fault(f"there is no module {words[1]}")
            if words[1] == "pytest":
                self._paths(words[2:])
        elif words and not words[0].startswith("-"):
            path = ROOT / words[0]
            if not path.is_file():
                raise Fault(f"there is no file {words[0]}")
            text = path.read_text(encoding="utf-8")
            for word in words[1:]:
                option = word.partition("=")[0]
                if option.startswith("--") and f'"{option}"' not in text:
                    raise Fault(f"{words[0]} has no option {option}")

    @staticmethod
    def _paths(words: list[str]) -> None:
        for word in words:
            if not word.startswith("-") and "/" in word and not list(ROOT.glob(word.rstrip("/"))):
                raise Fault(f"there is no {word}")


def _only_command(module: Any) -> click.Command:
    return next(each for each in vars(module).values() if isinstance(each, click.Command))


@functools.cache
def _ros2_verbs() -> set[str]:
    # At the end of the path: a real launch, launch_ros or ros2 goes first.
    sys.path.append(str(ROOT / "tools" / "ros2_on_pip"))
    return set(importlib.import_module("ros2_on_pip.cli").VERBS)


@functools.cache
def _known_launch_arguments() -> set[str]:
    found = runpy.run_path(str(ROOT / "launch" / "clara.launch.py"))
    return {argument.name for argument in found["ARGUMENTS"]}


def _launch_arguments(words: list[str]) -> None:
    for word in words:
        name, sign, _ = word.partition(":=")
        if not sign:
            raise Fault(f"{word!r} is no launch argument, as name:=value")
        if name not in _known_launch_arguments():
            raise Fault(f"clara.launch.py has no argument {name}")


def _interface(verb: str, options: argparse.Namespace) -> None:
    """Hold types and values against the interfaces."""
    from ros2_on_pip.yaml_messages import fill, load, parse

    kind = {"topic": "msg", "service": "srv", "action": "action", "interface": ""}[verb]
    shown = getattr(options, "type", None)
    name = getattr(options, f"{'message' if verb == 'topic' else verb}_type", None)
    try:
        if verb == "interface":
            if isinstance(shown, str):
                load(shown, shown.split("/")[1])
            return
        if not name:
            return
        loaded = load(name, kind)
        values = getattr(options, "goal" if verb == "action" else "values", None)
        if values is not None:
            part = {"msg": "", "srv": "Request", "action": "Goal"}[kind]
            message = (getattr(loaded, part) if part else loaded)()
            fill(message, parse(values))
            _numbers_are_numbers(message)
    except (ValueError, IndexError) as error:
        raise Fault(f"{name or shown}: {error}") from error


def _numbers_are_numbers(message: Any) -> None:
    # A message's own fields accept anything unless it was told at its import to look.
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        if hasattr(value, "get_fields_and_field_types"):
            _numbers_are_numbers(value)
        elif re.fullmatch(r"u?int\d+|boolean", kind) and not isinstance(value, int):
            raise ValueError(f"{name} is {kind}, not {value!r}")
