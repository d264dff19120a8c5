#!/bin/sh
# The two commands of the README on a machine that knows nothing: a clone of HEAD, an empty environment, no home. Once as an
# account that may do nothing, with the Python that is found first, and once as whoever calls, with the newest one.
#
#     tests/fresh/check.sh            exit code 0: both went through. Needs the package index, and some minutes of one
#                                     processor; whatever it made is gone afterwards.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/../.."
NOBODY=65534
TRIED=tests/contacts/test_durations.py # a small part of the suite: what counts is that it starts

work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

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

# fresh NAME PYTHON COMMAND…: COMMAND runs what follows it as the account it is for.
fresh() {
    name=$1 python=$2
    shift 2
    printf '\n== fresh machine: %s, %s\n' "$name" "${python:-the first Python that is found}"
    git clone --quiet --no-hardlinks . "$work/$name"
    [ "$name" = whoever ] || chown -R $NOBODY:$NOBODY "$work/$name"
    for command in "bin/up --demo --exit" "bin/test $TRIED"; do
        began=$(date +%s)
        # shellcheck disable=SC2086  (the words of the command are meant to part)
        (cd "$work/$name" && "$@" env -i PATH=/usr/local/bin:/usr/bin:/bin ${python:+"PYTHON=$python"} $command) ||
            { echo "== fresh machine: $command failed as $name"; exit 1; }
        echo "== $command: $(($(date +%s) - began)) s"
    done
    rm -rf "${work:?}/$name"
}

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null 2>&1; then
    fresh nobody "" setpriv --reuid $NOBODY --regid $NOBODY --clear-groups
else
    echo "== only root can become another account: tried as $(id -un) alone"
fi
fresh whoever "$(newest)"
