# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The command `clara-train`: a stage after the other, or all of them.

Each stage's command is `command` in `cli_<stage>.py`, imported only when it is called, so that
`clara-train --help` is quick and a stage whose packages are not installed hinders no other. What
goes wrong is one sentence on stderr and exit code 1.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import click

from clara_training import __version__
from clara_training.errors import TrainingError, first_line, out_of_memory

INTERRUPTED = 130  # what a shell expects of a program that Ctrl-C ended

# The stages in the order in which they are done, and what each is for.
STAGES = {
    "spec": "Check a personality file and show what it asks for.",
    "doctor": "Check the whole set-up and say what to do about each fault.",
    "data": "Make, check and mend the training data.",
    "lora": "Train one LoRA adapter for each trait and domain.",
    "merge": "Merge the adapters into the base model, by the spec's weights.",
    "export": "Write the merged model and the adapters as GGUF.",
    "validate": "Measure what was made, and write the report.",
    "run": "Do everything, from the spec to the robot's model.",
    "corpus": "Make clean token shards of a folder of text, for a model from scratch.",
    "mvlm": "Train MVLM, a GPT-2, from scratch.",
    "simone": "Train SIM-ONE from scratch.",
    "governance": "Make the heads that read SIM-ONE's states, and measure them.",
    "sample": "Let a model that was trained from scratch write.",
    "pretrain-all": "Train MVLM and SIM-ONE, judge both and pack them.",
    "bundle": "Pack models from scratch for download, or check a pack.",
}
# Commands that share a module: their names in it are their own.
_MODULES = {"mvlm": "pretrain", "simone": "pretrain", "sample": "pretrain"}


class Stages(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the stages that are there."""
        return [name for name in STAGES if importlib.util.find_spec(_module(name))]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a stage's command."""
        if name not in self.list_commands(context):
            return None
        module = importlib.import_module(_module(name))
        found = getattr(module, name if name in _MODULES else "command")
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the stages without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, STAGES[name]) for name in self.list_commands(context)])


def _module(stage: str) -> str:
    return f"clara_training.cli_{_MODULES.get(stage, stage.replace('-', '_'))}"


@click.group(cls=Stages, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="clara-train")
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    help="File of NAME=VALUE lines with keys; default: .env here, where there is one.",
)
def commands(env_file: Path | None) -> None:
    """From a personality on paper to a GGUF on the robot."""
    from clara_training.environment import load_env_file

    load_env_file(env_file)


def main() -> None:
    """Run the command; what goes wrong is one sentence on stderr and exit code 1."""
    try:
        commands.main(prog_name="clara-train", standalone_mode=False)
    except TrainingError as error:
        click.echo(f"clara-train: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("clara-train: stopped; the same command goes on from here", err=True)
        sys.exit(INTERRUPTED)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        click.echo(
            f"clara-train: out of memory ({first_line(error)}): end what else fills it, or take"
            " --device cpu where it is a GPU's, and run it again",
            err=True,
        )
        sys.exit(1)
