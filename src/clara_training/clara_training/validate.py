# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""The stage validate: whether the GGUF is true, the traits move and the rest is unharmed.

All is measured through llama.cpp on the files that ship, on examples that were held out of
training. Each measure is kept as soon as it is made, so that a stopped validation goes on. The
result is `validation.json` and `report.html`; gates that are not passed are listed in both.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clara_training import margins, packages
from clara_training.atomic import atomic_json
from clara_training.base import find_base
from clara_training.chat_encoding import beginning, engine_tokens
from clara_training.errors import ExportError, ManifestError, ValidationError
from clara_training.fidelity import GATES, compare
from clara_training.gguf_scores import GgufScores
from clara_training.lora import load_examples
from clara_training.machine import use_threads
from clara_training.manifest import read_manifest, sha256_of
from clara_training.merge_bound import TOGETHER_FILE
from clara_training.origins import check_exported, check_merged
from clara_training.run_lock import alone
from clara_training.spec import Spec
from clara_training.stages import Tell
from clara_training.validate_gates import gates
from clara_training.validate_kept import Kept

GENERAL = Path(__file__).parent / "general_text.txt"
CURVE = (0.0, 0.25, 0.5, 0.75, 1.0)
QUESTIONS = (
    "Good morning! What will you do first today?",
    "I dropped the cup and it broke.",
    "How do I learn something difficult?",
)
_WINDOW = 256
_REPLY_TOKENS = 48
_CONTEXT = margins.LONGEST
Texts = list[list[int]]


@dataclass(frozen=True)
class ValidateSettings:
    """How much is measured: held-out examples of each dimension, tokens of general text."""

    examples: int | None = 16
    tokens: int = 1536
    threads: int = 0

    @classmethod
    def quick(cls, threads: int = 0) -> ValidateSettings:
        """Return what shows in a minute whether all is well, on the embedded base."""
        return cls(examples=4, tokens=512, threads=threads)


@alone("validate")
def validate_run(
    run: Path,
    spec: Spec,
    settings: ValidateSettings | None = None,
    *,
    base: str = "",
    dimensions: Sequence[str] = (),
    tell: Tell = lambda sentence: None,
) -> dict[str, Any]:
    """Measure an exported run and write `validation.json`; return what is in it.

    Args:
        run: the run's folder, with what `export` writes.
        spec: what it was made for.
        settings: how much is measured.
        base: another base model than the spec's.
        dimensions: only these; all where empty.
        tell: is told what was found.

    Raises SpecError, ValidationError, ExportError, DataError, BaseModelError, RunInUse,
    StorageError, MissingPackage.
    """
    settings = settings or ValidateSettings()
    for name in dimensions:
        spec.require(name)
    names = list(dimensions or spec.dimensions)
    files = _files(run, names)
    check_merged(run, spec)
    check_exported(run, names)
    use_threads(settings.threads or None)
    transformers = packages.load("transformers", "validation")
    tokenizer = transformers.AutoTokenizer.from_pretrained(run / "merged", local_files_only=True)
    found = find_base(base or spec.base_model)
    cases = held_out_cases(run, spec, names, tokenizer, settings.examples, found.context)
    for name in names:
        if shortened := sum(case.left_out > 0 for case in cases[name]):
            tell(f"{name}: {shortened} conversations are judged without their earliest turns")
    traits = [name for name in names if spec.is_trait(name)]
    domains = [name for name in names if not spec.is_trait(name)]
    fingerprint = {
        **{name: sha256_of(path) for name, path in files.items()},
        **{f"data {name}": sha256_of(_data(run, spec, name)) for name in names},
        "general": sha256_of(GENERAL),
        "settings": repr((settings.examples, settings.tokens, CURVE)),
    }
    rounds = len(traits) * (len(CURVE) + len(names) - 1) + 2 * len(domains) + len(names)
    tqdm = packages.load("tqdm", "validation").tqdm
    texts = general_texts(tokenizer, settings.tokens, found.context)
    kept = Kept(run / "metrics" / "validate_kept.json", fingerprint)
    with tqdm(total=rounds + 4, desc="validate", unit="measure") as bar:
        kept.tick = bar.update
        result: dict[str, Any] = {
            "format": 1,
            "base_model": found.name,
            "spec": spec.as_document(),
            "dimensions": {"traits": traits, "domains": domains},
            "settings": {"examples": settings.examples, "tokens": settings.tokens},
            "fidelity": _fidelity(run, files, texts, settings.threads, kept),
        }
        with GgufScores(files["base.gguf"], n_ctx=_CONTEXT, threads=settings.threads) as model:
            for name in names:
                model.load_adapter(name, files[f"adapters/{name}.gguf"])
            result.update(_live(model, cases, traits, domains, tokenizer, texts, kept))
        with GgufScores(files["clara.gguf"], n_ctx=_CONTEXT, threads=settings.threads) as model:
            _merged(model, cases, result, tokenizer, texts, kept)
    result["training"] = _training(run, names)
    result["together"] = _together(run)
    result["sizes"] = {name: path.stat().st_size for name, path in files.items()}
    result["gates"] = [gate.as_json() for gate in gates(result)]
    atomic_json(run / "validation.json", result)
    kept.remove()
    for gate in result["gates"]:
        tell(f"{'passed' if gate['passed'] else 'FAILED'}: {gate['name']}: {gate['detail']}")
    return result


