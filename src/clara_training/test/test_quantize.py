# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Quantised models stay true to theirs, truer with an importance matrix; fallbacks are said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import numpy as np
import pytest
import tiny
import torch
from clara_training.errors import ExportError, StorageError
from clara_training.export_gguf import write_model
from clara_training.fidelity import GATES, compare

from clara_training import export_gguf, imatrix, quantize

WIDE = {"hidden_size": 256, "intermediate_size": 512, "initializer_range": 0.04}


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A model whose rows are multiples of 256 and whose inputs differ much in size."""
    torch.set_num_threads(1)
    model = tiny.llama(**WIDE)
    with torch.no_grad():
        for layer in model.model.layers:
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.weight[::16] = 12.0
    folder = tmp_path_factory.mktemp("wide")
    write_model(tiny.save(model, folder / "hf"), folder / "f16.gguf")
    return model, folder / "f16.gguf"


def texts(seed: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return random.integers(3, tiny.VOCAB, (8, 64)).tolist()


def test_quantised_models_pass_their_gates_and_need_no_fallback(
    wide: tuple[Any, Path], tmp_path: Path
) -> None:
    model, source = wide
    assert quantize.choose(source) == "Q4_K_M"
    sizes, divergence = [], []
    for kind, file_type in (("Q8_0", 7), ("Q6_K", 18), ("Q5_K_M", 17), ("Q4_K_M", 15)):
        path = tmp_path / f"{kind}.gguf"
        made = quantize.quantise(source, path, kind, threads=1)
        assert made.fallbacks == () and made.bytes == path.stat().st_size
        assert gguf.GGUFReader(path).fields["general.file_type"].contents() == file_type
        sizes.append(made.bits_per_weight)
        divergence.append(compare(model, path, texts(1), threads=1).kl)
    assert divergence[0] < 1e-2
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] > 4
    assert divergence == sorted(divergence)
    assert set(quantize.WEIGHTED) < set(quantize.KINDS) == set(GATES)


def test_an_importance_matrix_makes_four_bits_truer(
    wide: tuple[Any, Path], tmp_path: Path
) -> None:
    model, source = wide
    imatrix.save(tmp_path / "imatrix.gguf", imatrix.gather(model, texts(2)))
    matrix = imatrix.load(tmp_path / "imatrix.gguf")
    assert matrix["blk.1.ffn_down.weight"].shape == (512,)
    found = []
    for name, weights in (("plain", None), ("weighted", matrix)):
        quantize.quantise(source, tmp_path / name, "Q4_K_M", weights, threads=1)
        found.append(compare(model, tmp_path / name, texts(3), threads=1).kl)
    assert found[1] < 0.9 * found[0]


def test_the_matrix_holds_the_mean_squared_inputs(wide: tuple[Any, Path], tmp_path: Path) -> None:
    model, _ = wide
    matrix = imatrix.gather(model, texts(4)[:2])
    seen: list[torch.Tensor] = []
    hook = model.model.layers[0].mlp.up_proj.register_forward_hook(
        lambda module, inputs, output: seen.append(inputs[0].detach())
    )
    with torch.inference_mode():
        for text in texts(4)[:2]:
            model(torch.tensor([text]))
    hook.remove()
    sums, count = matrix["blk.0.ffn_up.weight"]
    wanted = torch.cat([each.reshape(-1, 256) for each in seen]).square().sum(0)
    assert count == 128
    assert np.allclose(sums, wanted.numpy(), rtol=1e-4)
    assert {f"blk.1.{part}.weight" for part in ("attn_q", "attn_output", "ffn_gate")} < set(matrix)
    assert "output.weight" in matrix


def test_rows_that_do_not_fit_fall_back_and_it_is_said(tmp_path: Path) -> None:
    source = tmp_path / "f16.gguf"
    write_model(tiny.save(tiny.llama(), tmp_path / "hf"), source)
    assert quantize.choose(source) == "Q8_0"
    made = quantize.quantise(source, tmp_path / "q4.gguf", "Q4_K_M", threads=1)
    assert len(made.fallbacks) >= 10
    assert "blk.0.attn_k.weight: q4_K -> q5_0" in made.fallbacks
    assert "fell back to another type, for their rows are not a multiple of 256" in made.sentence()


def test_what_cannot_be_quantised_leaves_nothing_behind(
    wide: tuple[Any, Path], tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="'Q9' is no quantisation known here"):
        quantize.quantise(wide[1], tmp_path / "out.gguf", "Q9")
    matrix = {"blk.0.ffn_up.weight": np.full(256, np.nan, np.float32)}
    with pytest.raises(ExportError, match=r"could not quantise .* non-finite"):
        quantize.quantise(wide[1], tmp_path / "out.gguf", "Q4_K_M", matrix, threads=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "bytes_a_weight"), [("Q8_0", 1.05), ("Q4_K_M", 0.55)])
def test_a_full_disk_is_named_before_and_after(
    wide: tuple[Any, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    bytes_a_weight: float,
) -> None:
    model, source = wide
    free = [int(bytes_a_weight * model.num_parameters())]
    usage = SimpleNamespace(disk_usage=lambda folder: SimpleNamespace(free=free.pop(0)))
    monkeypatch.setattr(export_gguf, "shutil", usage)
    with pytest.raises(StorageError, match=r"out\.gguf cannot be written: it needs .* MB"):
        quantize.quantise(source, tmp_path / "out.gguf", kind, threads=1)
    free += [10**12, 0]  # another process takes the rest meanwhile
    damaged = {"blk.0.ffn_up.weight": np.full(256, np.nan, np.float32)}
    if kind == "Q4_K_M":
        with pytest.raises(StorageError, match=r"and the disk has 0 MB; make room"):
            quantize.quantise(source, tmp_path / "out.gguf", kind, damaged, threads=1)
    assert not list(tmp_path.iterdir())
