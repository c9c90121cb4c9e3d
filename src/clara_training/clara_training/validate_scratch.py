# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The stage validate for models from scratch: what one has learned; whether its GGUFs are true.

`validation.json` in the folder of the run. Each measure is kept as soon as it is made, so that a
stopped validation goes on; one that is there for the same files and settings is not made again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from clara_training import evaluate, packages
from clara_training.allocator import release_memory
from clara_training.atomic import atomic_json
from clara_training.corpus import TOKENIZER
from clara_training.errors import ValidationError
from clara_training.fidelity import compare
from clara_training.gguf_scores import GgufScores
from clara_training.governance_file import GOVERNANCE_FILE, METADATA
from clara_training.held_out import MOST_TOKENS
from clara_training.machine import use_threads
from clara_training.manifest import sha256_of
from clara_training.passages import LEAST, MOST, Passage, Texts, Trigrams, draw_passages
from clara_training.pretrain_checkpoint import BEST
from clara_training.pretrain_device import check_device, exact_products
from clara_training.pretrain_export import corpus_of, files_of, trained_manifest
from clara_training.run_lock import alone
from clara_training.sample import Sampling, generate
from clara_training.scratch import flops_per_token, load_model
from clara_training.shards import HELD_OUT, TRAIN
from clara_training.stages import Tell
from clara_training.tokenizer import load_tokenizer
from clara_training.validate_gates import Verdict
from clara_training.validate_kept import Kept

RESULT = "validation.json"
_PIECE = 256  # tokens of a text that fidelity is judged on
_TRIGRAM_TOKENS = 1 << 24
_MEASURES = 13
_OF_PASSAGES = ("recall", "references", "coherence")


@dataclass(frozen=True)
class ScratchSettings:
    """How much is measured.

    `passages` of each split; `held_out_tokens` and `fidelity_tokens` at most; so many `samples` of
    `sample_tokens`.
    """

    passages: int = 64
    held_out_tokens: int = MOST_TOKENS
    fidelity_tokens: int = 1536
    samples: int = 6
    sample_tokens: int = 96
    seed: int = 0

    @classmethod
    def quick(cls) -> ScratchSettings:
        """Return what shows in some seconds whether all is well."""
        return cls(12, 20_000, 512, 2, 48)


@alone("validate")
def validate_scratch(
    run: Path,
    settings: ScratchSettings | None = None,
    *,
    corpus: Path | None = None,
    device: str = "cpu",
    threads: int = 0,
    tell: Tell = lambda sentence: None,
) -> dict[str, Any]:
    """Measure an exported run and write its `validation.json`; return what is in it.

    Args:
        run: the folder that the model was trained in.
        settings: how much is measured.
        corpus: that it was trained on; None: where it was.
        device: where PyTorch reads and writes with the model; llama.cpp does on the CPU.
        threads: of the CPU; 0: idle cores.
        tell: is told what was found.

    Raises ValidationError, PretrainError, CorpusError, ExportError, RunInUse, StorageError,
    MissingPackage.
    """
    settings = settings or ScratchSettings()
    check_device(device)
    manifest = trained_manifest(run)
    kind = str(manifest["metrics"]["kind"])
    files = files_of(run, kind)
    for path in files.values():
        if not path.is_file():
            raise ValidationError(
                f"{path} is not there: run clara-train {kind} --output_dir {run} again, which"
                " writes it and trains nothing twice"
            )
    found = corpus_of(run, manifest, corpus)
    if found is None:
        raise ValidationError(
            f"the corpus that {run} was trained on is not there any more: give it with --data_dir"
        )
    fingerprint = {
        **{name: sha256_of(path) for name, path in files.items()},
        "corpus": sha256_of(found),
        "governance": sha256_of(run / GOVERNANCE_FILE) if (run / GOVERNANCE_FILE).exists() else "",
        "settings": json.dumps(asdict(settings)),
    }
    if fingerprint["corpus"] != manifest["settings"]["corpus"]:
        raise ValidationError(
            f"{run} was not trained on the corpus {found}: give the one it was with --data_dir"
        )
    if (before := _there(run, fingerprint)) is not None:
        tell(f"{run / RESULT} is there already")
        return before
    use_threads(threads or None)
    kept = Kept(run / "metrics" / "validate_kept.json", fingerprint)
    tqdm = packages.load("tqdm", "validation").tqdm
    with exact_products(), tqdm(total=_MEASURES, desc=f"validate {kind}", unit="measure") as bar:
        kept.tick = bar.update
        result = _measure(run, kind, found, manifest, files, settings, device, threads, kept)
    release_memory()
    result |= {"fingerprint": fingerprint, "settings": asdict(settings), "seconds": kept.seconds}
    result["gates"] = [gate.as_json() for gate in gates(result)]
    atomic_json(run / RESULT, result)
    kept.remove()
    for sentence in summary(result):
        tell(sentence)
    return result


