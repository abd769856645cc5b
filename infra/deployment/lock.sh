#!/usr/bin/env bash
# Writes the requirements*.lock files from pyproject.toml: every version pinned, every file hashed.
# No address of an index stands in them, so each machine uses the one it is configured for.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python

compile() {
    local output=$1
    shift
    $python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@" --output-file "$output" >/dev/null
    echo "$output: $(grep -c '==' "$output") packages"
}

java_extra() {
    $python -c '
import tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["project"]["optional-dependencies"]["java"], sep="\n")'
}

compile requirements-setup.lock --group setup "$@"
compile requirements-compile.lock --group compile "$@"
compile requirements-dev.lock pyproject.toml --extra dev --group setup -c requirements-setup.lock "$@"
compile requirements.lock pyproject.toml -c requirements-dev.lock "$@"
java_extra | compile requirements-java.lock - "$@"
