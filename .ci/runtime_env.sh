#!/bin/sh
# Makes FOLDER/venv: what the Dockerfile makes without Docker. Every file is the one whose hash the
# locks have, nothing is built from source but the package itself, from the serving rooms alone.
set -eu
cd "$(dirname "$0")/.."
folder=$1
mkdir -p "$folder/build"
cp -r pyproject.toml README.md features models service "$folder/build"
sed -i 's/, "training"//' "$folder/build/pyproject.toml"
install="-m pip install --quiet --require-hashes --only-binary :all:"
"${PYTHON:-python3}" -m venv "$folder/build-venv"
# shellcheck disable=SC2086
"$folder/build-venv/bin/python" $install -r requirements/build.lock
"$folder/build-venv/bin/python" -m pip wheel --quiet --no-deps --no-build-isolation \
    --wheel-dir "$folder/wheel" "$folder/build"
"${PYTHON:-python3}" -m venv "$folder/venv"
# shellcheck disable=SC2086
"$folder/venv/bin/python" $install -r requirements/runtime.lock
"$folder/venv/bin/python" -m pip install --quiet --no-deps --no-index "$folder"/wheel/*.whl
"$folder/venv/bin/python" -m pip check
