"""Runs the chains of every system that has a configuration for them, and ends with one table.

python -m test_tipc.suite                         the lite chain of all of test_tipc/configs
python -m test_tipc.suite GPEN --chain=to_static  one chain of one system
python -m test_tipc.suite --chain=all             every chain of every system
"""

import json
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from engine import cli
from engine.cli import Flag
from engine.errors import ConfigError, InputError
from test_tipc import agreement, benchmark, compare_results, deploy, prepare, runner
from test_tipc.parser import read_config
from test_tipc.plan import ASSEMBLY

CONFIGS, RESULTS = Path("test_tipc/configs"), Path("test_tipc/results")
SUMMARIES = runner.OUTPUT_ROOT / "suite"
MINUTES = 10  # a chain should take at most, on two idle cores


@dataclass(frozen=True)
class Chain:
    """One kind of chain: its file in a system's folder, the words behind the file, what runs it, and its records."""

    file: str
    mode: str
    run: object
    records: str = "results_python"
    dialect: str | None = None
    more: tuple = ()


LITE = "lite_train_lite_infer"
CHAINS = {
    "lite": Chain("train_infer_python.txt", LITE, runner.main),
    "amp": Chain("train_amp_infer_python.txt", LITE, runner.main),
    "to_static": Chain("train_to_static_python.txt", LITE, agreement.main, "results_agreement"),
    "data_parallel": Chain("train_data_parallel_python.txt", LITE, agreement.main, "results_agreement"),
    "onnx": Chain(
        "paddle2onnx_infer_python.txt", "paddle2onnx_infer", deploy.main, "results_paddle2onnx", "paddle2onnx"
    ),
    "int8": Chain("train_ptq_infer_python.txt", "whole_infer", deploy.main, "results_ptq", "ptq"),
    "benchmark": Chain(
        "train_infer_python.txt",
        benchmark.MODE,
        benchmark.main,
        "results_benchmark",
        more=("dynamic_bs2_fp32_DP_N1C1",),
    ),
    "compare": Chain("train_infer_python.txt", LITE, None),
}


PLACES = {"systems": Flag("folders of test_tipc/configs; default: all", metavar="SYSTEM", many=True)}
FLAGS = {"chain": Flag(f"{', '.join(CHAINS)}, all", default="lite", metavar="NAME")}


def chosen(models, chain):
    """[(system, chain)] to run: of the given systems, else of all; ConfigError for one that is not there."""
    known = sorted(path.parent.name for path in CONFIGS.glob(f"*/{CHAINS['lite'].file}"))
    for model in models:
        if model not in known:
            raise ConfigError(f"{CONFIGS}/{model}/: no such system; known: {', '.join(known)}")
    if chain not in (*CHAINS, "all"):
        raise ConfigError(f"--chain={chain}: unknown; known: {', '.join(CHAINS)}, all")
    names = CHAINS if chain == "all" else [chain]
    found = [(model, name) for model in models or known for name in names if is_there(model, name)]
    if not found:
        raise ConfigError(f"--chain={chain}: {', '.join(models)} has no {CHAINS[chain].file}")
    return found


def is_there(model, name):
    """True where the system has what the chain reads."""
    recorded = name != "compare" or recorded_results(model).is_file()
    return (CONFIGS / model / CHAINS[name].file).is_file() and recorded


def recorded_results(model):
    """The file with a system's recorded results."""
    return RESULTS / f"python_{model}_results_fp32.txt"


def run_one(model, name):
    """Prepare and run one chain; returns (exit status, seconds, stages passed, stages, first reason)."""
    chain, began = CHAINS[name], time.monotonic()
    path = str(CONFIGS / model / chain.file)
    try:
        status = prepare.main([path, chain.mode])
        if name == "compare" and status == 0:
            status = compare(model, path)
            return status, time.monotonic() - began, int(status == 0), 1, "" if status == 0 else "results differ"
        status = status or chain.run([path, chain.mode, *chain.more])
    except InputError as error:
        return 2, time.monotonic() - began, 0, 0, str(error)
    config = read_config(path, chain.dialect)
    records = Path(ASSEMBLY[config.dialect].log_folder(config, chain.mode)) / chain.records
    report = json.loads(records.with_suffix(".json").read_text(encoding="utf-8"))
    SUMMARIES.mkdir(parents=True, exist_ok=True)
    for suffix in ("log", "json", "xml"):
        shutil.copyfile(records.with_suffix(f".{suffix}"), SUMMARIES / f"{model}_{name}.{suffix}")
    stages = report["stages"]
    reasons = [reason for stage in stages for reason in stage["reasons"]] + report["notices"]
    passed = sum(stage["status"] == "passed" for stage in stages)
    return status, time.monotonic() - began, passed, len(stages), "" if status == 0 else (reasons or ["failed"])[0]


def evaluation(model, path):
    """(words, folder) of the file's evaluation with the shipped weights it starts from."""
    config, folder = read_config(path), runner.OUTPUT_ROOT / "compare" / model
    words = f"{config.value('eval')} {config.flag('pretrained')} {config.flag('eval_param')} --result_dir={folder}"
    return shlex.split(words), folder


def compare(model, path):
    """Score the shipped weights as the file says and compare with the recorded results; returns the exit status."""
    words, folder = evaluation(model, path)
    status = subprocess.run([sys.executable, *words]).returncode
    return status or compare_results.main(
        [f"--gt_file={recorded_results(model)}", f"--log_file={folder / 'metrics.txt'}"]
    )


def main(words=None):
    """Run the chosen chains one after another; exit status 1 where one failed."""
    args = cli.read(__doc__, FLAGS, words, PLACES)
    rows = {pair: run_one(*pair) for pair in chosen(args.systems, args.chain)}
    print(f"\n{'system':20} {'chain':14} {'verdict':8} {'stages':>8} {'minutes':>8}  remarks")
    for (model, name), (status, seconds, passed, count, remark) in rows.items():
        verdict = "failed" if status else "passed"
        remark = remark or (f"longer than {MINUTES} minutes" if seconds > 60 * MINUTES else "")
        print(f"{model:20} {name:14} {verdict:8} {passed:>4}/{count:<3} {seconds / 60:8.1f}  {remark}")
    print(f"summaries: {SUMMARIES}")
    return int(any(row[0] for row in rows.values()) or not rows)


if __name__ == "__main__":
    cli.guarded(main)
