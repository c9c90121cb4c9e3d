# syntax=docker/dockerfile:1
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# Clara on a robot: brain, memory, web console and the simulated robot, without PyTorch. Build it from the top of the checkout:
#   docker build -f docker/robot.Dockerfile -t clara/robot:0.1.0 .
#   docker build -f docker/robot.Dockerfile -t clara/robot:0.1.0-cuda --build-arg ACCELERATOR=cuda .
# What changes least comes first: ROS 2, then llama.cpp (minutes), the interfaces (a minute), the Python packages (seconds).
ARG ROS_DISTRO=jazzy
ARG ACCELERATOR=cpu
ARG CUDA_VERSION=12.9.1

FROM nvidia/cuda:${CUDA_VERSION}-devel-ubuntu24.04 AS cuda

FROM ros:${ROS_DISTRO}-ros-base AS base
ARG ROS_DISTRO
# Each ROS 2 package that a package.xml here names; nearly all come with the base image already.
# Versions are those of the base image's release: the archives keep no others to pin.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
        libgomp1 \
        "ros-${ROS_DISTRO}-action-msgs" \
        "ros-${ROS_DISTRO}-ament-index-python" \
        "ros-${ROS_DISTRO}-builtin-interfaces" \
        "ros-${ROS_DISTRO}-diagnostic-msgs" \
        "ros-${ROS_DISTRO}-domain-coordinator" \
        "ros-${ROS_DISTRO}-launch" \
        "ros-${ROS_DISTRO}-launch-ros" \
        "ros-${ROS_DISTRO}-lifecycle-msgs" \
        "ros-${ROS_DISTRO}-rcl-interfaces" \
        "ros-${ROS_DISTRO}-rclpy" \
        "ros-${ROS_DISTRO}-ros2launch" \
        "ros-${ROS_DISTRO}-rosidl-parser" \
        "ros-${ROS_DISTRO}-service-msgs" \
        "ros-${ROS_DISTRO}-std-msgs" \
        "ros-${ROS_DISTRO}-unique-identifier-msgs" \
    && rm -rf /var/lib/apt/lists/*

FROM base AS build-cpu
# For any machine of the architecture, not for the one that builds: on amd64 that needs AVX2.
ENV CLARA_CMAKE_ARGS="-DGGML_NATIVE=OFF"

FROM base AS build-cuda
COPY --from=cuda /usr/local/cuda /usr/local/cuda
ENV CLARA_CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_CUDA=ON" CUDACXX=/usr/local/cuda/bin/nvcc

# hadolint ignore=DL3006
FROM build-${ACCELERATOR} AS build
ARG ROS_DISTRO
# More of llama.cpp's own switches, as -DGGML_CPU_ARM_ARCH=armv8.2-a+dotprod or -DCMAKE_CUDA_ARCHITECTURES=89.
ARG CMAKE_ARGS=""
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
        build-essential git python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/clara
COPY constraints.txt ./
COPY requirements ./requirements
COPY tools/set_up.py tools/ros_env.bash ./tools/
# Under a sourced ROS 2, Python packages that belong to the system stay as they are; the rest is what constraints.txt pins.
RUN source "/opt/ros/${ROS_DISTRO}/setup.bash" \
    && CMAKE_ARGS="${CLARA_CMAKE_ARGS} ${CMAKE_ARGS}" python3 tools/set_up.py --runtime
COPY colcon.meta setup.bash ./
COPY src/clara_interfaces ./src/clara_interfaces
RUN source tools/ros_env.bash \
    && python -m colcon build --executor sequential --packages-select clara_interfaces
COPY src/clara_memory ./src/clara_memory
COPY src/clara_brain ./src/clara_brain
COPY src/clara_console ./src/clara_console
COPY src/clara_demo ./src/clara_demo
RUN source tools/ros_env.bash && source install/local_setup.bash \
    && python -m colcon build --executor sequential \
        --packages-select clara_memory clara_brain clara_console clara_demo \
    && rm -rf build log

FROM build AS sbom
COPY tools/sbom.py ./tools/
RUN python3 -m venv /opt/sbom \
    && /opt/sbom/bin/pip install --no-cache-dir -c constraints.txt -r requirements/sbom.txt \
    && /opt/sbom/bin/python tools/sbom.py --python .venv/bin/python --out sbom robot

FROM base AS runtime-cpu

FROM base AS runtime-cuda
COPY --from=cuda /usr/local/cuda/lib64/libcudart.so.12* /usr/local/cuda/lib64/libcublas.so.12* \
    /usr/local/cuda/lib64/libcublasLt.so.12* /usr/local/cuda/lib64/
RUN echo /usr/local/cuda/lib64 > /etc/ld.so.conf.d/cuda.conf && ldconfig
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# hadolint ignore=DL3006
FROM runtime-${ACCELERATOR}
ARG ROS_DISTRO
LABEL org.opencontainers.image.title="Clara" \
      org.opencontainers.image.description="A ROS 2 robot's local mind: language model and episodic memory" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin clara \
    && install -d -o clara -g clara /data /models
WORKDIR /opt/clara
COPY --from=build /opt/clara/.venv ./.venv
COPY --from=build /opt/clara/install ./install
COPY --from=sbom /opt/clara/sbom ./sbom
RUN dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' > sbom/debian.txt
COPY LICENSE NOTICE setup.bash ./
COPY tools/ros_env.bash ./tools/
COPY docker/entrypoint.bash docker/healthcheck.py docker/cuda.params.yaml ./docker/
# Memory, conversations and KV cache are in ~/.clara, so on the volume. Nothing else is written but logs.
ENV HOME=/data ROS_LOG_DIR=/tmp/ros_log PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /data
VOLUME ["/data", "/models"]
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --timeout=20s --start-period=120s --retries=3 \
    CMD ["/opt/clara/docker/entrypoint.bash", "healthcheck", "lifecycle", "memory", "brain"]
ENTRYPOINT ["/opt/clara/docker/entrypoint.bash"]
CMD ["launch"]
