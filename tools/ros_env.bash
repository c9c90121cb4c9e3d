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
    # Other workspaces that are sourced stay, in front: they lie over this ROS 2. What is of this checkout comes anew,
    # and the venv of another one is another ROS 2.
    for _clara_path in AMENT_PREFIX_PATH CMAKE_PREFIX_PATH; do
        _clara_kept=""
        IFS=: read -ra _clara_entries <<<"${!_clara_path:-}"
        for _clara_entry in ${_clara_entries[@]+"${_clara_entries[@]}"}; do
            case "$_clara_entry" in
                "" | "${_clara_venv%/.venv}"/*) continue ;;
            esac
            if [ ! -f "$_clara_entry/clara/ros.json" ]; then _clara_kept+="$_clara_entry:"; fi
        done
        export "$_clara_path=$_clara_kept$_clara_venv"
    done
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
unset _clara_venv _clara_prefix _clara_libs _clara_libdir _clara_path _clara_kept _clara_entries _clara_entry
