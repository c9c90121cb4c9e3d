# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a corpus comes from: a folder of text files, or Bible modules in SWORD's format zText.

A document is what belongs together (a text file, a chapter); a book is what is held out as a whole
(a text file; a book of the Bible in all its translations). Cleaning keeps what people wrote and
counts what it takes away.
"""

from __future__ import annotations

import codecs
import re
import struct
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

from clara_training.corpus_gutenberg import without_banners
from clara_training.errors import CorpusError
from clara_training.folders import files_below

TEXT_FILES = (".txt", ".text", ".md")
SWORD = Path("/usr/share/sword")  # where Debian's sword-text-* packages put their modules
AROUND_BOOKS = "characters around books of Project Gutenberg"  # in the report
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")  # what no text may contain

_DROPPED = re.compile(
    r"<note\b.*?</note>|<title\b(?![^>]*canonical=\"true\")[^>]*(?<!/)>.*?</title>", re.S
)
_LINE = re.compile(r"<(?:l|lb|div)\b(?=[^>]*(?:\bsID=|/>))(?![^>]*\beID=)[^>]*>")
_USFM = re.compile(r"\\\+?[a-z]+\d*\*? ?")  # marks that the conversion to OSIS overlooked
_TAG = re.compile(r"<[^>]*>")
_CHAPTER = re.compile(r"<chapter\b(?=[^>]*\bsID=)[^>]*\bosisID=\"([^\".]+)\.(\d+)\"")
_HEADING = re.compile(r"<milestone n=\"([^\"]+)\" type=\"x-usfm-h\"/>")
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Document:
    """A text, the book that it is of, and where it was read."""

    book: str
    text: str
    source: str


@dataclass
class Cleaning:
    """What cleaning took away or met, for the report."""

    removed: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    not_text: list[str] = field(default_factory=list)
    other_kinds: Counter[str] = field(default_factory=Counter)  # files that were not read

    def clean(self, text: str) -> str:
        """Return a text in NFC, without control and zero-width characters and superfluous space.

        Lines end with one newline, and at most one line is empty.
        """
        text = unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", text))
        for character in {c for c in text if c not in "\n\t" and _invisible(c)}:
            self.removed[name_of(character)] += text.count(character)
            text = text.replace(character, "")
        while found := [special for special in SPECIAL if special in text]:
            for special in found:  # what is left around one may be another
                self.removed["special tokens"] += text.count(special)
                text = text.replace(special, "")
        text, banners, characters = without_banners(text)
        if banners:
            self.removed["banners of Project Gutenberg"] += banners
            self.removed[AROUND_BOOKS] += characters
        for character, count in Counter(text).items():
            if character in "\ufffd\ufffc" or unicodedata.category(character) in ("Co", "Cn"):
                self.odd[name_of(character)] += count
        text = re.sub(r"[ \t]+(?=\n|\Z)", "", text)
        return re.sub(r"\n{3,}", "\n\n", text).strip()


def name_of(character: str) -> str:
    """Name a character for people: U+FEFF ZERO WIDTH NO-BREAK SPACE."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()


def read_folder(folder: Path, cleaning: Cleaning) -> Iterator[Document]:
    """Read each text file below a folder, in the order of names; a file is a book of its name.

    Links are followed. What is no file, binary, or in no Unicode is left out and noted; files of
    other kinds are counted. Raises CorpusError when nothing is left.
    """
    files = []
    for name, path in files_below(folder):
        if path.suffix.lower() in TEXT_FILES:
            files.append((name, path))
        elif path.is_file() and not any(part.startswith(".") for part in name.split("/")):
            cleaning.other_kinds[path.suffix.lower() or "without an ending"] += 1
    if not files:
        others = f" (there are {named(cleaning.other_kinds)})" if cleaning.other_kinds else ""
        raise CorpusError(
            f"{folder} has no text in it: files that end with {', '.join(TEXT_FILES)} are read"
            f"{others}"
        )
    found = False
    for name, path in files:
        try:
            text = cleaning.clean(_decoded(path))
        except ValueError as error:
            cleaning.not_text.append(f"{name}: {error}")
            continue
        if text:
            found = True
            yield Document(path.stem, text, name)
    if not found:
        why = f" ({cleaning.not_text[0]})" if cleaning.not_text else " (all files are empty)"
        raise CorpusError(
            f"none of the {len(files)} text files below {folder} holds text{why}: a corpus is"
            " made of UTF-8 text"
        )


