#!/usr/bin/env bash
# bash test_tipc/test_ptq_inference_python.sh CONFIG whole_infer [--dry-run] [--time-limit SECONDS]
# Run from the repository root, after prepare.sh with the same words. Needs requirements-onnx.txt.
set -euo pipefail
source test_tipc/python.sh
exec python -m test_tipc.deploy "$@"
