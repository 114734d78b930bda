#!/bin/sh
# The runtime stage of the Dockerfile without Docker: a clean virtual environment from the same
# list, in which the service starts, answers, and has imported neither torch, sentence-transformers
# nor anything of training, which is not even there. It serves what `make demo` published.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
clean=$(mktemp -d)
trap 'rm -rf "$clean"' EXIT
mkdir "$clean/build" "$clean/run"
cp -r pyproject.toml constraints.txt README.md features models service "$clean/build"
sed -i 's/, "training"//' "$clean/build/pyproject.toml"
cp -r examples "$clean/run"
"${PYTHON:-python3}" -m venv "$clean/venv"
"$clean/venv/bin/python" -m pip install --quiet --constraint constraints.txt "$clean/build"
for package in torch sentence-transformers scikit-learn matplotlib; do
    if "$clean/venv/bin/python" -m pip show --quiet "$package" 2>/dev/null; then
        echo "runtime-check: $package is installed, but the runtime must not have it" >&2
        exit 1
    fi
done
cd "$clean/run"
HF_HUB_OFFLINE=1 CREATORFIT_HOME="$root/var" \
    "$clean/venv/bin/python" -m examples.ask examples/brief.json --no-heavy-imports
du -sh "$clean/venv" | sed 's|\t.*| of runtime environment|'