def _there(run: Path, fingerprint: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        found = json.loads((run / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(found, dict) and found.get("fingerprint") == fingerprint
    return dict(found) if same else None


def _measure(
    run: Path,
    kind: str,
    corpus: Path,
    manifest: Mapping[str, Any],
    files: Mapping[str, Path],
    settings: ScratchSettings,
    device: str,
    threads: int,
    kept: Kept,
) -> dict[str, Any]:
    tokenizer = load_tokenizer(corpus / TOKENIZER)
    model = load_model(run / BEST).to(device)
    train, held_out = Texts(corpus, TRAIN), Texts(corpus, HELD_OUT)
    figures = manifest["metrics"]
    result: dict[str, Any] = {
        "format": 1,
        "from_scratch": kind,
        "training": {
            **{name: manifest["settings"].get(name) for name in ("size", "context", "vocab_size")},
            **{name: figures.get(name) for name in ("step", "best_step", "tokens", "seconds")},
            "parameters": figures["parameters"],
            "operations": flops_per_token(model) * figures["tokens"],
            "history": figures.get("history", []),
        },
        "sizes": {path.name: path.stat().st_size for path in files.values()},
    }
    text = partial(evaluate.held_out_text, model, held_out, tokenizer, settings.held_out_tokens)
    result["held_out"] = {
        **kept("held-out text", text),
        "without_order": kept(
            "token frequencies",
            lambda: evaluate.without_order(train, held_out, model.config.vocab_size),
        ),
    }
    drawn = {
        each.split: draw_passages(each, tokenizer, settings.passages, settings.seed)
        for each in (train, held_out)
    }
    with GgufScores(files["Q8_0"], n_ctx=_room(drawn), threads=threads) as scores:
        result |= _asked(scores, drawn, train, tokenizer, model, settings, kept)
    cue = min(evaluate.CUE, model.config.context - 2)  # room for the boundary and a token
    documents = range(min(settings.samples, len(held_out)))
    prompts = [each.tokens[:cue] for each in drawn[HELD_OUT][: settings.samples]] or [
        tuple(held_out.tokens(at, cue + 1)[1:].tolist()) for at in documents
    ]
    result["samples"] = kept("samples", lambda: _samples(model, prompts, tokenizer, settings))
    for name in ("drawn", "likeliest"):
        ids = [tokenizer.encode(each[name]).ids for each in result["samples"]]
        result.setdefault("repetition", {})[name] = evaluate.repetition(ids)
    written = [held_out.tokens(at, settings.sample_tokens)[1:].tolist() for at in documents]
    result["repetition"]["people"] = evaluate.repetition(written)
    result["fidelity"] = _fidelity(run, held_out, files, settings, threads, kept)
    result["governance"] = _governance(run, str(manifest["sha256"]))
    return result


def _room(drawn: Mapping[str, list[Passage]]) -> int:
    """Return a context that the longest question fits into, with all its answers side by side."""
    every = [each for group in drawn.values() for each in group]
    longest = max(
        (max(len(each.reference), len(each.tokens) + 1) + len(each.tokens) for each in every),
        default=0,
    )
    following = max((len(each.following) for each in every), default=0)
    return int(min(4096, longest + evaluate.FOLLOWERS * following + evaluate.REST))


def _asked(
    scores: GgufScores,
    drawn: Mapping[str, list[Passage]],
    train: Texts,
    tokenizer: Any,
    model: Any,
    settings: ScratchSettings,
    kept: Kept,
) -> dict[str, Any]:
    @cache
    def trigrams() -> Trigrams:
        most = min(len(train.stream), _TRIGRAM_TOKENS)
        return Trigrams(train.stream.slice(0, most), model.config.vocab_size)

    def recall(fitting: list[Passage]) -> dict[str, Any]:
        return evaluate.recall(scores, fitting, trigrams(), tokenizer)

    context = model.config.context
    result: dict[str, Any] = {name: {} for name in _OF_PASSAGES}
    for split, passages in drawn.items():
        fitting = [
            each
            for each in passages
            if len(each.tokens) + max(len(each.reference), len(each.following) + 1) <= context
        ]
        if not fitting:  # what cannot be measured is left out
            result |= {name: {**result[name], split: {}} for name in _OF_PASSAGES}
            continue
        result["recall"][split] = kept(f"recall {split}", partial(recall, fitting))
        result["references"][split] = kept(
            f"references {split}", partial(evaluate.references, scores, fitting, settings.seed)
        )
        result["coherence"][split] = kept(
            f"coherence {split}", partial(evaluate.coherence, scores, fitting, settings.seed)
        )
    result["tokens_per_second"] = kept("speed", lambda: _speed(scores))
    return result


def _speed(scores: GgufScores, tokens: int = 32) -> float:
    best, tokens = 0.0, min(tokens, scores.positions - 1)
    for _ in range(2):
        scores.logits([0])
        start = time.perf_counter()
        for place in range(1, tokens + 1):
            scores.step(1, place)
        best = max(best, tokens / (time.perf_counter() - start))
    return best


def _samples(
    model: Any, prompts: list[tuple[int, ...]], tokenizer: Any, settings: ScratchSettings
) -> list[dict[str, str]]:
    likeliest = Sampling(temperature=0.0, repetition_penalty=1.0)
    found = []
    for number, prompt in enumerate(prompts):
        drawn = Sampling(0.8, 0.95, repetition_penalty=1.0, seed=settings.seed + number)
        texts = {"given": tokenizer.decode(list(prompt))}
        for name, how in (("drawn", drawn), ("likeliest", likeliest)):
            most = min(settings.sample_tokens, model.config.context - len(prompt) - 1)
            tokens = list(generate(model, (0, *prompt), most, how))
            texts[name] = tokenizer.decode(tokens)
        found.append(texts)
    return found


def _fidelity(
    run: Path,
    held_out: Texts,
    files: Mapping[str, Path],
    settings: ScratchSettings,
    threads: int,
    kept: Kept,
) -> dict[str, Any]:
    loaded: list[Any] = []

    def judge(kind: str, path: Path) -> dict[str, Any]:
        if not loaded:
            transformers = packages.load("transformers", "validation")
            loaded.append(
                transformers.AutoModelForCausalLM.from_pretrained(
                    run / BEST, local_files_only=True
                ).eval()
            )
        config = loaded[0].config
        length = min(_PIECE, config.max_position_embeddings)
        texts = []
        left = settings.fidelity_tokens
        for number in range(len(held_out)):
            if left <= 1:
                break
            texts.append(held_out.tokens(number, min(length, left)).tolist())
            left -= len(texts[-1])
        found = compare(loaded[0], path, texts, threads=threads)
        return {**found.as_json(), "quantization": kind, "faults": found.faults(kind)}

    return {
        path.name: kept(f"fidelity {kind}", partial(judge, kind, path))
        for kind, path in files.items()
    }


def _governance(run: Path, model: str) -> dict[str, Any] | None:
    """Return what the heads' file says of them; None where there is none."""
    path = run / GOVERNANCE_FILE
    if not path.exists():
        return None
    safetensors = packages.load("safetensors", "the governance heads")
    try:
        with safetensors.safe_open(str(path), "np") as file:
            said = json.loads(file.metadata()[METADATA])
        metrics, of_model = dict(said["metrics"]), str(said["model_sha256"])
    except Exception as error:  # a cut-off file raises whatever it likes
        raise ValidationError(
            f"the governance heads {path} cannot be read ({error}): remove the file and run"
            f" clara-train governance {run}"
        ) from error
    return {"metrics": metrics, "of_this_model": of_model == model}


def gates(result: Mapping[str, Any]) -> list[Verdict]:
    """Judge what was measured: true GGUFs, more learned than frequencies, heads of this model."""
    found = []
    for name, each in result["fidelity"].items():
        detail = (
            f"{each['quantization']}: KL {each['kl']:.2e}, same likeliest token"
            f" {each['same_top']:.1%}, perplexity x {each['perplexity_ratio']:.4f}"
        )
        detail += "".join(f"; {fault}" for fault in each["faults"])
        found.append(Verdict(f"fidelity of {name}", not each["faults"], detail))
    held_out = result["held_out"]
    bits, without = held_out["bits_per_byte"], held_out["without_order"]
    detail = f"{bits:.3f} bits per byte, {without:.3f} by the frequencies of tokens alone"
    found.append(Verdict("held-out text", bits < without, detail))
    if result["governance"] is not None:
        own = result["governance"]["of_this_model"]
        detail = "of this model" if own else "of another model: run clara-train governance again"
        found.append(Verdict("governance heads", own, detail))
    return found


def summary(result: Mapping[str, Any]) -> list[str]:
    """Say what was found, in lines for people."""
    held_out = result["held_out"]
    lines = [
        f"held-out text: {held_out['bits_per_byte']:.4f} bits per byte, perplexity"
        f" {held_out['perplexity']:.1f}; by token frequencies alone"
        f" {held_out['without_order']:.4f} bits per byte"
    ]
    for split, found in result["recall"].items():
        if not found:
            lines.append(
                f"{split.replace('_', '-')} passages: none of {LEAST} to {MOST} tokens is there"
                " that fits into the model's context, so recall, references and coherence are not"
                " measured"
            )
            continue
        figures = ", ".join(
            f"{name} {found[name]['similarity']['value']:.3f}"
            for name in ("model", "trigrams", "another")
            if name in found
        )
        lines.append(
            f"recall, {split.replace('_', '-')} passages: exact"
            f" {found['model']['exact']['value']:.1%}, similarity {figures}"
        )
    for measure in ("references", "coherence"):
        for split, found in result[measure].items():
            if found:
                accuracy = found["accuracy"]
                lines.append(
                    f"{measure}, {split.replace('_', '-')} passages: {accuracy['value']:.1%}"
                    f" ± {accuracy['error']:.1%} right, chance {found['chance']:.1%}"
                )
    return lines + [
        f"{'passed' if gate['passed'] else 'FAILED'}: {gate['name']}: {gate['detail']}"
        for gate in result["gates"]
    ]
