#!/usr/bin/env bash
# bash test_tipc/test_train_data_parallel_python.sh CONFIG MODE [DEVICE] [--dry-run] [--time-limit SECONDS]
# Run from the repository root, after prepare.sh with the same words.
set -euo pipefail
source test_tipc/python.sh
exec python -m test_tipc.agreement "$@"
