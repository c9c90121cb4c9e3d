# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Which figures of each benchmark count, against whom, and their targets.

`bench/table.py` makes the table of docs/benchmarks.md from this and from `bench/results/`. Targets
were set before anything was measured; a figure that misses one stays in the table, as missed.
"""

from __future__ import annotations

from collections.abc import Callable

from figures import (
    Figure,
    Result,
    at,
    bits,
    count,
    gain,
    mb,
    ms,
    over,
    percent,
    plain,
    ratio,
    seconds,
    small,
    times,
)


def _engine(weights: str) -> tuple[Figure, ...]:
    return (
        Figure(
            f"one stream, {weights}",
            at(weights, "stream_ratio"),
            ratio,
            "bare llama-cpp-python",
            0.97,
        ),
        Figure(
            f"four at once, {weights}",
            at(weights, "batch_ratio"),
            ratio,
            "a bare batch of llama.cpp",
            0.95,
        ),
        Figure(
            f"slowest of the four, of their mean, {weights}",
            at(weights, "engine_batch_slowest", "median"),
            plain,
            "",
            0.6,
        ),
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


def _wrong_actions(result: Result) -> float:
    return sum(len(each["wrong"]) for each in result.values() if "wrong" in each)


def _obeyed(result: Result) -> float:
    sets = [each for each in result.values() if "obeyed" in each]
    return sum(each["obeyed"] for each in sets) / sum(each["orders"] for each in sets)


def _peers(kind: str) -> tuple[Figure, ...]:
    names = {
        "clara_memory": "",
        "emem": "emem",
        "robotmem": "robotmem",
        "hipercampo": "hipercampo",
    }
    return tuple(
        Figure(
            f"{kind}: right" + (f", {peer}" if peer else ""),
            over(at("systems", name, kind, "right"), at("systems", name, kind, "asked")),
            percent,
        )
        for name, peer in names.items()
    )


def _best_sql(kind: str) -> Callable[[Result], float]:
    def best(result: Result) -> float:
        return max(each["right"] for name, each in result[kind].items() if name.startswith("SQL"))

    return best


def _ahead(kind: str, way: str) -> Callable[[Result], float]:
    return lambda result: float(result[kind][way]["right"]) - _best_sql(kind)(result)


def _encoding(kind: str, *peers: str) -> tuple[Figure, ...]:
    target = 15.0 if kind == "one" else 100.0
    what = "a record of four pairs" if kind == "one" else "a batch of 256 records"
    return tuple(
        Figure(what, at("times_clara", f"{peer}, {kind}"), times, peer, target) for peer in peers
    )


def _million(name: str) -> Callable[[Result], float]:
    return at("1000000", "seconds", name, "median")


def _same_answers(result: Result) -> float:
    sizes = [each for each in result.values() if "same" in each]
    return sum(each["same"] for each in sizes) / sum(each["queries"] for each in sizes)


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


# Section: benchmark: its figures.
BENCHES: dict[str, dict[str, tuple[Figure, ...]]] = {
    "Brain": {
        "chat_overhead": (
            Figure(
                "`chat` over ROS, tokens/s",
                at("ratio_of_medians"),
                ratio,
                "bare llama-cpp-python",
                0.95,
            ),
            Figure(
                "time to first token that ROS adds",
                at("added_time_to_first_token_s", "median"),
                ms,
                "bare llama-cpp-python",
                0.015,
                most=True,
            ),
        ),
        "engine_speed": (*_engine("Q4_1"), *_engine("Q8_0"), *_engine("F16")),
        "busy_cores": tuple(
            Figure(
                f"writing, {said}",
                at(name, "ratio"),
                ratio,
                "llama-cpp-python as it comes",
            )
            for name, said in (
                ("idle", "idle cores"),
                ("one busy", "one core busy"),
                ("all busy", "all cores busy"),
            )
        ),
        "chat_server": (
            Figure(
                "one stream",
                at("ratio_to_server", "engine_1"),
                ratio,
                "llama.cpp's own server",
                0.95,
            ),
            Figure(
                "four at once", at("ratio_to_server", "engine_4"), ratio, "llama.cpp's own server"
            ),
            Figure(
                "one stream, backend `openai`",
                at("ratio_to_server", "backend_1"),
                ratio,
                "the server that it talks to",
            ),
        ),
        "prefix_cache": tuple(
            Figure(what, at("times_as_fast", key), times, "the same prompt, cold", target)
            for key, what, target in (
                ("same", "first token, 3,500 tokens seen before", 50.0),
                ("new_tail", "the same with a new tail", 5.0),
                ("restart", "the same after a restart", 20.0),
            )
        ),
        "chat_streaming": (
            Figure(
                "pieces of text lost, three clients at once",
                lambda result: result["chunks"]["sent"] - result["chunks"]["received"],
                count,
                "",
                0,
                most=True,
            ),
            Figure("cancel to result", at("cancel_s", "p99"), ms, "", 0.1, most=True),
            Figure(
                "a service while every slot generates, p99",
                at("service_s", "p99"),
                ms,
                "",
                0.05,
                most=True,
            ),
        ),
        "sentences": (
            Figure("from `say` to the first sentence", at("first_s", "median"), ms),
            Figure("from `say` to the whole reply", at("whole_s", "median"), ms),
            Figure(
                "the first sentence, of the time to the whole reply",
                over(at("first_s", "median"), at("whole_s", "median")),
                ratio,
                "`reply`",
                0.5,
                most=True,
            ),
            Figure("sentences lost", at("lost"), count, "", 0, most=True),
        ),
        "chat_soak": (
            Figure("turns", at("turns"), count),
            Figure(
                "memory at the end, of that after a tenth of them",
                over(at("at_the_end", "rss_mb"), at("after_a_tenth", "rss_mb")),
                ratio,
            ),
        ),
        "personality": tuple(
            Figure(
                f"{trait} by the prompt, 0 to 1, nats a token",
                at("curves", "prompt", trait, "gain"),
                plain,
            )
            for trait in ("warmth", "playful", "formal", "encouragement")
        ),
        "skills": (
            Figure(
                "wrong actions, 317 utterances for three robots",
                _wrong_actions,
                count,
                "",
                0,
                True,
            ),
            Figure("orders obeyed", _obeyed, percent),
        ),
        "skills_robots": (
            Figure(
                "wrong actions, 2,267 utterances for eight robots",
                at("all", "wrong"),
                count,
                "",
                0,
                True,
            ),
            Figure("stops missed, of 216", at("all", "stops_missed"), count, "", 0, True),
            Figure(
                "orders obeyed, of 750",
                over(at("all", "obeyed"), at("all", "orders")),
                percent,
            ),
        ),
        "plans": (
            Figure(
                "wrong, 542 utterances of several steps, or like it",
                at("all", "wrong"),
                count,
                "",
                0,
                True,
            ),
            Figure(
                "plans obeyed, of 120",
                over(at("all", "obeyed"), at("all", "plans")),
                percent,
            ),
        ),
        "promises": (
            Figure(
                "promises of what no skill does, 30 orders",
                at("orders after three obeyed orders", "promised_held"),
                count,
                "",
                1,
                True,
            ),
            Figure(
                "the same by the model alone",
                at("orders after three obeyed orders", "promised"),
                count,
            ),
            Figure(
                "talk taken for a promise, 15 sentences",
                at("talk after three obeyed orders", "replaced"),
                count,
                "",
                1,
                True,
            ),
        ),
        "sliders": (
            Figure(
                "live adapters, KL",
                at("kl_live"),
                small,
                "the offline merge",
                1e-5,
                most=True,
            ),
            Figure(
                "setting eight sliders",
                over(at("reload_seconds"), at("set_seconds")),
                times,
                "loading a merged model",
            ),
        ),
    },
    "Memory": {
        "memory_scale": (
            *(
                Figure(
                    f"{name}, share of the time",
                    over(_million(name), _million("read")),
                    plain,
                    "reading a million vectors of 1,250 bytes",
                    target,
                    most=True,
                )
                for name, target in (("role query", 0.15), ("selective cue", 0.03))
            ),
            *(
                Figure(
                    "role query, 1,000,000 episodes",
                    over(_million(peer), _million("role query")),
                    times,
                    peer,
                    10,
                )
                for peer in ("faiss IndexBinaryFlat", "usearch exact")
            ),
            Figure(
                "exact cue, 1,000,000 episodes",
                over(_million("SQLite, indexed"), _million("role query")),
                ratio,
                "SQLite with a fitting index",
            ),
            Figure(
                "RAM, 1,000,000 episodes", at("1000000", "rss_bytes"), mb, "", 250e6, most=True
            ),
            Figure(
                "opening, 1,000,000 episodes", at("1000000", "open_s"), seconds, "", 5, most=True
            ),
        ),
        "memory_own_values": tuple(
            Figure(f"bytes of RAM an episode, {name}", at("bytes_an_episode", name), count)
            for name in ("a number of its own", "a position of its own", "a text of its own")
        ),
        "memory_accuracy": (
            Figure(
                "one edit in two roles",
                at("one edit in two roles", "memory, forced", "right"),
                percent,
                "",
                0.97,
            ),
            Figure(
                "two edits in two roles, points ahead",
                _ahead("two edits in two roles", "memory, forced"),
                percent,
                "the best of SQL, rapidfuzz, wordllama",
                0,
            ),
            Figure(
                "synonyms, points ahead",
                _ahead("synonym", "memory + meaning, forced"),
                percent,
                "the best of SQL, rapidfuzz, wordllama",
                0.10,
            ),
            Figure(
                "a slip against a thing never seen, AUROC",
                at("abstention, memory", "auroc_slip_against_unseen"),
                plain,
                "",
                0.93,
            ),
            Figure(
                "things never seen taken for known ones",
                at("abstention, memory", "false_answers"),
                percent,
                "",
                0.05,
                most=True,
            ),
        ),
        "memory_exact": (
            Figure("exact cues with the very same answer", _same_answers, percent, "SQL", 1.0),
        ),
        "memory_ranges": tuple(
            Figure(f"{kind}, {door}", at(kind, key, "median"), ms)
            for kind in (
                "no bounds (an object)",
                "a battery of a tenth of the range",
                "within 5 m",
            )
            for door, key in (("memory", "memory"), ("numpy", "numpy"), ("SQL, indexed", "sql"))
        ),
        "memory_query": (
            Figure("what DDS adds to a query, median", at("added_s", "median"), ms, "the library"),
            Figure("what DDS adds to a query, p99", at("added_s", "p99"), ms, "the library"),
        ),
        "memory_under_load": (
            Figure(
                "a query while 100 actions a second come, p99",
                at("under load", "p99"),
                ms,
                "",
                0.020,
                most=True,
            ),
            Figure("actions lost meanwhile", at("dropped"), count, "", 0, most=True),
        ),
        "durability": (
            Figure(
                "acknowledged episodes lost, 200 × `kill -9`", at("lost"), count, "", 0, most=True
            ),
            Figure(
                "appends of 100, each on disk",
                at("speed_against_sqlite"),
                ratio,
                "bare SQLite, same rows and settings",
                0.7,
            ),
        ),
        "memory_peers": (
            *_peers("exact"),
            *_peers("one letter wrong"),
            *_peers("never seen"),
            Figure(
                "append of 100",
                over(
                    at("systems", "hipercampo", "append_of_100_s", "median"),
                    at("systems", "clara_memory", "append_of_100_s", "median"),
                ),
                times,
                "hipercampo",
                30,
            ),
        ),
        "hdc_encode": (
            *_encoding("one", "torchhd MAP", "torchhd BSC", "holovec BSC", "hdlib"),
            *_encoding("batch", "torchhd MAP", "torchhd BSC"),
        ),
        "gist_capacity": (
            Figure("right from a gist's block of 100 records", at("100", "sums"), percent),
            Figure("the same of 500 records", at("500", "sums"), percent),
        ),
        "memory_design": (),
        "memory_kitchen": tuple(
            Figure(f"{words}, right, {way}", at(f"{kind}: {way}", "right"), percent)
            for kind, words in (
                ("all", "narrated kitchen actions, the verb asked"),
                ("paraphrased", "those named by another word than the one stored"),
            )
            for way in ("memory + meaning", "SQL + wordllama", "SQL + rapidfuzz")
        ),
        "memory_curves": (),
        "chance_resemblance": (),
    },
    "Training": {
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
            Figure(
                "a LoRA step on a CPU", at("speed_against_trl"), ratio, "TRL's SFTTrainer", 1.0
            ),
            Figure(
                "the same, of the roof", at("share_of_roof"), percent, "fp32 matrix products", 0.8
            ),
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
            Figure(
                "a dimension of 1,000 examples", at("dimension_seconds"), seconds, "", 60, True
            ),
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
            Figure(
                "tokens a second of the tokenizer", at("tokenizer", "tokens_per_second"), count
            ),
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
    },
    "The whole": {
        "idle_nodes": (
            Figure("memory node, idle", at("memory", "Pss"), mb),
            Figure("memory node, idle, of a core", at("memory", "cpu_share_of_a_core"), percent),
            Figure("brain node, idle, model loaded", at("brain", "Pss"), mb),
            Figure("brain node, idle, of a core", at("brain", "cpu_share_of_a_core"), percent),
        ),
        "launch_time": (
            Figure("first `make launch`, bare clone", at("first"), seconds),
            Figure("later `make launch`", lambda result: sorted(result["later"])[2], seconds),
        ),
    },
}

# What the README quotes: of each benchmark the figures by what they are of.
HEADLINES: dict[str, tuple[str, ...]] = {
    "chat_overhead": ("`chat` over ROS, tokens/s", "time to first token that ROS adds"),
    "engine_speed": ("one stream, Q4_1", "four at once, Q4_1"),
    "busy_cores": ("writing, one core busy",),
    "memory_scale": ("role query, 1,000,000 episodes", "RAM, 1,000,000 episodes"),
    "memory_accuracy": ("one edit in two roles", "things never seen taken for known ones"),
    "memory_under_load": ("a query while 100 actions a second come, p99",),
    "durability": ("acknowledged episodes lost, 200 × `kill -9`",),
    "skills": ("wrong actions, 317 utterances for three robots", "orders obeyed"),
    "gpu_lora": ("LoRA on an H100, packed",),
    "gpu_pretrain": ("MFU, training 341 M on an H100",),
    "idle_nodes": ("memory node, idle", "brain node, idle, model loaded"),
    "launch_time": ("first `make launch`, bare clone", "later `make launch`"),
}
