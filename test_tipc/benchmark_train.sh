#!/usr/bin/env bash
# bash test_tipc/benchmark_train.sh CONFIG benchmark_train [dynamic_bs2_fp32_DP_N1C1] [--dry-run]
# Run from the repository root, after prepare.sh. Writes BENCHMARK_LOG_DIR/index/*_speed (test_tipc/output/benchmark).
set -euo pipefail
[ -f test_tipc/python.sh ] || { echo "error: $PWD is not the project folder; cd to it and call bash test_tipc/${0##*/}" >&2; exit 2; }
source test_tipc/python.sh
exec python -m test_tipc.benchmark "$@"
