# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Run a configuration through mergekit (Goddard et al., arXiv:2403.13257)."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from clara_training import packages
from clara_training.atomic import disk_error
from clara_training.errors import MergeError


def run_mergekit(config: dict[str, Any], output: Path, seed: int) -> None:
    """Write the merged weights and config.json into the folder `output`.

    mergekit writes every adapter out as a whole model first; those go to a folder in `output`,
    with which a killed merge is cleared away, and are removed at the end. Raises MergeError,
    OSError, MissingPackage.
    """
    configuration = packages.load("mergekit.config", "merging with mergekit")
    merge = packages.load("mergekit.merge", "merging with mergekit")
    options = packages.load("mergekit.options", "merging with mergekit")
    tasks = packages.load("mergekit.io.tasks", "merging with mergekit")
    safetensors = packages.load("safetensors", "merging")
    torch = packages.load("torch", "merging")
    # It keeps what it has read under the path, for ever; the files may be others by now.
    tasks.LoaderCache().loaders.clear()
    quiet = logging.getLogger("mergekit")
    level, quiet.level = quiet.level, logging.ERROR
    try:
        with tempfile.TemporaryDirectory(dir=output, prefix=".models.") as models:
            torch.manual_seed(seed)
            merge.run_merge(
                configuration.MergeConfiguration.model_validate(config),
                str(output),
                options.MergeOptions(
                    lora_merge_cache=models,
                    lora_merge_dtype="float32",
                    copy_tokenizer=False,
                    write_model_card=False,
                    random_seed=seed,
                    quiet=True,
                ),
            )
    except OSError:
        raise
    except safetensors.SafetensorError as error:
        raise disk_error(error) from error
    except Exception as error:  # mergekit raises what it likes
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise MergeError(
            f"mergekit cannot merge by {config['merge_method']}: {said[0]}"
        ) from error
    finally:
        quiet.level = level
        tasks.LoaderCache().loaders.clear()
