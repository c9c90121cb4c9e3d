# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's own HTTP server, from the wheel xllamacpp, on loopback: what llama-server runs.

Run as a program it serves until its standard input ends, so at the latest with who started it;
`serving` runs it in a process of its own, gives its URL, and at the end cuts it short.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(model: Path, *options: str, port: int = 0) -> Iterator[str]:
    """Serve a model; the URL. Options are those of `main`."""
    command = [sys.executable, str(Path(__file__)), str(model), "--port", str(port), *options]
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout and server.stderr
    try:
        url = server.stdout.readline().strip()
        assert url, server.stderr.read()
        yield url
    finally:
        server.terminate()
        server.wait(10)


def main() -> None:
    import xllamacpp

    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="")
    parser.add_argument("--adapter", action="append", default=[])
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--n-ctx", type=int, default=1024, help="of each slot")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--embeddings", action="store_true")
    options = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = ["smollm2"]
    params.hostnames, params.port = ["127.0.0.1"], options.port
    params.n_parallel, params.n_ctx = options.slots, options.slots * options.n_ctx
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.warmup, params.ui, params.verbosity = False, False, -1
    params.embedding = options.embeddings
    if options.embeddings:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if options.key:
        params.api_keys = [options.key]
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 1.0) for path in options.adapter]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