def _files(run: Path, names: Sequence[str]) -> dict[str, Path]:
    wanted = [
        *("clara.gguf", "clara-f16.gguf", "base.gguf"),
        *(f"adapters/{name}.gguf" for name in names),
    ]
    for name in wanted:
        if not (run / name).is_file():
            raise ValidationError(
                f"{run / name} is not there: run clara-train export --run {run} first"
            )
    return {name: run / name for name in wanted}


def _data(run: Path, spec: Spec, name: str) -> Path:
    from clara_training.examples import file_name

    return run / "data" / file_name(name, spec.is_trait(name))


def held_out_cases(
    run: Path,
    spec: Spec,
    names: Sequence[str],
    tokenizer: Any,
    limit: int | None,
    context: int | None = None,
) -> dict[str, list[margins.Case]]:
    """Return what each dimension is judged on, `limit` cases of each at most, encoded.

    `context` is the base's. What it has no room for is left out of a conversation, earliest first.
    Raises DataError, and ValidationError where there is nothing to judge a dimension by.
    """
    cases = {}
    longest = min(_CONTEXT, context or _CONTEXT)
    for name in names:
        examples: Any = load_examples(run, spec, name)[0]
        encode = margins.trait_cases if spec.is_trait(name) else margins.knowledge_cases
        cases[name] = encode(examples, tokenizer, limit, longest)
    return cases


def general_texts(tokenizer: Any, limit: int, context: int | None = None) -> Texts:
    """Return the shipped general text as token lists, as the engine begins them.

    There are `limit` tokens of the text at most, and in no list more than `context`.
    """
    text = GENERAL.read_text(encoding="utf-8")
    tokens = tokenizer.encode(text, add_special_tokens=False)[:limit]
    begin = beginning(tokenizer)
    size = min(_WINDOW, context - len(begin)) if context else _WINDOW
    windows = [tokens[at : at + size] for at in range(0, len(tokens), size)]
    return [[*begin, *window] for window in windows if len(window) > 1]


