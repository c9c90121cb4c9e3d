# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""`clara-train bundle`: pack what pretrain-all made, or check what was packed."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only read PATH, a bundle, and compare its checksums.")
def command(path: Path, check: bool) -> None:
    """Pack the models in the folder PATH, which pretrain-all made; or check a bundle."""
    from clara_training.bundle import check_bundle

    if check:
        found = check_bundle(path)
        click.echo(f"{path}: {len(found)} files, all as they were packed")
        return
    from clara_training.cli_pretrain_all import packing_bar
    from clara_training.pretrain_all import bundle_files, pack

    with packing_bar(bundle_files(path)) as advance:
        pack(path, tell=click.echo, advance=advance)
