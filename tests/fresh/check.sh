#!/bin/sh
# The two commands of the README on a machine that knows nothing: a clone of HEAD, an empty environment, no home. Once
# as an account that may do nothing, with the Python that is found first, and at the same time as whoever calls, with
# the newest one.
#
#     tests/fresh/check.sh            exit code 0: both went through. Needs the package index, and some minutes of one
#                                     processor; whatever it made is gone afterwards.
#     tests/fresh/check.sh --tested   whoever calls has just run the whole of bin/test in a clone of their own: as them,
#                                     where no newer Python is, that command is not tried once more
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/../.."
NOBODY=65534
TRIED=tests/contacts/test_durations.py # a small part of the suite: what counts is that it starts

work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap '[ -z "${others:-}" ] || kill "$others" 2>/dev/null; exit 130' INT TERM

# The newest Python of those that the pinned packages have wheels for.
newest() {
    for version in 3.14 3.13 3.12 3.11; do
        for found in "python$version" "${HOME:-/nonexistent}"/.pyenv/versions/"$version".*/bin/"python$version"; do
            path=$(command -v "$found" 2>/dev/null) || continue
            # a shim of pyenv is found, and then fails
            "$path" -I -c 'import venv, ssl, ensurepip' 2>/dev/null && { echo "$path"; return; }
        done
    done
    command -v python3
}

# Whether two interpreters are of the same version of Python.
same() {
    said='import sys; print(sys.version_info[:2])'
    [ "$("$1" -c "$said")" = "$("$2" -c "$said")" ]
}

# What is committed; all that is here where nobody knows what was.
copy() {
    if git rev-parse --verify --quiet HEAD >/dev/null 2>&1; then
        git clone --quiet --no-hardlinks . "$1"
    else
        mkdir "$1"
        tar --exclude=./.venv --exclude=./var --exclude='*/node_modules' -cf - . | tar -xf - -C "$1"
    fi
}

# How this machine reaches the package index, where its environment says it: one word for each variable.
way_out() {
    names='PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT)|SSL_CERT_FILE|(https?|no|HTTPS?|NO)_(proxy|PROXY)'
    env | grep -E "^($names)=[^ ]+\$" || true
}

# fresh NAME PYTHON SECOND COMMAND…: COMMAND runs what follows it as the account it is for; SECOND is what is tried after
# bin/up, if anything.
fresh() {
    name=$1 python=$2 second=$3
    shift 3
    printf '\n== fresh machine: %s, %s\n' "$name" "${python:-the first Python that is found}"
    copy "$work/$name"
    [ "$name" = whoever ] || chown -R $NOBODY:$NOBODY "$work/$name"
    for command in "bin/up --demo --exit" "$second"; do
        [ -n "$command" ] || continue
        began=$(date +%s)
        # shellcheck disable=SC2046,SC2086  (the words of the command, and of the way out, are meant to part)
        (cd "$work/$name" &&
            "$@" env -i $(way_out) PATH=/usr/local/bin:/usr/bin:/bin ${python:+"PYTHON=$python"} $command) ||
            { echo "== fresh machine: $command failed as $name"; exit 1; }
        echo "== $command: $(($(date +%s) - began)) s"
    done
    rm -rf "${work:?}/$name"
}

tests="bin/test $TRIED"
newest=$(newest)
of_whoever=$tests
if [ "${1:-}" = --tested ] && same "$newest" "$(command -v python3)"; then
    of_whoever=""
fi
# Side by side, as the README says that one may.
others=""
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null 2>&1; then
    fresh nobody "" "$tests" setpriv --reuid $NOBODY --regid $NOBODY --clear-groups >"$work/nobody.log" 2>&1 &
    others=$!
else
    echo "== only root can become another account: tried as $(id -un) alone"
fi
good=0
(fresh whoever "$newest" "$of_whoever") || good=1
if [ -n "$others" ]; then
    wait "$others" || good=1
    cat "$work/nobody.log"
fi
exit $good
