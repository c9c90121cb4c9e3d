# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The Markdown documents of this repository: their links, headings and code blocks.

Read with markdown-it, a CommonMark parser, so that what looks like a link inside a code block is
none. The tests of the documents and the documentation site both stand on it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
_LEFT_OUT = {"build", "install", "log", "runs", "node_modules"}
_MARK = re.compile(r"<!--\s*(run|skip: [^>]+?)\s*-->")


@dataclass(frozen=True)
class Link:
    """A link or picture, with its target as written and the line of the paragraph it is in."""

    document: Path
    line: int
    target: str

    @property
    def outside(self) -> bool:
        """Tell whether it leads out of the repository."""
        return bool(re.match(r"[a-z][a-z0-9+.-]*:|//", self.target))


@dataclass(frozen=True)
class Block:
    """A fenced code block: its language, its text, and the mark in the comment before it.

    The mark `run` says that a test runs it, after those before it in the same document; `skip:
    REASON` says that nobody checks it.
    """

    document: Path
    line: int
    language: str
    text: str
    mark: str

    @property
    def place(self) -> str:
        """Where it stands, as docs/memory.md:12."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def documents() -> list[Path]:
    """Return every Markdown file of the repository, in order."""
    found = [
        path
        for path in ROOT.rglob("*.md")
        if not any(
            part in _LEFT_OUT or (part.startswith(".") and part != ".github")
            for part in path.relative_to(ROOT).parts
        )
    ]
    return sorted(found)


def _tokens(document: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(document.read_text(encoding="utf-8"))


def links(document: Path) -> Iterator[Link]:
    """Yield the links and pictures of a document."""
    for token in _tokens(document):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield Link(document, (token.map or [0])[0] + 1, str(target))


def anchors(document: Path) -> set[str]:
    """Return what `#...` may name in a document: GitHub's form of its headings."""
    found: set[str] = set()
    tokens = _tokens(document)
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(
                child.content
                for child in inline.children or ()
                if child.type in ("text", "code_inline")
            )
            slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
            number = 0
            while slug in found:
                number += 1
                slug = f"{slug.rsplit('-', 1)[0] if number > 1 else slug}-{number}"
            found.add(slug)
    return found


def blocks(document: Path) -> Iterator[Block]:
    """Yield the fenced code blocks of a document."""
    mark = ""
    for token in _tokens(document):
        if token.type == "html_block":
            written = _MARK.search(token.content)
            mark = written[1] if written else ""
        elif token.type == "fence":
            line = (token.map or [0])[0] + 1
            language = token.info.strip().split(" ")[0]
            yield Block(document, line, language, token.content, mark)
            mark = ""
        elif token.type.endswith("_open"):
            mark = ""
