#!/usr/bin/env bash
# bash test_tipc/prepare.sh CONFIG MODE
# Run from the repository root. Makes the data that MODE reads: nothing is fetched, and a second call changes nothing.
set -euo pipefail
[ -f test_tipc/python.sh ] || { echo "error: $PWD is not the project folder; cd to it and call bash test_tipc/${0##*/}" >&2; exit 2; }
source test_tipc/python.sh
exec python -m test_tipc.prepare "$@"
