"""Runs the lite chain of every system that has a configuration, and ends with one table.

python -m test_tipc.suite          all of test_tipc/configs
python -m test_tipc.suite GPEN     one
"""

import json
import shutil
import sys
import time
from pathlib import Path

from engine import cli
from engine.errors import ConfigError, InputError
from test_tipc import prepare, runner

CONFIGS = Path("test_tipc/configs")
FILE = "train_infer_python.txt"
MODE = "lite_train_lite_infer"
SUMMARIES = runner.OUTPUT_ROOT / "suite"
MINUTES = 10  # a system should take at most, on two idle cores


def chosen(words):
    """Names of the systems to run: the given ones, else all; ConfigError for one without a configuration."""
    known = sorted(path.parent.name for path in CONFIGS.glob(f"*/{FILE}"))
    for word in words:
        if word not in known:
            raise ConfigError(f"{CONFIGS}/{word}/{FILE}: no such file; known: {', '.join(known)}")
    return words or known


def run_one(name):
    """Prepare and run one system; returns (exit status, seconds, stages passed, stages, first reason)."""
    config, began = str(CONFIGS / name / FILE), time.monotonic()
    try:
        status = prepare.main([config, MODE]) or runner.main([config, MODE])
    except InputError as error:
        return 2, time.monotonic() - began, 0, 0, str(error)
    report = json.loads((runner.OUTPUT_ROOT / "results_python.json").read_text(encoding="utf-8"))
    SUMMARIES.mkdir(parents=True, exist_ok=True)
    for suffix in ("log", "json", "xml"):
        shutil.copyfile(runner.OUTPUT_ROOT / f"results_python.{suffix}", SUMMARIES / f"{name}.{suffix}")
    stages = report["stages"]
    reasons = [reason for stage in stages for reason in stage["reasons"]] + report["notices"]
    passed = sum(stage["status"] == "passed" for stage in stages)
    return status, time.monotonic() - began, passed, len(stages), "" if status == 0 else (reasons or ["failed"])[0]


def main():
    """Run the chosen systems one after another; exit status 1 where one failed."""
    rows = {name: run_one(name) for name in chosen(sys.argv[1:])}
    print(f"\n{'system':20} {'verdict':8} {'stages':>8} {'minutes':>8}  remarks")
    for name, (status, seconds, passed, count, remark) in rows.items():
        verdict = "failed" if status else "passed"
        remark = remark or (f"longer than {MINUTES} minutes" if seconds > 60 * MINUTES else "")
        print(f"{name:20} {verdict:8} {passed:>4}/{count:<3} {seconds / 60:8.1f}  {remark}")
    print(f"summaries: {SUMMARIES}")
    return int(any(row[0] for row in rows.values()) or not rows)


if __name__ == "__main__":
    cli.guarded(main)
