# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# Makes a shell ready for Clara:  source setup.bash
# It activates the venv, the ROS 2 that the venv was made for, and the colcon overlay.

_clara_root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
if [ ! -f "$_clara_root/.venv/clara/ros.json" ] || [ ! -f "$_clara_root/install/local_setup.bash" ]; then
    echo "Clara is not built yet: run 'make build' in $_clara_root first." >&2
    unset _clara_root
    return 1
fi
# shellcheck disable=SC1091
source "$_clara_root/tools/ros_env.bash" && source "$_clara_root/install/local_setup.bash"
unset _clara_root
