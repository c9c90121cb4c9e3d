# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train corpus`: make the token shards that a model is trained from."""

from __future__ import annotations

from pathlib import Path

import click

from clara_training.cli_types import FiniteRange


@click.command()
@click.option(
    "--data_dir",
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder of text, or of SWORD modules.  [default: the installed sword-text-* packages]",
)
@click.option(
    "--output_dir",
    "--output-dir",
    type=click.Path(path_type=Path),
    default=Path("corpus"),
    show_default=True,
    help="Becomes the corpus.",
)
@click.option(
    "--vocab_size",
    "--vocab-size",
    type=int,
    help="Entries of the tokenizer.  [default: 32000 at most]",
)
@click.option("--held-out", multiple=True, help="Book to measure on; may be given again.")
@click.option(
    "--quality_seeds",
    "--quality-seeds",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of words, one a line, that are to be single tokens.",
)
@click.option(
    "--near", type=FiniteRange(0.1, 1), help="Likeness of near-duplicates.  [default: 0.8]"
)
@click.option("--sample", is_flag=True, help="The three short books that ship with Clara.")
def command(
    data_dir: Path | None,
    output_dir: Path,
    vocab_size: int | None,
    held_out: tuple[str, ...],
    quality_seeds: Path | None,
    near: float | None,
    sample: bool,
) -> None:
    """Clean, deduplicate, split by books and tokenise a corpus; a report is in corpus.json."""
    from clara_training.corpus import SAMPLE, CorpusSettings, make_corpus
    from clara_training.errors import CorpusError

    given: dict[str, object] = {"held_out": held_out}
    if vocab_size is not None:
        given["vocab_size"] = vocab_size
    if near is not None:
        given["near"] = near
    if quality_seeds is not None:
        try:
            lines = quality_seeds.read_text(encoding="utf-8").splitlines()
        except ValueError as error:
            raise CorpusError(f"{quality_seeds} is not UTF-8 text ({error})") from error
        given["quality_seeds"] = tuple(line.strip() for line in lines if line.strip())
    settings = CorpusSettings(**given)  # type: ignore[arg-type]
    make_corpus(SAMPLE if sample else data_dir, output_dir, settings, tell=click.echo)
