# Sourced by the commands of this folder, in the project's root: finds a Python, makes .venv, installs the pinned
# packages. POSIX sh. Quiet and quick when there is nothing to do.
#
#   cd "$(dirname "$0")/.." && . bin/bootstrap.sh && bootstrap requirements.txt [requirements-dev.txt]
#
# Afterwards .venv/bin/python is there and has them. PYTHON=/path/to/python3 chooses the interpreter.

unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
PYTHONUTF8=1 # texts are UTF-8 whatever the locale says
export PYTHONUTF8

# Does "$1" run, is it 3.11 or newer but not newer than 3.$2, and has it a pip to begin with (unless $3 is "any")?
# A candidate is run, not looked up: the shims of pyenv are found on PATH and then fail.
python_serves() {
    "$1" -I -c '
import sys, venv, ssl, fcntl
from importlib.util import find_spec
known = (3, 11) <= sys.version_info[:2] <= (3, int(sys.argv[1]))
sys.exit(not (known and (sys.argv[2] == "any" or find_spec("ensurepip") or find_spec("pip"))))' "$2" "$3" >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        found=$PYTHON
        python_serves "$found" 99 any && return
        echo "PYTHON=$PYTHON is not a working Python 3.11 or newer." >&2
        return 2
    fi
    for wish in "14 pip" "99 pip" "99 any"; do # versions that the pinned packages are known to have wheels for first
        for found in python3 python3.13 python3.12 python3.11 python3.14 python \
            "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.*/bin/python3 \
            /usr/local/bin/python3 /opt/homebrew/bin/python3 /usr/bin/python3; do
            python_serves "$found" "${wish% *}" "${wish#* }" && return
        done
    done
    echo "Carillon needs Python 3.11 or newer and found none: install one, or set PYTHON=/path/to/python3." >&2
    return 2
}

bootstrap() {
    if [ -z "${PYTHON:-}" ] && .venv/bin/python -I -S -c pass 2>/dev/null; then
        found=.venv/bin/python # the Python that made it may have left PATH since; it still serves
    else
        find_python || exit $?
    fi
    "$found" -I config/install.py "$@" || exit $?
}

# dbt does not go together with the rest: it has an environment of its own, which the first run of the warehouse makes
# if nobody did before.
bootstrap_warehouse() {
    bootstrap --environment .venv-warehouse requirements-warehouse.txt
}

# The guides are built by MkDocs, which nothing else needs.
bootstrap_docs() {
    bootstrap --environment .venv-docs requirements-docs.txt
}
