#!/usr/bin/env bash
# bash test_tipc/test_train_data_parallel_python.sh CONFIG MODE [DEVICE] [--dry-run] [--time-limit SECONDS]
# Run from the repository root, after prepare.sh with the same words.
set -euo pipefail
[ -f test_tipc/python.sh ] || { echo "error: $PWD is not the project folder; cd to it and call bash test_tipc/${0##*/}" >&2; exit 2; }
source test_tipc/python.sh
exec python -m test_tipc.agreement "$@"
