# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's own server, built here from the sources that llama-cpp-python was built from.

So both sides of a comparison have the same llama.cpp and the same instructions of this processor;
a server from a wheel has neither. It is built once, into `build/`, in five minutes on two cores.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from clara_brain.settings import EngineSettings

ROOT = Path(__file__).resolve().parent.parent
_OFF = ("TESTS", "EXAMPLES", "APP", "UI")


def server_binary() -> Path:
    """Return the server's program; build it where it is not there yet."""
    release = version("llama-cpp-python")
    folder = ROOT / "build" / f"llama-server-{release}"
    binary = folder / "cmake" / "bin" / "llama-server"
    if binary.is_file():
        return binary
    cmake = shutil.which("cmake", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if cmake is None:
        sys.exit("chat_server: cmake is needed to build llama.cpp's server: pip install cmake")
    print(f"building llama.cpp's own server of llama-cpp-python {release}, once ...", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    # Its sources alone; what pip reads them with comes as wheels.
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    sources_only = ["--no-binary", "llama-cpp-python", "--dest", str(folder)]
    _run(*download, *sources_only, f"llama-cpp-python=={release}")
    archive = next(folder.glob("*.tar.gz"))
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    sources = archive.with_name(archive.name.removesuffix(".tar.gz")) / "vendor" / "llama.cpp"
    settings = [f"-DLLAMA_BUILD_{name}=OFF" for name in _OFF]
    settings += [
        "-DLLAMA_USE_PREBUILT_UI=OFF",
        "-DLLAMA_OPENSSL=OFF",
        "-DCMAKE_BUILD_TYPE=Release",
    ]
    _run(cmake, "-S", str(sources), "-B", str(folder / "cmake"), *settings)
    jobs = ["--parallel", str(os.cpu_count() or 1)]
    _run(cmake, "--build", str(folder / "cmake"), "--target", "llama-server", *jobs)
    return binary


@contextmanager
def serving(binary: Path, model: Path, settings: EngineSettings) -> Iterator[str]:
    """Serve a model with the engine's settings, on loopback; the URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threads = str(settings.threads())
    server = subprocess.Popen(
        [
            *(str(binary), "--model", str(model), "--host", "127.0.0.1", "--port", str(port)),
            *("--ctx-size", str(settings.n_ctx * settings.slots), "--no-kv-unified"),
            *("--parallel", str(settings.slots), "--threads", threads, "--threads-batch", threads),
            *("--batch-size", str(settings.n_batch), "--ubatch-size", str(settings.n_batch)),
            *("--no-ui", "--cache-ram", "0", "--log-disable"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while not _healthy(url):
            if server.poll() is not None or time.monotonic() > end:
                sys.exit(f"chat_server: {binary} did not start (exit code {server.poll()})")
            time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait(10)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-12:])
        sys.exit(f"chat_server: '{' '.join(command[:4])} ...' failed:\n{said}")
