# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""Base models by name, path and GGUF; a hub that is not there, or says no."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tiny
import torch
from clara_training.base import Base, find_base, load_model, load_tokenizer
from clara_training.errors import BaseModelError, StorageError
from clara_training.export_gguf import write_model
from clara_training.manifest import sha256_of
from clara_training.merge_check import tensor_shapes
from clara_training.weight_files import weight_files
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

PACKAGE = Path(__file__).parents[1]
# The hub's address and cache are read when its client is imported: a process for each.
FIND = """
import sys
from clara_training.base import find_base
from clara_training.errors import BaseModelError
try:
    print(find_base(sys.argv[1]).folder)
except BaseModelError as error:
    print(error)
"""


class Hub(BaseHTTPRequestHandler):
    """Speaks as the hub does of repositories that are missing or gated, and of one that is."""

    folder: Path

    def do_HEAD(self):
        self._answer(b"")

    def do_GET(self):
        self._answer(None)

    def _answer(self, body):
        path = self.path.split("?")[0]
        code, headers, content = 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if "/somebody/gated" in path:
            code, headers = 403, {"X-Error-Code": "GatedRepo"}
        files = sorted(f.name for f in self.folder.iterdir())
        commit = "a" * 40
        about = {
            "id": "somebody/there",
            "sha": commit,
            "siblings": [{"rfilename": name} for name in files],
        }
        tree = [
            {
                "type": "file",
                "path": name,
                "size": (self.folder / name).stat().st_size,
                "oid": name,
            }
            for name in files
        ]
        if path.startswith("/api/models/somebody/there"):
            code, headers = 200, {"Content-Type": "application/json"}
            content = json.dumps(tree if "/tree/" in path else about).encode()
        elif path.startswith("/somebody/there/resolve/"):
            content = (self.folder / path.rsplit("/", 1)[1]).read_bytes()
            code = 200
            headers = {"ETag": f'"{len(content)}"', "X-Repo-Commit": commit}
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body is None:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def find_at_hub(name, endpoint, cache):
    done = subprocess.run(
        [sys.executable, "-c", FIND, name],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")]),
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(cache),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_hub_model_is_fetched_once_and_then_found_without_the_hub(tmp_path):
    Hub.folder = tiny.save(tiny.llama(), tmp_path / "served")
    (Hub.folder / "consolidated.safetensors").write_bytes(b"the same once more")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    cache = tmp_path / "cache"
    try:
        folder = find_at_hub("somebody/there", endpoint, cache)
        weights = (Hub.folder / "model.safetensors").read_bytes()
        assert (Path(folder) / "model.safetensors").read_bytes() == weights
        assert not (Path(folder) / "consolidated.safetensors").exists()
        assert "the hub has no model somebody/missing" in find_at_hub(
            "somebody/missing", endpoint, cache
        )
        assert "set HF_TOKEN in .env" in find_at_hub("somebody/gated", endpoint, cache)
    finally:
        server.shutdown()
        server.server_close()
    assert find_at_hub("somebody/there", endpoint, cache) == folder
    said = find_at_hub("somebody/else", endpoint, cache)
    assert "the hub cannot be reached" in said
    assert "--base smollm2" in said
    assert "\n" not in said


def test_what_is_no_base_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(BaseModelError, match=r"the base model's folder \./nowhere is not there"):
        find_base("./nowhere")
    with pytest.raises(BaseModelError, match=r"base model nowhere\.gguf is not there"):
        find_base("nowhere.gguf")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BaseModelError, match=r"has no \*\.safetensors"):
        find_base(str(tmp_path))
    (tmp_path / "bad.gguf").write_bytes(b"GGUF????")
    with pytest.raises(BaseModelError, match=r"bad\.gguf cannot be loaded"):
        find_base(str(tmp_path / "bad.gguf"))


def test_a_template_that_fails_or_leaves_out_what_was_said_is_a_sentence(tmp_path):
    for template, sentence in (
        ("{{ raise_exception('no such role') }}", "template of .* fails: no such role"),
        ("{{ messages[0]['content'] }}", "leaves out what was said"),
    ):
        tokens = tiny.tokenizer()
        tokens.chat_template = template
        base = find_base(str(tiny.save(tiny.llama(), tmp_path / "base", tokens)))
        with pytest.raises(BaseModelError, match=sentence):
            load_tokenizer(base)