def _fidelity(
    run: Path, files: Mapping[str, Path], texts: Texts, threads: int, kept: Kept
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    loaded: list[Any] = []

    def model() -> Any:
        if not loaded:
            transformers = packages.load("transformers", "validation")
            torch = packages.load("torch", "validation")
            loaded.append(
                transformers.AutoModelForCausalLM.from_pretrained(
                    run / "merged", dtype=torch.float32, local_files_only=True
                ).eval()
            )
        return loaded[0]

    for name in ("clara-f16.gguf", "clara.gguf"):
        kind = "F16" if name == "clara-f16.gguf" else _quantization(files[name])

        def measure(path: Path = files[name], kind: str = kind) -> dict[str, Any]:
            judged = compare(model(), path, texts, threads=threads)
            return {**judged.as_json(), "quantization": kind, "faults": judged.faults(kind)}

        found[name] = kept(f"fidelity {name}", measure)
    return found


def _quantization(path: Path) -> str:
    try:
        kind = str(read_manifest(path)["settings"]["quantization"])
    except (ManifestError, KeyError):
        kind = ""
    if kind not in GATES:
        raise ExportError(f"{path} does not say its quantisation: run clara-train export again")
    return kind


def _live(
    model: GgufScores,
    cases: Mapping[str, list[margins.Case]],
    traits: Sequence[str],
    domains: Sequence[str],
    tokenizer: Any,
    texts: Texts,
    kept: Kept,
) -> dict[str, Any]:
    """Measure the base model with its adapters, as sliders move them."""

    def trait(name: str, scales: Mapping[str, float]) -> dict[str, float]:
        model.use(scales)
        return margins.margin(model, cases[name]).as_json()

    def domain(name: str, scales: Mapping[str, float]) -> dict[str, float]:
        model.use(scales)
        return margins.knowledge(model, cases[name]).as_json()

    found: dict[str, Any] = {"traits": {}, "domains": {}, "leakage": {}}
    for name in traits:
        curve = [
            {
                "weight": weight,
                **kept(f"trait {name} at {weight}", partial(trait, name, {name: weight})),
            }
            for weight in CURVE
        ]
        found["traits"][name] = {"base": curve[0], "adapter": curve[-1], "curve": curve}
    for adapter in (*traits, *domains):
        found["leakage"][adapter] = {
            name: (
                found["traits"][name]["adapter"]
                if adapter == name
                else kept(f"trait {name} under {adapter}", partial(trait, name, {adapter: 1.0}))
            )["mean"]
            - found["traits"][name]["base"]["mean"]
            for name in traits
        }
    for name in domains:
        found["domains"][name] = {
            "base": kept(f"domain {name} base", partial(domain, name, {})),
            "adapter": kept(f"domain {name} adapter", partial(domain, name, {name: 1.0})),
        }

    def general() -> dict[str, Any]:
        model.use({})
        return {
            "perplexity": margins.text_perplexity(model, texts),
            "replies": _replies(model, tokenizer),
            "speeds": _speeds(model, [*traits, *domains]),
        }

    plain = kept("text base", general)
    found["general"] = {"base": plain["perplexity"]}
    found["speeds"] = plain["speeds"]
    found["replies"] = {"base": plain["replies"]}
    return found


def _merged(
    model: GgufScores,
    cases: Mapping[str, list[margins.Case]],
    result: dict[str, Any],
    tokenizer: Any,
    texts: Texts,
    kept: Kept,
) -> None:
    """Add what the merged model reaches."""

    def trait(name: str) -> dict[str, float]:
        return margins.margin(model, cases[name]).as_json()

    def domain(name: str) -> dict[str, float]:
        return margins.knowledge(model, cases[name]).as_json()

    for name, found in result["traits"].items():
        found["merged"] = kept(f"trait {name} merged", partial(trait, name))
    for name, found in result["domains"].items():
        found["merged"] = kept(f"domain {name} merged", partial(domain, name))

    def general() -> dict[str, Any]:
        return {
            "perplexity": margins.text_perplexity(model, texts),
            "replies": _replies(model, tokenizer),
            "speed": _speed(model),
        }

    whole = kept("text merged", general)
    result["general"]["merged"] = whole["perplexity"]
    result["general"]["ratio"] = whole["perplexity"] / result["general"]["base"]
    result["replies"]["merged"] = whole["replies"]
    result["speeds"]["merged"] = whole["speed"]


def _replies(model: GgufScores, tokenizer: Any) -> dict[str, str]:
    replies = {}
    for question in QUESTIONS:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
        tokens = engine_tokens(tokenizer, prompt)
        replies[question] = tokenizer.decode(model.generate(tokens, _REPLY_TOKENS)).strip()
    return replies


def _speeds(model: GgufScores, names: Sequence[str]) -> dict[str, float]:
    """Tokens a second of the base model with 0, 1, half of and all adapters in force."""
    speeds = {}
    for count in sorted({0, 1, len(names) // 2, len(names)}):
        model.use(dict.fromkeys(names[:count], 0.5))
        speeds[f"base + {count}" if count else "base"] = _speed(model)
    model.use({})
    return speeds


def _speed(model: GgufScores, tokens: int = 24) -> float:
    """Tokens a second of generation, one at a time; the better of two goes."""
    best = 0.0
    for _ in range(2):
        start = time.perf_counter()
        model.logits([1])
        for place in range(tokens):
            model.step(1, place + 1)
        best = max(best, tokens / (time.perf_counter() - start))
    return best


def _together(run: Path) -> dict[str, Any] | None:
    """Return what the model bears of its adapters together, and what was merged; None: no limit.

    `size` is a Frobenius norm, `share` the part of the method's whole change that was merged.
    """
    try:
        share = read_manifest(run / "merged")["metrics"].get("share")
        measured = json.loads((run / "adapters" / TOGETHER_FILE).read_text(encoding="utf-8"))
    except (ManifestError, OSError, ValueError):
        return None
    if share is None:
        return None
    kept = ("size", "reached", "points", "settings")
    return {"share": share, **{name: measured[name] for name in kept}}


def _training(run: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return what the adapters' manifests say of their training."""
    found = {}
    for name in names:
        try:
            found[name] = read_manifest(run / "adapters" / name)["metrics"]
        except ManifestError:
            continue
    return found
