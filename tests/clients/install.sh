#!/bin/sh
# Installs the clients of tests/clients into var/clients: a Python environment and node_modules. Quick when it is done.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/../.."
here=tests/clients
there=var/clients
wanted=$(cat "$here/requirements.txt" "$here/package-lock.json" | cksum)
if [ -f "$there/installed" ] && [ "$(cat "$there/installed")" = "$wanted" ]; then
    exit 0
fi
command -v npm >/dev/null 2>&1 || {
    echo "$here/install.sh needs Node.js with npm (Debian: apt-get install nodejs npm)." >&2
    exit 2
}
rm -rf "$there"
mkdir -p "$there"
.venv/bin/python -m venv "$there/venv"
"$there/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
cp "$here/package.json" "$here/package-lock.json" "$there/"
(cd "$there" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
printf '%s\n' "$wanted" >"$there/installed"