def named(kinds: Counter[str]) -> str:
    """Say how many files there are of each kind, as `214 .html, 3 .gz`; of eight kinds at most."""
    most = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(8))
    return most + (f" and {len(kinds) - 8} other kinds" if len(kinds) > 8 else "")


def _decoded(path: Path) -> str:
    """Return a file's text. Raises CorpusError; ValueError with what it is, where it is none."""
    if not path.is_file():
        raise ValueError("a link to nothing" if path.is_symlink() else "no file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from error
    encoding = "UTF-16" if content.startswith(_UTF_16) else "UTF-8"
    if encoding == "UTF-8" and b"\0" in content:
        raise ValueError("binary")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"not {encoding} at byte {error.start}") from None
    if "\0" in text:
        raise ValueError("binary")
    return text


def sword_modules(root: Path = SWORD) -> list[Path]:
    """Return the folders of the zText modules that are installed, by name."""
    folders = root.glob("modules/texts/ztext/*")
    return sorted(path for path in folders if any(path.glob("[on]t.?zv")))


def read_sword(modules: list[Path], cleaning: Cleaning) -> Iterator[Document]:
    """Read zText modules; a document is a chapter, headed by its name, as `Ruth 1`.

    Books have the name that the first module gives them. Raises CorpusError.
    """
    names: dict[str, str] = {}
    for module in modules:
        heading, osis, chapter, parts = "", "", "", [""]
        for entry in _entries(module):
            found = _CHAPTER.search(entry)
            if found or 'type="book"' in entry:
                if text := cleaning.clean("".join(parts)):
                    title = f"{names[osis]} {chapter}"
                    yield Document(names[osis], f"{title}\n\n{text}", f"{module.name} {title}")
                parts = []
                if headings := _HEADING.findall(entry):
                    heading = unescape(headings[-1])
                if not found:
                    osis = ""
                    continue
                osis, chapter = found[1], found[2]
                names.setdefault(osis, heading or osis)
            if osis:
                parts.append(_plain(entry) + " ")
        if osis and (text := cleaning.clean("".join(parts))):
            title = f"{names[osis]} {chapter}"
            yield Document(names[osis], f"{title}\n\n{text}", f"{module.name} {title}")


def _entries(module: Path) -> Iterator[str]:
    """Yield the entries of a module, in OSIS: headings and verses, in order.

    zText, per testament: `.?zs` has (offset, packed size, size) of each zlib block of `.?zz`,
    `.?zv` has (block, start, length) of each entry, little-endian.
    """
    for testament in ("ot", "nt"):
        for verses in module.glob(f"{testament}.?zv"):
            kind = verses.suffix[1]
            try:
                packed = verses.with_suffix(f".{kind}zz").read_bytes()
                blocks = [
                    zlib.decompress(packed[offset : offset + size])
                    for offset, size, _ in struct.iter_unpack(
                        "<III", verses.with_suffix(f".{kind}zs").read_bytes()
                    )
                ]
                for block, start, length in struct.iter_unpack("<IIH", verses.read_bytes()):
                    if length:
                        yield blocks[block][start : start + length].decode("utf-8")
            except (OSError, struct.error, zlib.error, IndexError, ValueError) as error:
                raise CorpusError(
                    f"the SWORD module {module} is damaged ({error}): install it again"
                ) from error


def _plain(osis: str) -> str:
    """Return an entry's words; paragraphs and lines of verse begin on a new line."""
    text = _LINE.sub("\n", _DROPPED.sub("", osis))
    text = _USFM.sub("", unescape(_TAG.sub("", text))).replace("¶", "")
    text = re.sub(r"[ \t]+", " ", text)
    return re.sub(r" ?\n[ \n]*", "\n", text).rstrip(" ")


def _invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cc" or character in "\u00ad\u200b\u2060\ufeff"
