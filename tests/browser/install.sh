#!/bin/sh
# Installs axe-core, which the tests of tests/browser run on every page, into var/axe. Quick when it is done.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/../.."
here=tests/browser
there=var/axe
wanted=$(cksum <"$here/package-lock.json")
if [ -f "$there/installed" ] && [ "$(cat "$there/installed")" = "$wanted" ]; then
    exit 0
fi
command -v npm >/dev/null 2>&1 || {
    echo "$here/install.sh needs Node.js with npm (Debian: apt-get install nodejs npm)." >&2
    exit 2
}
rm -rf "$there"
mkdir -p "$there"
cp "$here/package.json" "$here/package-lock.json" "$there/"
(cd "$there" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
printf '%s\n' "$wanted" >"$there/installed"
