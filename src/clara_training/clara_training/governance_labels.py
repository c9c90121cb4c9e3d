# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The discourse class of each document: what the policy head learns to tell.

From a JSON file of the user's, `{"law": ["Leviticus", "Exodus 20"], ...}` or `{"Leviticus":
"law", ...}`; else from the sub-folders of the corpus, `law/statute.txt`; else, for the Bible, from
`discourse_classes.json`, by what a passage is and not by where it stands (Genesis tells a story).
A document's own entry comes before its book's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from clara_training.errors import GovernanceError
from clara_training.shards import HELD_OUT, TRAIN, read_sources

BIBLE = Path(__file__).parent / "discourse_classes.json"
Source = tuple[str, str]  # of a document: its book, and where it was read


def read_labels(path: Path) -> dict[str, str]:
    """Return the class of each book or document, names in lower case. Raises GovernanceError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GovernanceError(f"labels {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise GovernanceError(f"labels {path} are not JSON ({error})") from error
    if not isinstance(content, dict) or not content:
        raise GovernanceError(
            f'labels {path} are not an object like {{"Leviticus": "law"}} or'
            ' {"law": ["Leviticus"]}'
        )
    found: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, str) and value.strip():
            pairs = [(key, value)]
        elif isinstance(value, list) and all(isinstance(each, str) for each in value):
            pairs = [(each, key) for each in value]
        else:
            raise GovernanceError(
                f"labels {path}: {key!r} has {json.dumps(value)[:60]}; it must be the name of a"
                " class, or a list of books"
            )
        for name, label in pairs:
            if found.setdefault(name.casefold(), label) != label:
                raise GovernanceError(
                    f"labels {path}: {name!r} is of the class {found[name.casefold()]!r} and of"
                    f" {label!r}; it can have one"
                )
    return found


def label_documents(
    sources: Sequence[Source], labels: Path | None = None
) -> tuple[list[str | None], str]:
    """Return the class of each document, None where it has none, and where the classes are from.

    Raises GovernanceError when the user's file names nothing that is in the corpus.
    """
    if labels is not None:
        table = read_labels(labels)
        known = {name for source in sources for name in names_of(source)}
        if unknown := [name for name in table if name not in known]:
            books = sorted({book for book, _ in sources})
            raise GovernanceError(
                f"labels {labels}: {unknown[0]!r} is no book or document of the corpus"
                f" ({len(unknown)} are not); there are {', '.join(books[:8])}"
                f"{f' and {len(books) - 8} more' * (len(books) > 8)}"
            )
        return _look_up(sources, table), labels.name
    folders = [source.partition("/")[0] if "/" in source else None for _, source in sources]
    if len({folder for folder in folders if folder}) > 1:
        return folders, "the sub-folders"
    return _look_up(sources, read_labels(BIBLE)), BIBLE.name


def check_labels(corpus: Path, labels: Path) -> None:
    """Raise GovernanceError where the user's labels are not for a corpus; also CorpusError."""
    label_documents([*read_sources(corpus, TRAIN), *read_sources(corpus, HELD_OUT)], labels)


def names_of(source: Source) -> tuple[str, ...]:
    """Return the names that a document may have in a file of labels, the most exact first."""
    book, where = source
    # `engKJV2006eb Ruth 1` is the document Ruth 1, in every translation.
    title = where.partition(" ")[2]
    names = [where, *([title] if title.startswith(book) else []), book]
    return tuple(name.casefold() for name in names)


def _look_up(sources: Sequence[Source], table: Mapping[str, str]) -> list[str | None]:
    return [
        next((table[name] for name in names_of(source) if name in table), None)
        for source in sources
    ]
