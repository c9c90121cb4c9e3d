# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Model files that are damaged, or made to do damage, are refused in one sentence."""

from __future__ import annotations

import os
import struct
from hashlib import sha256
from pathlib import Path

import gguf
import numpy as np
import pytest
from clara_brain.backend import Request
from clara_brain.engine import Engine
from clara_brain.errors import BackendError, ModelError
from clara_brain.gguf import read_header
from clara_brain.model_info import fingerprint
from clara_brain.probe import probe
from clara_brain.prompt import RawPrompt
from clara_brain.sampler import SamplerSettings
from clara_brain.settings import EngineSettings

WORDS = ["<unk>", "<s>", "</s>", "a", "b", "c", "▁", *(f"<0x{byte:02X}>" for byte in range(256))]
WIDTH = 32


def write_model(path: Path, weight: float = 0.1, scores: int = len(WORDS), **changes: int) -> Path:
    """Write a model of one layer and a few words; `tensors`: into parts of so many."""
    numbers = {"heads": 2, "context": 64, "blocks": 1, "tensors": 0} | changes
    writer = gguf.GGUFWriter(path, "llama", split_max_tensors=numbers["tensors"])
    writer.add_context_length(numbers["context"])
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(numbers["blocks"])
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(numbers["heads"])
    writer.add_head_count_kv(numbers["heads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(WORDS)
    writer.add_token_scores([0.0] * scores)
    writer.add_token_types([2, 3, 3, *[1] * 4, *[6] * 256])
    writer.add_chat_template("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    vectors = ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")
    squares = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    shapes = {f"{name}.weight": (WIDTH,) for name in vectors}
    shapes |= {f"blk.0.{name}.weight": (WIDTH, WIDTH) for name in squares}
    shapes["token_embd.weight"] = (len(WORDS), WIDTH)
    for name, shape in shapes.items():
        writer.add_tensor(name, np.full(shape, weight, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as raised:
        read_header(path)
    said = str(raised.value)
    assert said.isprintable() and path.name in said
    return said


def header(*parts: bytes, tensors: int = 0, pairs: int = 1) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + b"".join(parts)


def text(written: str) -> bytes:
    return struct.pack("<Q", len(written)) + written.encode()


def test_a_file_cut_anywhere_is_refused(tmp_path):
    whole = write_model(tmp_path / "whole.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in (0, 3, 4, 8, 23, 24, 100, 1_000, 5_000, len(whole) // 2, len(whole) - 1):
        cut.write_bytes(whole[:size])
        refusal(cut)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (header(pairs=1 << 63), "cut short"),
        (header(tensors=1 << 63, pairs=0), "cut short"),
        (header(struct.pack("<Q", 1 << 63)), "cut short"),
        (header(text("k"), struct.pack("<I", 77)), "unknown metadata type 77"),
        (header(text("k"), struct.pack("<IIQ", 9, 77, 0)), "unknown metadata type 77"),
        (header(text("k"), struct.pack("<IIQ", 9, 9, 1)), "arrays of arrays"),
        (header(text("k"), struct.pack("<IIQ", 9, 8, 1 << 60)), "cut short"),
        (header(text("k"), struct.pack("<IIQ", 9, 10, 1 << 63)), "cut short"),
        (header(*[text("k"), struct.pack("<IB", 0, 1)] * 2, pairs=2), "there twice"),
        (header(text(""), struct.pack("<IB", 0, 1)), "there twice"),
        (header(text("general.alignment"), struct.pack("<IQ", 10, 32)), "no uint32"),
        (header(text("general.alignment"), struct.pack("<II", 4, 0)), "power of two"),
        (header(text("general.alignment"), struct.pack("<II", 4, 33)), "power of two"),
        (header(text("t"), struct.pack("<I", 5), tensors=1, pairs=0), "5 dimensions"),
        (
            header(text("t"), struct.pack("<IQQIQ", 2, 1 << 62, 4, 0, 0), tensors=1, pairs=0),
            "cannot have the shape",
        ),
        (
            header(text("t"), struct.pack("<IQIQ", 1, 33, 8, 0), tensors=1, pairs=0),
            "cannot have the shape",
        ),
        (
            header(text("t"), struct.pack("<IQIQ", 1, 32, 999, 0), tensors=1, pairs=0),
            "unknown type 999",
        ),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, damage, said):
    path = tmp_path / "m.gguf"
    path.write_bytes(damage)
    assert said in refusal(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        assert "no regular file" in refusal(path)


def test_a_file_that_ends_llama_cpp_is_found_out_in_a_child_and_a_sound_one_is_noted(tmp_path):
    noted = tmp_path / "noted"
    sound = write_model(tmp_path / "sound.gguf")
    probe(sound, noted)
    assert len(noted.read_text().split()) == 1
    deadly = write_model(tmp_path / "deadly.gguf", blocks=1 << 16)
    with pytest.raises(ModelError, match=r"deadly\.gguf is damaged.*SIGABRT"):
        probe(deadly, noted)
    refused = write_model(tmp_path / "refused.gguf", heads=0)
    with pytest.raises(ModelError, match=r"could not load .*refused\.gguf"):
        probe(refused, noted)
    assert len(noted.read_text().split()) == 1
    with pytest.raises(ModelError, match="cannot be read"):
        probe(tmp_path / "nothing", noted)


def test_the_lineage_stays_that_of_the_loaded_model_when_its_file_is_replaced(tmp_path):
    path = write_model(tmp_path / "m.gguf")
    engine = Engine(path, EngineSettings(n_ctx=64, slots=1, n_batch=32, n_threads=1))
    try:
        before = engine.model_info()
        write_model(tmp_path / "new.gguf", weight=0.2).replace(path)
        assert engine.model_info() == before
        path.unlink()
        assert engine.model_info().sha256 == before.sha256
    finally:
        engine.close()


def test_a_model_in_several_files_is_told_and_checked_as_one(tmp_path):
    whole = write_model(tmp_path / "whole.gguf")
    write_model(tmp_path / "m.gguf", tensors=5)
    first, second, third = sorted(tmp_path.glob("m-*.gguf"))
    assert read_header(first).parameters == read_header(whole).parameters
    engine = Engine(first, EngineSettings(n_ctx=64, slots=1, n_batch=32, n_threads=1))
    info = engine.model_info()
    engine.close()
    assert info.bytes == sum(path.stat().st_size for path in (first, second, third))
    assert (
        info.sha256 == sha256(b"".join(map(Path.read_bytes, (first, second, third)))).hexdigest()
    )
    before = fingerprint(first)
    os.utime(third, ns=(0, 0))
    assert fingerprint(first) != before
    assert "part 2 of 3" in refusal(second) and "-00001-of-00003.gguf" in refusal(second)
    third.write_bytes(third.read_bytes()[:-1])
    with pytest.raises(ModelError, match=rf"{third.name} is cut short"):
        read_header(first)
    third.unlink()
    with pytest.raises(ModelError, match=rf"{third.name} cannot be read: No such file"):
        probe(first)
    other = first.rename(tmp_path / "other.gguf")
    assert "-00001-of-00003.gguf" in refusal(other)


def test_weights_that_are_no_numbers_fail_the_turn_and_not_the_process(tmp_path):
    path = write_model(tmp_path / "nan.gguf", weight=float("nan"))
    engine = Engine(path, EngineSettings(n_ctx=64, slots=1, n_batch=32, n_threads=1))
    try:
        sampling = SamplerSettings(0.7, 0.9, 40, 0.05, 1.1, 0)
        completion = engine.complete(Request(RawPrompt("abc"), sampling, 8))
        assert isinstance(completion.error, BackendError)
        assert "not a number" in str(completion.error)
    finally:
        engine.close()
