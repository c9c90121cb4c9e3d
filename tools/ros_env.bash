# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# Activates the venv and the ROS 2 that it was made for; sourced by setup.bash, and by `make build` before there is an
# overlay.

_clara_venv="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venv"
_clara_recorded() { sed -n 's/.*"'"$1"'": "\([^"]*\)".*/\1/p' "$_clara_venv/clara/ros.json"; }
_clara_prefix="$(_clara_recorded prefix)"

# shellcheck disable=SC1091
source "$_clara_venv/bin/activate"
if [ -n "$_clara_prefix" ]; then
    case ":${AMENT_PREFIX_PATH:-}:" in
        *":$_clara_prefix:"*) ;;
        *) source "$_clara_prefix/setup.bash" ;;
    esac
else
    ROS_DISTRO="$(_clara_recorded distro)"
    export ROS_DISTRO ROS_VERSION=2 ROS_PYTHON_VERSION=3
    export AMENT_PREFIX_PATH="$_clara_venv" CMAKE_PREFIX_PATH="$_clara_venv"
    # The ROS 2 wheels start every Python a second time to set LD_LIBRARY_PATH, unless it is set already.
    _clara_libs="$_clara_venv/lib"
    for _clara_libdir in "$_clara_venv"/lib/python3*/site-packages/ros_*.libs; do
        if [ -d "$_clara_libdir" ]; then _clara_libs="$_clara_libs:$_clara_libdir"; fi
    done
    case ":${LD_LIBRARY_PATH:-}:" in
        *":$_clara_libs:"*) ;;
        *) export LD_LIBRARY_PATH="$_clara_libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" ;;
    esac
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
fi

unset -f _clara_recorded
unset _clara_venv _clara_prefix _clara_libs _clara_libdir
