#!/bin/sh
 # Creates a virtual environment for production: the locked requirements, with verified hashes, and
# the library as a wheel.
# Usage: docker/install.sh DIRECTORY
set -eu
root="$(dirname "$0")/.."
build="$(mktemp -d)"
trap 'rm -rf "$build"' EXIT
pip_of() {
    venv="$1"
    shift
    "$venv/bin/python" -m pip "$@" --quiet --no-cache-dir --disable-pip-version-check
}

python3 -m venv "$build/venv"
pip_of "$build/venv" install --require-hashes -r "$root/requirements/build.txt"
pip_of "$build/venv" wheel --no-deps --no-build-isolation --wheel-dir "$build" "$root/common"

python3 -m venv "$1"
pip_of "$1" install --require-hashes -r "$root/requirements/prod.txt"
pip_of "$1" install --no-deps "$build"/*.whl
# Compiled now because the image's user cannot write.
"$1/bin/python" -m compileall -q "$1/lib"
"$1/bin/python" -m pip uninstall --quiet --yes pip setuptools
