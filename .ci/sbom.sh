#!/bin/sh
# Writes the bill of materials of an environment, CycloneDX's JSON, to var/artefacts/sbom.json. PYTHON
# is that environment's; without one, the image's is made first.
set -eu
cd "$(dirname "$0")/.."
if [ $# = 0 ]; then
    clean=$(mktemp -d)
    trap 'rm -rf "$clean"' EXIT
    sh .ci/runtime_env.sh "$clean"
    set -- "$clean/venv/bin/python"
fi
mkdir -p var/artefacts
.venv/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
    --output-format JSON --output-file var/artefacts/sbom.json "$1"
echo "var/artefacts/sbom.json: $(grep -c '"bom-ref"' var/artefacts/sbom.json) components"
