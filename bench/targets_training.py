# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which figures count of the benchmarks of training, against whom, and their targets."""

from __future__ import annotations

from collections.abc import Callable

from figures import (
    Figure,
    Result,
    at,
    bits,
    count,
    gain,
    over,
    percent,
    ratio,
    seconds,
    small,
    times,
)


def _moved(name: str, way: str) -> Callable[[Result], float]:
    return lambda result: result[name][way] - result[name]["base"]


def _trait_table() -> tuple[Figure, ...]:
    traits = ("warmth", "playful", "formal", "encouragement")
    return (
        *(
            Figure(f"{trait}: margin gained, {said}", _moved(trait, way), gain, "the base", 0)
            for way, said in (("adapter", "its adapter alone"), ("merged", "all eight merged"))
            for trait in traits
        ),
        *(
            Figure(
                f"{domain}: perplexity of answers, its adapter alone",
                over(at(domain, "adapter"), at(domain, "base")),
                ratio,
                "the base",
                1,
                most=True,
            )
            for domain in ("medical", "coding", "teaching", "quantum")
        ),
        Figure(
            "perplexity of general text, all eight merged",
            at("general", "ratio"),
            ratio,
            "the base",
            1.5,
            most=True,
        ),
    )


def _largest_distance(result: Result) -> float:
    return max(
        engine["distance"]
        for method in result.values()
        if isinstance(method, dict)
        for engine in method.values()
        if isinstance(engine, dict) and "distance" in engine
    )


def _gpu_pretrain(size: str, peer: str, target: float) -> tuple[Figure, ...]:
    read = at("sizes", size, "clara_against", peer)
    return (Figure("training step on a GPU, 341 M", read, ratio, peer, target),)


def _mfu(size: str, parameters: str, target: float) -> Figure:
    read = at("sizes", size, "ways", "clara compiled", "mfu")
    return Figure(f"MFU, training {parameters} on an H100", read, percent, "989 TFLOP/s", target)


def _pretrain(kind: str, peer: str) -> tuple[Figure, ...]:
    return tuple(
        Figure(
            f"training step, {kind}" + (", compiled" if way == "compiled" else ""),
            at(f"{kind}_{way}_speed_against_{peer}{suffix}"),
            ratio,
            f"transformers' {peer}{with_}",
            target,
        )
        for suffix, with_, targets in (
            ("", "", (1.05, 1.15)),
            ("_keeping_memory", ", with Clara's setting of the allocator", (None, None)),
        )
        for way, target in zip(("ours", "compiled"), targets, strict=True)
    )


def _upper_end(name: str) -> Callable[[Result], float]:
    return lambda result: sum(result[name])  # an interval is kept as its middle and half its width


