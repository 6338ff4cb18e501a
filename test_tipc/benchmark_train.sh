#!/usr/bin/env bash
# bash test_tipc/benchmark_train.sh CONFIG benchmark_train [dynamic_bs2_fp32_DP_N1C1] [--dry-run]
# Run from the repository root, after prepare.sh. Writes BENCHMARK_LOG_DIR/index/*_speed (test_tipc/output/benchmark).
set -euo pipefail
source test_tipc/python.sh
exec python -m test_tipc.benchmark "$@"