def test_cuda_where_there_is_none_is_a_sentence(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    base = find_base(str(tiny.save(tiny.llama(), tmp_path / "base")))
    with pytest.raises(BaseModelError, match="PyTorch finds no CUDA GPU"):
        load_model(base, "cuda")


def test_a_gguf_becomes_a_folder_with_the_same_model_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = tiny.llama()
    folder = tiny.save(model, tmp_path / "source")
    write_model(folder, tmp_path / "tiny.gguf", outtype="f32")
    base = find_base(str(tmp_path / "tiny.gguf"))
    assert base.folder.is_relative_to(tmp_path / "cache" / "clara" / "bases")
    ids = torch.tensor([[5, 9, 30, 17]])
    with torch.inference_mode():
        wanted = model(ids).logits
        loaded = load_model(base, "cpu")
        torch.testing.assert_close(loaded(ids).logits, wanted, rtol=1e-4, atol=1e-4)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert (
        load_tokenizer(base)("the red cup")["input_ids"]
        == tiny.tokenizer()("the red cup")["input_ids"]
    )
    made = (base.folder / "model.safetensors").stat().st_mtime_ns
    assert find_base(str(tmp_path / "tiny.gguf")) == base
    assert (base.folder / "model.safetensors").stat().st_mtime_ns == made
    AutoModelForCausalLM.from_pretrained(base.folder).save_pretrained(tmp_path / "again")


def test_a_gguf_that_several_want_at_once_is_dequantised_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_model(tiny.save(tiny.llama(), tmp_path / "source"), tmp_path / "tiny.gguf")
    real = AutoModelForCausalLM.from_pretrained
    loaded = []

    def from_pretrained(*arguments, **options):
        loaded.append(options)
        time.sleep(1.0)  # long enough for all to have begun
        return real(*arguments, **options)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", from_pretrained)
    with ThreadPoolExecutor(3) as pool:
        bases = list(pool.map(find_base, [str(tmp_path / "tiny.gguf")] * 3))
    assert len(loaded) == 1 and len(set(bases)) == 1
    assert load_tokenizer(bases[0]).chat_template == tiny.CHATML


def test_a_cache_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    write_model(tiny.save(tiny.llama(), tmp_path / "source"), tmp_path / "tiny.gguf")
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(StorageError, match=r"\.lock cannot be written"):
        find_base(str(tmp_path / "tiny.gguf"))


def test_files_that_nobody_reads_do_not_make_another_base_of_a_folder(tmp_path):
    base = find_base(str(tiny.save(tiny.llama(), tmp_path / "base")))
    before = base.sha256()
    assert before == sha256_of(base.folder)  # of a folder with nothing else in it
    (base.folder / "README.md").write_text("Downloaded by another tool.")
    (base.folder / "pytorch_model.bin").write_bytes(b"other weights")
    (base.folder / "consolidated.safetensors").write_bytes(b"the same once more")
    (base.folder / ".cache" / "huggingface").mkdir(parents=True)
    (base.folder / ".cache" / "huggingface" / "config.json.metadata").write_text("1")
    assert base.sha256() == before
    assert weight_files(base.folder) == [base.folder / "model.safetensors"]
    template = base.folder / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    assert base.sha256() != before


def test_the_weights_of_a_base_are_those_that_transformers_reads(tmp_path):
    folder = tiny.save(tiny.llama(), tmp_path / "base")
    whole = {name: shape for name, (_, shape) in tensor_shapes(folder).items()}
    shards = tmp_path / "shards"
    tiny.llama().save_pretrained(shards, max_shard_size="200KB")
    names = [path.name for path in weight_files(shards)]
    assert len(names) > 1
    extra = {"layers.0.attention.wq.weight": torch.ones(2, 2)}
    for name in ("consolidated.safetensors", "model-00009-of-00009.safetensors"):
        save_file(extra, shards / name)
        save_file(extra, folder / name)
    assert [path.name for path in weight_files(shards)] == names
    for each in (folder, shards):
        assert {name: shape for name, (_, shape) in tensor_shapes(each).items()} == whole
    write_model(folder, tmp_path / "base.gguf")


def test_a_base_in_a_folder_is_called_as_the_folder(tmp_path, monkeypatch):
    tiny.save(tiny.llama(), tmp_path / "base")
    monkeypatch.chdir(tmp_path / "base")
    for name in (str(tmp_path / "base"), "../base", "."):
        assert find_base(name).title == "base"
    assert Base("somebody/there", tmp_path / "base").title == "somebody/there"
