#!/usr/bin/env bash
# bash test_tipc/test_paddle2onnx.sh CONFIG paddle2onnx_infer [--dry-run] [--time-limit SECONDS]
# Run from the repository root, after prepare.sh with the same words. Needs requirements-onnx.txt.
set -euo pipefail
source test_tipc/python.sh
exec python -m test_tipc.deploy "$@"
