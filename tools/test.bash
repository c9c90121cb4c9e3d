#!/usr/bin/env bash
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# Runs the tests of every package through colcon, then those of the tools, and shows all results; `make test` calls it.
# Arguments go to colcon, as: --packages-select clara_memory
set -uo pipefail
cd "$(dirname "$0")/.."

export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST PYTHONDONTWRITEBYTECODE=1
export PYTEST_ADDOPTS="${PYTEST_ADDOPTS:-} --timeout=300"
# Nodes find each other at once, not after Fast DDS's 3 s, where the first announcements went unheard.
if [ "${ROS_DISTRO:-jazzy}" = jazzy ]; then
    export FASTRTPS_DEFAULT_PROFILES_FILE="$PWD/tests/fast_discovery.xml"
else
    export FASTDDS_DEFAULT_PROFILES_FILE="$PWD/tests/fast_discovery.xml"
fi
failed=0
python -m colcon test-result --delete-yes >/dev/null
python -m colcon test --executor sequential --event-handlers console_direct+ --return-code-on-test-failure "$@" || failed=1
# colcon calls a package whose tests it cannot find a success.
for setup in $([ $# -eq 0 ] && ls src/*/setup.py tests/setup.py); do
    name="$(sed -n 's:.*<name>\(.*\)</name>.*:\1:p' "$(dirname "$setup")/package.xml")"
    if [ ! -s "build/$name/pytest.xml" ]; then
        echo "test: no test of $name was run" >&2
        failed=1
    fi
done
if [ $# -eq 0 ] && python tools/ros2_on_pip/ros2_on_pip/check.py >/dev/null; then
    python -m pytest -n 4 tools/ros2_on_pip/test --junit-xml build/ros2_on_pip/pytest.xml || failed=1
fi
python -m colcon test-result --verbose || failed=1
exit $failed