# Benchmark: its figures.
TRAINING: dict[str, tuple[Figure, ...]] = {
    "trait_table": _trait_table(),
    "training_export": (
        Figure(
            "tensors byte-equal",
            over(at("equal"), at("tensors")),
            percent,
            "llama.cpp's converter",
            1.0,
        ),
        Figure("export to GGUF", at("ratio"), times, "llama.cpp's converter", 1.3),
    ),
    "training_fidelity": (
        *(
            Figure(
                f"KL of {kind}",
                at(kind, "kl"),
                small,
                "the model in fp32",
                target,
                most=True,
            )
            for kind, target in (("F16", 1e-5), ("Q8_0", 1e-2), ("Q4_K_M", 0.07))
        ),
        Figure(
            "KL that the importance matrix saves",
            at("matrix_lowers_kl_by"),
            percent,
            "Q4_K_M without it",
            0.25,
        ),
    ),
    "training_merge": (
        Figure("largest distance of a merge", _largest_distance, small, "the formula"),
    ),
    "training_lora": (
        Figure("a LoRA step on a CPU", at("speed_against_trl"), ratio, "TRL's SFTTrainer", 1.0),
        Figure("the same, of the roof", at("share_of_roof"), percent, "fp32 matrix products", 0.8),
    ),
    "training_turns": (
        *(
            Figure(
                f"loss of held-out second answers, {way} learned",
                over(at(way, "nats_a_token"), at("base", "nats_a_token")),
                percent,
                "the base's",
                target,
                most=True,
            )
            for way, target in (("first turns only", None), ("whole conversations", 0.5))
        ),
        *(
            Figure(f"the right cup, {way} learned", at(way, "right_cup"), percent)
            for way in ("first turns only", "whole conversations")
        ),
        Figure(
            "tokens and masks of 1,000 conversations of 20 turns",
            over(at("encoding", "seconds_by_definition"), at("encoding", "seconds")),
            times,
            "each reply encoded anew",
        ),
    ),
    "gpu_lora": (
        Figure(
            "LoRA on an H100, packed",
            at("against_trainer_packed"),
            ratio,
            "Hugging Face Trainer, packed",
            1.1,
        ),
        Figure(
            "LoRA on an H100, packed",
            over(
                at("tokens_per_second", "clara packed"),
                at("tokens_per_second", "trainer padded"),
            ),
            ratio,
            "Hugging Face Trainer, padded",
            2.0,
        ),
        Figure("a dimension of 1,000 examples", at("dimension_seconds"), seconds, "", 60, True),
        Figure("of the bfloat16 roof measured", at("mfu_of_measured_roof"), percent),
    ),
    "pretrain_step": (
        *_pretrain("simone", "LlamaForCausalLM"),
        *_pretrain("mvlm", "GPT2LMHeadModel"),
    ),
    "simone_mvlm": (
        Figure(
            "bits per byte of held-out books, difference: upper end of its 95 % interval",
            _upper_end("simone_minus_mvlm_at_best"),
            bits,
            "MVLM, equal parameters and tokens",
            0,
            most=True,
        ),
    ),
    "losses": tuple(
        Figure(
            f"bits per byte with {loss}, mean difference",
            at("against_language_alone", f"and {loss}", "bits_per_byte", 0),
            bits,
            "language modelling alone",
        )
        for loss in ("content alignment", "coherence", "accuracy", "all, by uncertainty")
    ),
    "optimizers": (
        Figure(
            "bits per byte with Muon, mean difference",
            at("muon_minus_adamw_at_best", 0),
            bits,
            "AdamW, each at its better rate",
        ),
    ),
    "governance": (
        *(
            Figure(
                f"{head}: {metric}, gain: lower end of its 95 % interval",
                at(head, "gain", baseline, "low"),
                gain,
                baseline,
                0,
            )
            for head, metric, baselines in (
                (
                    *("policy", "accuracy"),
                    (
                        *("commonest class", "naive Bayes", "naive Bayes, TF-IDF"),
                        "naive Bayes, on tokens",
                    ),
                ),
                (
                    *("memory", "recall@10"),
                    ("mean-pooled states, standardised", "BM25", "BM25, on tokens"),
                ),
                ("trace", "correlation with the loss", ("a constant", "entropy")),
            )
            for baseline in baselines
        ),
        *(
            Figure(
                f"{head}: {metric}, gain",
                at(head, "without_states", "gain", "value"),
                gain,
                "the same head without states",
            )
            for head, metric in (("policy", "accuracy"), ("memory", "recall@10"))
        ),
    ),
    "data_loader": (
        Figure(
            "rows from the shards",
            over(at("rows_per_second"), at("model_rows_per_second")),
            times,
            "what SIM-ONE tiny takes on this CPU",
            10,
        ),
        Figure("tokens a second of the tokenizer", at("tokenizer", "tokens_per_second"), count),
    ),
    "gpu_pretrain": (
        *_gpu_pretrain("large", "transformers eager", 1.3),
        *_gpu_pretrain("large", "transformers compiled", 1.05),
        *_gpu_pretrain("large", "litgpt compiled", 0.95),
        _mfu("large", "341 M", 0.42),
        _mfu("base", "109 M", 0.36),
        Figure(
            "time of a step with all losses, 341 M",
            at("sizes", "large", "clara_against", "clara with all losses"),
            ratio,
            "language modelling alone",
            1.08,
            most=True,
        ),
        Figure(
            "memory of a step with all losses, 341 M",
            at("sizes", "large", "memory_with_all_losses"),
            ratio,
            "language modelling alone",
            1.05,
            most=True,
        ),
    ),
    "decode_roof": tuple(
        Figure(
            f"decoding SIM-ONE of 109 M, {kind}",
            at(f"{kind}_share_of_roof", "median"),
            percent,
            "the read bandwidth",
            target,
        )
        for kind, target in (("f16", 0.70), ("Q8_0", 0.55))
    ),
}
