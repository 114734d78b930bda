#!/bin/sh
# The runtime stage of the Dockerfile without Docker: a clean virtual environment from the same
# locks (`runtime_env.sh`), in which the service starts, answers, and has imported neither torch, sentence-transformers
# nor anything of training, which is not even there. It serves what `make demo` published.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
clean=$(mktemp -d)
trap 'rm -rf "$clean"' EXIT
mkdir "$clean/run"
cp -r examples "$clean/run"
sh .ci/runtime_env.sh "$clean"
for package in torch sentence-transformers scikit-learn matplotlib; do
    if "$clean/venv/bin/python" -m pip show --quiet "$package" 2>/dev/null; then
        echo "runtime-check: $package is installed, but the runtime must not have it" >&2
        exit 1
    fi
done
if [ -x .venv/bin/cyclonedx-py ]; then sh .ci/sbom.sh "$clean/venv/bin/python"; fi
cd "$clean/run"
HF_HUB_OFFLINE=1 CREATORFIT_HOME="$root/var" \
    "$clean/venv/bin/python" -m examples.ask examples/brief.json --no-heavy-imports
du -sh "$clean/venv" | sed 's|\t.*| of runtime environment|'
