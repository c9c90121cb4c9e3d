#!/usr/bin/env bash
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# Runs a command in Clara's environment. Three words are its own:
#   launch [ARGUMENT...]              the bring-up; CLARA_NAMESPACE, _MODEL, _SKILLS and _PARAMS are arguments of it
#   node PACKAGE NAME [ARGUMENT...]   a node alone, in CLARA_NAMESPACE; ROS arguments, as -p host:=0.0.0.0
#   healthcheck WHAT...               see healthcheck.py
#   anything else                     as it stands: ros2 ..., clara ask ..., bash
set -eo pipefail # not -u: ROS 2's own set-up files read variables that may not be there

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=/dev/null
source "$root/setup.bash"

# /robot1/clara/ is robot1/clara: it becomes part of other names. / alone stays.
shopt -s extglob
if [ -n "${CLARA_NAMESPACE:-}" ]; then
    CLARA_NAMESPACE="${CLARA_NAMESPACE##+(/)}"
    CLARA_NAMESPACE="${CLARA_NAMESPACE%%+(/)}"
    export CLARA_NAMESPACE="${CLARA_NAMESPACE:-/}"
fi

case "${1:-}" in
launch)
    shift
    arguments=()
    # `ros2 launch` refuses an empty value, so what is not set is not given.
    for pair in namespace:CLARA_NAMESPACE model:CLARA_MODEL skills:CLARA_SKILLS params_file:CLARA_PARAMS; do
        variable="${pair#*:}"
        if [ -n "${!variable:-}" ]; then arguments+=("${pair%%:*}:=${!variable}"); fi
    done
    exec ros2 launch clara_brain clara.launch.py "${arguments[@]}" "$@"
    ;;
node)
    namespace="${CLARA_NAMESPACE:-clara}"
    exec ros2 run "${@:2:2}" --ros-args -r "__ns:=/${namespace#/}" "${@:4}"
    ;;
healthcheck)
    shift
    exec python "$root/docker/healthcheck.py" "$@"
    ;;
*)
    exec "$@"
    ;;
esac
