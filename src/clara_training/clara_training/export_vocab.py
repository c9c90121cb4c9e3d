# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Write a tokenizer, its special tokens and the chat template into a GGUF.

Two kinds: byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM) and BPE with byte fallback, as
SentencePiece makes it (Llama 2, TinyLlama, Phi-3). llama.cpp splits a text before BPE by rules
that it knows by name; the name is found from the rules in tokenizer.json, so a tokenizer trained
here is declared as what it is, GPT-2's. `export_check` compares the tokens afterwards.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clara_training import packages
from clara_training.chat_encoding import chat_template
from clara_training.errors import ExportError, first_line

if TYPE_CHECKING:
    from gguf import GGUFWriter

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLITS = {
    _CONTRACTIONS + r"\p{N}{1,3}" + _REST: "llama-bpe",
    _CONTRACTIONS + r"\p{N}" + _REST: "qwen2",
}
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_NEVER = -1e6  # the score of a text that no merge makes


def write_vocab(writer: GGUFWriter, folder: Path, vocab_size: int) -> None:
    """Write the tokenizer of a transformers folder. Raises ExportError.

    Ids up to `vocab_size` (the rows of the embedding) that no token has are padded.
    """
    gguf = packages.load("gguf", "export")
    path, document = folder / "tokenizer.json", _document(folder)
    model = document["model"]
    if model.get("type") != "BPE":
        raise ExportError(f"{path} holds a tokenizer of the type {model.get('type')!r}, not BPE")
    bytes_fall_back = bool(model.get("byte_fallback"))
    texts, kinds = _tokens(document, vocab_size, path)
    writer.add_tokenizer_model("llama" if bytes_fall_back else "gpt2")
    writer.add_tokenizer_pre("default" if bytes_fall_back else _pre(document, path))
    writer.add_token_list(texts)
    writer.add_token_types(kinds)
    if bytes_fall_back:
        writer.add_token_scores(_scores(model, texts, kinds))
        writer.add_add_space_prefix(_space_comes_first(document))
    special = gguf.SpecialVocab(folder, load_merges=not bytes_fall_back, n_vocab=vocab_size)
    # Some tokenizers add an EOS, for texts to learn from: behind a prompt it would be the end.
    special.add_special_token.pop("eos", None)
    # A folder may hold several templates, of which gguf prefers another than transformers does.
    special.chat_template = _chat_template(folder)
    special.add_to_gguf(writer, quiet=True)
    if "bos" not in special.add_special_token:
        writer.add_add_bos_token(False)


def known_name(folder: Path, arch: str, name: str) -> str:
    """Return the name of a model as llama.cpp has to read it: of Phi-3 that says so, of none else.

    By the name alone it takes the white space after a control token for a part of it, as
    tokenizers of Phi-3 do (`rstrip`). Raises ExportError.
    """
    added = _document(folder).get("added_tokens", ())
    strips = any(token.get("rstrip") and token["special"] for token in added)
    if arch != "phi3" or not strips:
        return re.sub("phi-?3", "phi 3", name, flags=re.IGNORECASE)
    if re.search("phi-?3", name.lower()):
        return name
    return f"{name} (Phi-3)" if name else "Phi-3"


def _document(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ExportError(
            f"the tokenizer {path} cannot be read ({error}); save the model's tokenizer into"
            " that folder with save_pretrained"
        ) from error


def _chat_template(folder: Path) -> str | None:
    transformers = packages.load("transformers", "export")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        return chat_template(tokenizer)
    except Exception as error:  # transformers raises what it likes for damaged files
        raise ExportError(
            f"the tokenizer of {folder} cannot be loaded: {first_line(error)}"
        ) from error


def _tokens(document: dict[str, Any], vocab_size: int, path: Path) -> tuple[list[str], list[int]]:
    gguf = packages.load("gguf", "export")
    texts = {number: text for text, number in document["model"]["vocab"].items()}
    kinds = {
        number: gguf.TokenType.BYTE if _BYTE.fullmatch(text) else gguf.TokenType.NORMAL
        for number, text in texts.items()
    }
    for added in document.get("added_tokens", ()):
        text = added["content"]
        special = added["special"] or (text.startswith("<|") and text.endswith("|>"))
        texts[added["id"]] = text
        kinds[added["id"]] = gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED
    unknown = document["model"].get("unk_token")
    for number, text in texts.items():
        if unknown and text == unknown and document["model"].get("byte_fallback"):
            kinds[number] = gguf.TokenType.UNKNOWN
    if texts and max(texts) >= vocab_size:
        raise ExportError(
            f"{path} has the token id {max(texts)}, but the model has {vocab_size} embeddings:"
            " tokenizer and model do not belong together"
        )
    numbers = range(vocab_size)
    return (
        [texts.get(number, f"[PAD{number}]") for number in numbers],
        [int(kinds.get(number, gguf.TokenType.UNUSED)) for number in numbers],
    )


def _pre(document: dict[str, Any], path: Path) -> str:
    """Name the rules by which a text is split, as llama.cpp names them."""
    rules = document.get("pre_tokenizer") or {}
    steps = rules.get("pretokenizers", [rules])
    shape = [_step(step) for step in steps]
    if document.get("normalizer"):
        kind = document["normalizer"].get("type")
        if kind not in ("NFC", None):
            raise ExportError(f"{path} normalises text by {kind!r}, which llama.cpp does not do")
    if shape == ["bytes"]:
        return "gpt-2"
    if shape == ["digits", "bytes"]:
        return "smollm"
    if len(shape) == 2 and shape[0] in _SPLITS.values() and shape[1] == "raw bytes":
        return shape[0]
    raise ExportError(
        f"{path} splits text by rules that are not known here ({', '.join(shape) or 'none'});"
        " known are those of GPT-2, SmolLM, Llama 3 and Qwen 2"
    )


def _step(step: dict[str, Any]) -> str:
    kind = str(step.get("type"))
    if kind == "ByteLevel":
        return "bytes" if step.get("use_regex", True) else "raw bytes"
    if kind == "Digits" and step.get("individual_digits"):
        return "digits"
    if kind == "Split":
        return _SPLITS.get(step["pattern"].get("Regex", ""), "an unknown Split")
    return kind


def _space_comes_first(document: dict[str, Any]) -> bool:
    """Tell whether a text is read as if a space stood before it."""
    rules = document.get("normalizer") or {}
    if any(step.get("type") == "Prepend" for step in rules.get("normalizers", [rules])):
        return True
    scheme = (document.get("pre_tokenizer") or {}).get("prepend_scheme", "never")
    return bool(scheme != "never")


def _scores(model: dict[str, Any], texts: list[str], kinds: list[int]) -> list[float]:
    """Score tokens so that llama.cpp merges them in the order of the merges.

    Its SentencePiece mode joins the best-scored pair first, and the file keeps no scores.
    """
    gguf = packages.load("gguf", "export")
    merges = model["merges"]
    joined = ("".join(pair.split(" ") if isinstance(pair, str) else pair) for pair in merges)
    ranks: dict[str, int] = {}
    for rank, text in enumerate(joined):
        ranks.setdefault(text, rank)
    normal = int(gguf.TokenType.NORMAL)
    return [
        (-float(ranks[text]) if text in ranks else _NEVER) if kind == normal else 0.0
        for text, kind in zip(texts, kinds, strict=True)
    ]
