#!/usr/bin/env bash
# Copyright 2026 The Clara Authors
# SPDX-License-Identifier: Apache-2.0
# Checks style, types, headers and package files; `make lint` calls it. Runs every check, then fails if any did.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
check() { # name, command...
    local name="$1"
    shift
    echo "--- $name"
    "$@" || failed+=("$name")
}

mapfile -t packages < <(find src tests -name package.xml -printf '%h\n' | sort)
mapfile -t python_packages < <(find src tests -name setup.py -printf '%h\n' | sort)
mapfile -t libraries < <(find src/*/*/ -maxdepth 1 -name __init__.py -printf '%h\n' | grep -v /test | sort)

check "ruff check" ruff check .
check "ruff format" ruff format --check .
check "ament_flake8" ament_flake8 --config tools/flake8.ini "${python_packages[@]}"
check "ament_pep257" ament_pep257 --convention pep257 --add-ignore D105 D107 -- "${libraries[@]}"
check "mypy" mypy "${libraries[@]}"
check "package files" python tools/check_packages.py "${packages[@]}"
check "headers" python tools/check_headers.py
check "SROS2 policy" python tools/check_policy.py --quiet
if command -v hadolint >/dev/null; then # its wheel is for x86-64
    check "Dockerfiles" hadolint docker/*.Dockerfile
fi

if [ ${#failed[@]} -gt 0 ]; then
    (IFS=,; echo "lint: failed: ${failed[*]}") >&2
    exit 1
fi
echo "lint: all checks passed"
