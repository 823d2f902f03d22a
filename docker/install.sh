#!/bin/sh
# Makes a virtual environment with what production needs, each file checked against its hash.
# Usage: docker/install.sh DIRECTORY
set -eu
python3 -m venv "$1"
"$1/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check \
    --require-hashes -r "$(dirname "$0")/../requirements/prod.txt"
# Compiled here: the image's user may not write.
"$1/bin/python" -m compileall -q "$1/lib"
"$1/bin/python" -m pip uninstall --quiet --yes pip setuptools
