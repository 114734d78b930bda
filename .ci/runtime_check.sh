#!/bin/sh
# The runtime stage of the Dockerfile without Docker: a clean virtual environment from the same
# list, in which the service starts, answers, and has imported neither torch nor
# sentence-transformers. It serves what `make demo` published.
set -eu
cd "$(dirname "$0")/.."
clean=$(mktemp -d)
trap 'rm -rf "$clean"' EXIT
python3 -m venv "$clean/venv"
"$clean/venv/bin/python" -m pip install --quiet --constraint constraints.txt .
for package in torch sentence-transformers scikit-learn matplotlib; do
    if "$clean/venv/bin/python" -m pip show --quiet "$package" 2>/dev/null; then
        echo "runtime-check: $package is installed, but the runtime must not have it" >&2
        exit 1
    fi
done
HF_HUB_OFFLINE=1 "$clean/venv/bin/python" -m examples.ask examples/brief.json --no-heavy-imports
du -sh "$clean/venv" | sed 's|\t.*| of runtime environment|'
