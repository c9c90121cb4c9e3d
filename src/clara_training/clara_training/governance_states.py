# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""What governance heads learn from: spans of the corpus and the states a model has on them.

Documents are read in windows that fit the context, without their headings (the name of a book
would tell its class); a window is cut into spans. Every span is read twice: by itself, and within
its window, as the brain reads it. Of some tokens the state, the entropy and the loss are kept as
well. The states are computed once and lie memory-mapped in a folder of their own, so that heads
can be fitted again with other labels or settings in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clara_training.atomic import atomic_folder, atomic_json
from clara_training.corpus import TOKENIZER
from clara_training.errors import GovernanceError
from clara_training.export_gguf import check_space
from clara_training.manifest import is_done, write_manifest
from clara_training.scratch import Model
from clara_training.shards import HELD_OUT, TRAIN, TokenStream, read_sources
from clara_training.tokenizer import load_tokenizer

STAGE = "governance-states"
_BOUNDARY = 0  # <|endoftext|>
_HEADING_TOKENS = 24  # in which a heading ends
_LEAST = 0.5  # of a span: what is left of a document is a span of its own from here on
_AT_ONCE = 4096  # tokens
Progress = Callable[[int, int], None]
Window = tuple[int, int, int]  # document, first token, length


@dataclass(frozen=True)
class StatesSettings:
    """Which text is read. Caps bound time and disk; documents are drawn evenly."""

    span: int = 64  # tokens
    train_spans: int = 32_768
    held_out_spans: int = 4096
    trace_tokens: int = 65_536  # of held-out text
    learned_tokens: int = 65_536  # of learned text, for trace too
    seed: int = 0


