#!/usr/bin/env bash
# Makes .venv with everything in it, from the locks alone. Safe to stop and to run again.
#   infra/deployment/setup.sh [PYTHON]     default: the newest of python3.13 ... that runs
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=.venv
python=$venv/bin/python

fail() {
    echo "make setup: $*" >&2
    exit 1
}

suits() { # pyenv leaves shims on the PATH that do not run, so ask each one
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1
}

choose_python() {
    local candidate
    for candidate in ${1:-python3.13 python3.12 python3.11 python3}; do
        if suits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "No Python 3.11 to 3.13 runs here (tried: ${1:-python3.13 python3.12 python3.11 python3})." \
        "Install one, or name it: make setup PYTHON=/path/to/python3."
}

make_venv() { # an earlier one is kept if it works, so that a second run is quick
    local base=$1
    if suits $python && $python -m pip --version >/dev/null 2>&1; then
        return
    fi
    "$base" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$base cannot make virtual environments." \
            "Install its venv module (Debian: apt-get install python3-venv)."
    "$base" -m venv --clear $venv
}

need_compiler() { # lightfm-next has wheels for 3.12 and 3.13 alone
    $python -c 'import sys; sys.exit(sys.version_info >= (3, 12))' || return 0
    $python -c 'import lightfm' 2>/dev/null && return 0
    command -v "${CC:-cc}" >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 ||
        fail "On Python 3.11 lightfm-next is compiled, and there is no C compiler." \
            "Install one (Debian: apt-get install gcc python3-dev) or use Python 3.12 or 3.13."
    $python -c '
import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' ||
        fail "On Python 3.11 lightfm-next is compiled, and Python.h is not there." \
            "Install it (Debian: apt-get install python3-dev) or use Python 3.12 or 3.13."
}

install() {
    $python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        -r requirements-setup.lock
    # compiled now: where PYTHONDONTWRITEBYTECODE is set, every process would do it again, seconds each
    $python -m uv pip sync --quiet --compile-bytecode --python $python --require-hashes \
        --build-constraints requirements-compile.lock requirements-dev.lock
    $python -m uv pip install --quiet --python $python --no-deps --no-build-isolation -e .
}

ensure_java() {
    if ! $python -m infra.spark.java >/dev/null 2>&1; then
        echo "No Java 17 to 21, or 25 from 25.0.3 on, here; taking the one that pip has."
        infra/deployment/java.sh || true # it says what to install; all but Spark works without
    fi
}

base=$(choose_python "${1:-}")
echo "Setting up .venv with $("$base" --version) ..."
make_venv "$base"
need_compiler
install
ensure_java
touch $venv/.ready
echo "Ready. Next: make demo"
