#!/bin/sh
# Names what is missing on this machine, in one apt line; exit 2 then.
python=${1:-python3}
missing=""
command -v "$python" >/dev/null 2>&1 || missing="$missing python3"
command -v git >/dev/null 2>&1 || missing="$missing git"
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then missing="$missing python3-venv"; fi
if [ -n "$missing" ]; then
    echo "Missing on this machine. Run:  sudo apt-get install$missing" >&2
    exit 2
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Sealpost needs Python 3.11 or newer; $python is $("$python" -V 2>&1)." >&2
    exit 2
fi