@dataclass
class States:
    """Spans and their states; arrays are memory-mapped.

    `spans` (N, 5) int64 has for each span its split (0 train, 1 held out), document, first token,
    length, and window. `alone` and `within` (N, width) are mean states of the span read by itself
    and in its window. Of tokens of both splits: `token_states` (M, width), `token_spans` (M,),
    `entropy` and `nats` (M,) of the next token.
    """

    folder: Path
    corpus: Path
    sources: list[tuple[str, str]]  # book and source of each document, train before held-out
    headings: list[str]  # of each document, "" without one
    spans: NDArray[np.int64]
    alone: NDArray[np.float32]
    within: NDArray[np.float32]
    token_states: NDArray[np.float32]
    token_spans: NDArray[np.int64]
    entropy: NDArray[np.float32]
    nats: NDArray[np.float32]

    def tokens(self, chosen: Sequence[int] | NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Return the token ids of spans."""
        streams = [TokenStream(self.corpus, split) for split in (TRAIN, HELD_OUT)]
        return [
            streams[int(split)].slice(int(start), int(start + length))
            for split, _, start, length, _ in self.spans[chosen]
        ]

    def texts(self, chosen: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """Return the text of spans."""
        tokenizer = load_tokenizer(self.corpus / TOKENIZER)
        texts: list[str] = tokenizer.decode_batch([each.tolist() for each in self.tokens(chosen)])
        return texts

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return int(load_tokenizer(self.corpus / TOKENIZER).get_vocab_size())


def group_of(states: States) -> NDArray[np.int64]:
    """Return for each span what is alike: its chapter in all translations, else its document."""
    names = [
        states.headings[document] or f"\0{document}" for document in range(len(states.sources))
    ]
    _, group = np.unique(names, return_inverse=True)
    return np.asarray(group[states.spans[:, 1]], np.int64)


def read_states(
    model: Model,
    model_sha256: str,
    corpus: Path,
    corpus_sha256: str,
    folder: Path,
    settings: StatesSettings,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> States:
    """Return the states of a model, from `folder` where they are there already.

    Raises GovernanceError, CorpusError, StorageError.
    """
    inputs = {"model": model_sha256, "corpus": corpus_sha256}
    sources = [each for split in (TRAIN, HELD_OUT) for each in read_sources(corpus, split)]
    if not is_done(folder, STAGE, inputs, asdict(settings)):
        with atomic_folder(folder) as part:
            _compute(model, corpus, part, settings, device, progress)
            write_manifest(part, STAGE, inputs, asdict(settings), {})
    try:
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r")
            for name in (
                *("spans", "alone", "within"),
                *("token_states", "token_spans", "entropy", "nats"),
            )
        }
    except (OSError, ValueError) as error:
        raise GovernanceError(f"{folder} is damaged ({error}): remove it and run again") from error
    return States(folder, corpus, sources, headings_of(sources), **arrays)


def _compute(
    model: Model,
    corpus: Path,
    part: Path,
    settings: StatesSettings,
    device: str,
    progress: Progress,
) -> None:
    context = model.config.context
    # Two spans to a window at least, for the next one is what a span has to find.
    size = min(settings.span, (context - 1) // 2)
    most = (context - 1) // size * size
    train = _windows(corpus, TRAIN, size, most, settings.train_spans, settings.seed)
    held = _windows(corpus, HELD_OUT, size, most, settings.held_out_spans, settings.seed)
    if not held:
        raise GovernanceError(
            f"the held-out text of {corpus} has no document of {round(_LEAST * size)} tokens:"
            " heads could not be measured on it"
        )
    rows = [
        (split, document, start + at, min(size, length - at), window)
        for window, (split, (document, start, length)) in enumerate(
            [*((0, each) for each in train), *((1, each) for each in held)]
        )
        for at in range(0, length, size)
    ]
    spans = np.asarray(rows, dtype=np.int64)
    np.save(part / "spans.npy", spans)
    width = model.config.width
    most = (settings.learned_tokens, settings.trace_tokens)
    traced = np.concatenate([traced_tokens(spans, split, most[split]) for split in (0, 1)])
    tokens = len(traced)
    # A mapped file that the disk has no room for ends the process without a word.
    check_space(part / "alone.npy", 4 * width * (2 * len(spans) + tokens))
    alone, within = (
        np.lib.format.open_memmap(part / f"{name}.npy", "w+", np.float32, (len(spans), width))
        for name in ("alone", "within")
    )
    token_states = np.lib.format.open_memmap(
        part / "token_states.npy", "w+", np.float32, (tokens, width)
    )
    token_spans = np.zeros(tokens, np.int64)
    entropy, nats = np.zeros(tokens, np.float32), np.zeros(tokens, np.float32)
    streams = [TokenStream(corpus, split) for split in (TRAIN, HELD_OUT)]
    begins = np.diff(spans[:, 4], prepend=-1) > 0
    everything = np.ones(len(spans), dtype=bool)
    total, done, seen = len(spans) + int((~begins).sum()), 0, 0
    model.eval()
    with torch.inference_mode():
        for group in _groups(spans, everything, by_window=True, context=context):
            ends = seen + sum(int(row[3]) for members in group for row in members)
            some = bool(np.diff(np.searchsorted(traced, (seen, ends)))[0])
            states, logits = _read(model, streams, group, device, with_logits=some)
            for place, members in enumerate(group):
                at = 1  # after the boundary
                for row in members:
                    number, length = int(row[5]), int(row[3])
                    within[number] = states[place, at : at + length].mean(0).cpu().numpy()
                    inside = np.arange(*np.searchsorted(traced, (seen, seen + length)))
                    if len(inside):
                        offsets = traced[inside] - seen
                        wanted = torch.from_numpy(at + offsets).to(states.device)
                        log_p = logits[place, wanted].float().log_softmax(-1)
                        token_states[inside] = states[place, wanted].cpu().numpy()
                        token_spans[inside] = number
                        entropy[inside] = -(log_p.exp() * log_p).sum(-1).cpu().numpy()
                        follows = _next_tokens(streams[int(row[0])], row)[offsets]
                        known = torch.from_numpy(follows).to(log_p.device)
                        nats[inside] = -log_p.gather(-1, known[:, None])[:, 0].cpu().numpy()
                    seen += length
                    at += length
                done += len(members)
            progress(done, total)
        # What begins a window has been read by itself already.
        alone[begins] = within[begins]
        for group in _groups(spans, ~begins, by_window=False, context=size + 1):
            states, _ = _read(model, streams, group, device, with_logits=False)
            for place, members in enumerate(group):
                number, length = int(members[0][5]), int(members[0][3])
                alone[number] = states[place, 1 : 1 + length].mean(0).cpu().numpy()
            done += len(group)
            progress(done, total)
    for name, array in (("token_spans", token_spans), ("entropy", entropy), ("nats", nats)):
        np.save(part / f"{name}.npy", array)
    for mapped in (alone, within, token_states):
        mapped.flush()
    atomic_json(part / "states.json", {"span": size, "context": context, "width": width})


def traced_tokens(spans: NDArray[np.int64], split: int, most: int) -> NDArray[np.int64]:
    """Return the numbers, over the tokens of all spans, of `most` tokens of a split or of all.

    They are spread evenly over windows that are, so that all books have their part. These are no
    more windows than have some eight times as many tokens, for logits are dear.
    """
    own = spans[:, 0] == split
    windows = np.unique(spans[own, 4])
    every = max(1, int(spans[own, 3].sum()) // max(1, 4 * most))
    chosen = own & np.isin(spans[:, 4], windows[::every])
    inside = np.flatnonzero(np.repeat(chosen, spans[:, 3]))
    return inside[np.linspace(0, len(inside) - 1, min(len(inside), most)).astype(np.int64)]


def _windows(corpus: Path, split: str, size: int, most: int, cap: int, seed: int) -> list[Window]:
    """Return windows with up to `cap` spans in all.

    Documents give one window each, from anywhere in them, before any gives a second one. Documents
    are numbered over both splits.
    """
    starts = np.load(corpus / f"{split}.documents.npy").astype(np.int64)
    stream = TokenStream(corpus, split)
    ends = np.append(starts[1:], len(stream))
    sources = read_sources(corpus, split)
    before = 0 if split == TRAIN else len(read_sources(corpus, TRAIN))
    skipped = _heading_lengths(corpus, split, sources)
    draw = np.random.Generator(np.random.PCG64([seed, before > 0]))
    found: list[list[Window]] = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        begin = int(start) + 1 + skipped[number]
        cut = []
        for at in range(begin, int(end), most):
            length = min(most, int(end) - at)
            rest = length % size
            length -= rest if rest < _LEAST * size else 0
            if length:
                cut.append((before + number, at, length))
        found.append([cut[place] for place in draw.permutation(len(cut))])
    chosen: list[Window] = []
    spans = 0
    for window in by_turns(found[number] for number in draw.permutation(len(found))):
        if spans >= cap:
            break
        chosen.append(window)
        spans += -(-window[2] // size)
    return sorted(chosen, key=lambda window: window[1])


def by_turns(documents: Iterable[Iterable[Window]]) -> Iterator[Window]:
    """Yield the first window of each document, then the second of each that has one, and so on."""
    left = [iter(each) for each in documents]
    while left:
        still = []
        for each in left:
            for window in islice(each, 1):
                yield window
                still.append(each)
        left = still


def _heading_lengths(corpus: Path, split: str, sources: Sequence[tuple[str, str]]) -> list[int]:
    """Return how many tokens the heading of each document has, as `Ruth 1` and an empty line."""
    tokenizer = load_tokenizer(corpus / TOKENIZER)
    stream = TokenStream(corpus, split)
    starts = np.load(corpus / f"{split}.documents.npy").astype(np.int64)
    lengths = []
    for start, heading in zip(starts, headings_of(sources), strict=True):
        begin = int(start) + 1
        ids = stream.slice(begin, min(begin + _HEADING_TOKENS, len(stream))).tolist()
        ends = (
            count
            for count in range(1, len(ids) + 1)
            if heading and tokenizer.decode(ids[:count]).endswith("\n\n")
        )
        lengths.append(next(ends, 0))
    return lengths


def headings_of(sources: Sequence[tuple[str, str]]) -> list[str]:
    """Return what a document is in every translation, `ruth 1`; "" where it is one of its kind."""
    titles = [where.partition(" ")[2] for _, where in sources]
    return [
        title.casefold() if title.startswith(book) else ""
        for title, (book, _) in zip(titles, sources, strict=True)
    ]


def _groups(
    spans: NDArray[np.int64], chosen: NDArray[np.bool_], *, by_window: bool, context: int
) -> Iterator[list[list[NDArray[np.int64]]]]:
    """Yield what is read at once: rows, each of the spans of a window, or of one span."""
    numbered = np.column_stack((spans, np.arange(len(spans))))[chosen]
    if not len(numbered):
        return
    key = numbered[:, 4] if by_window else numbered[:, 5]
    edges = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
    rows = [list(part) for part in np.split(numbered, edges[1:])]
    at_once = max(1, _AT_ONCE // context)
    waiting: list[list[NDArray[np.int64]]] = []
    for row in rows:
        if waiting and (len(waiting) == at_once or row[0][0] != waiting[0][0][0]):
            yield waiting
            waiting = []
        waiting.append(row)
    if waiting:
        yield waiting


def _read(
    model: Model,
    streams: Sequence[TokenStream],
    group: Sequence[Sequence[NDArray[np.int64]]],
    device: str,
    *,
    with_logits: bool,
) -> tuple[Tensor, Any]:
    """Return states (B, T, width) and logits of rows that begin with the boundary.

    Rows are filled up at their ends, which attention does not see from before.
    """
    lengths = [sum(int(row[3]) for row in members) for members in group]
    tokens = torch.zeros(len(group), 1 + max(lengths), dtype=torch.long)
    tokens[:, 0] = _BOUNDARY
    for place, members in enumerate(group):
        split, start = int(members[0][0]), int(members[0][2])
        ids = streams[split].slice(start, start + lengths[place])
        tokens[place, 1 : 1 + lengths[place]] = torch.from_numpy(ids)
    states = model.states(tokens.to(device)).float()
    return states, model.logits(states) if with_logits else None


def _next_tokens(stream: TokenStream, row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the token after each token of a span; after the last of all, the boundary."""
    start, length = int(row[2]), int(row[3])
    follows = stream.slice(start + 1, min(start + length + 1, len(stream)))
    return np.append(follows, [_BOUNDARY] * (length - len(follows))).astype(np.int64)
