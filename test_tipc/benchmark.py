"""Measures training speed as TIPC's benchmark does, and writes the speed JSON with rates that were printed.

python -m test_tipc.benchmark test_tipc/configs/GPEN/train_infer_python.txt benchmark_train dynamic_bs2_fp32_DP_N1C1

The rows behind `train_benchmark_params` give batch size, precision, length, profiler option and flags. On one device a
profiled run comes first; the speed is taken from a second run. Without the third word every listed batch size and
precision is measured on N1C4, which needs four GPUs.

Source: benchmark_train.sh of PaddleGAN 094a2eb9, keys of scripts/analysis.py of PaddlePaddle/benchmark (not copied).
"""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import paddle

from engine import cli
from engine.cli import Flag, boolean
from engine.errors import ConfigError
from engine.files import write_json
from test_tipc import checks
from test_tipc.parser import Line, check_mode, lex, read_config
from test_tipc.plan import plan
from test_tipc.runner import TIME_LIMIT, Runner, show

MODE = "benchmark_train"
ROWS = ("batch_size", "fp_items", "epoch", "profiler", "flags")
HEADER = re.compile(r"=+train_benchmark_params=+\s*")
WORDS = re.compile(
    r"(?P<kind>dynamic|dynamicTostatic)_bs(?P<batch>\d+)_(?P<precision>\w+?)_(?P<mode>[A-Z]+\w*)_"
    r"N(?P<nodes>[1-9]\d{0,3})C(?P<cards>\d{1,4})"
)
SKIPPED, TRIMMED, LEAST = 2, 5, 11  # first records left out; then 5 at each end of the order; at least so many stay


PLACES = {
    "config": Flag("a TIPC file of 51 lines with its benchmark rows", metavar="CONFIG", required=True),
    "mode": Flag(MODE, metavar="MODE", required=True),
    "case": Flag("e.g. dynamic_bs2_fp32_DP_N1C1 or dynamicTostatic_bs2_fp32_DP_N1C1", metavar="[CASE]"),
}
FLAGS = {
    "dry_run": Flag("print the commands and stop", boolean, aliases=("--dry-run",)),
    "time_limit": Flag("seconds per run", float, aliases=("--time-limit",), default=TIME_LIMIT, metavar="SECONDS"),
}


def benchmark_rows(path):
    """{row: Line} behind the header `train_benchmark_params`, wherever it stands in the file."""
    lines, _ = lex(path)
    start = next((index for index, line in enumerate(lines) if HEADER.fullmatch(line.text)), None)
    rows = [] if start is None else lines[start + 1 : start + 1 + len(ROWS)]
    if len(rows) < len(ROWS):
        raise ConfigError(
            f"{path}: expected a header 'train_benchmark_params' with {len(ROWS)} rows behind it"
            f" ({', '.join(ROWS)}), found {'no header' if start is None else f'{len(rows)} rows'}"
        )
    return dict(zip(ROWS, rows, strict=True))


def cases(word, rows):
    """The runs to measure: the one that the third word names, or every listed size and precision on N1C4."""
    if word is None:
        words = [
            f"dynamic_bs{batch}_{precision}_DP_N1C4"
            for batch in rows["batch_size"].value.split("|")
            for precision in rows["fp_items"].value.split("|")
        ]
    else:
        words = [word]
    if wrong := [each for each in words if not WORDS.fullmatch(each)]:
        raise ConfigError(f"{wrong[0][:60]!r}: expected a word such as dynamic_bs2_fp32_DP_N1C1")
    return words


def check_cards(case):
    """ConfigError where a case wants more devices than there are; one device may be the CPU."""
    found = WORDS.fullmatch(case)
    cards = int(found["cards"]) // int(found["nodes"])
    have = paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0
    if cards > 1 and have < cards:
        raise ConfigError(f"{case}: needs {cards} GPUs, Paddle sees {have}; name a case with N1C1")
    return ",".join(str(card) for card in range(cards))


def stages_of(config, rows, case):
    """The profiled and the measured training of one case; the slots are those that the official script rewrites."""
    found = WORDS.fullmatch(case)
    values = {
        "gpu_list": check_cards(case),
        "train_precision": found["precision"],
        "eval": "null",
        "norm_export": "null",
        "iterations": f"{MODE}={rows['epoch'].value}",
        "train_batch_size": f"{MODE}={found['batch']}",
        "trainer": "to_static_train" if found["kind"] == "dynamicTostatic" else "norm_train",
        "export1": "null",
    }
    slots = config.slots | {
        name: Line(config.slots[name].number, f"{config.key(name)}:{value}") for name, value in values.items()
    }
    number, silent = config.slots["train_param"].number, []
    stages = []
    for name, text in (("profile", rows["profiler"].text), ("speed", "null:null")):
        edited = replace(config, slots=slots | {"train_param": Line(number, text)}, notices=silent)
        stages += [replace(stage, kind=name, name=f"{name}_{case}") for stage in plan(edited, MODE)]
    config.notices += [notice for notice in dict.fromkeys(silent) if notice.is_error]
    return stages if len(values["gpu_list"]) == 1 and rows["profiler"].key != "null" else stages[1:]


def speed(text):
    """(rate, number of records) of a training log; ConfigError where there are too few for a mean worth the name."""
    rates = checks.numbers(checks.IPS, text)[SKIPPED:]
    kept = sorted(rates)[TRIMMED : len(rates) - TRIMMED]
    if len(kept) < LEAST:
        wanted = SKIPPED + 2 * TRIMMED + LEAST
        raise ConfigError(f"{len(rates) + SKIPPED} records with 'ips: NUMBER', expected {wanted} at least")
    return sum(kept) / len(kept), len(rates) + SKIPPED


def check_profile(stage, text, began):
    """(reasons, facts) of a profiled training: a training like any other, and a trace that is new."""
    reasons, facts = checks.check_train(stage, text, began)
    found = re.search(r"^profile of steps \d+ to \d+: (.+)$", text, re.MULTILINE)
    missing = checks.not_new(found[1], began) if found else "the log names no profile"
    return reasons + ([missing] if missing else []), facts


def check_speed(stage, text, began):
    """(reasons, facts) of a measured training: a training like any other, with enough records of its rate."""
    reasons, facts = checks.check_train(stage, text, began)
    try:
        facts["mean_ips"], facts["records"] = speed(text)
    except ConfigError as error:
        reasons.append(str(error))
    return reasons, facts


class BenchmarkRunner(Runner):
    """A Runner that writes a speed file for every measured training that passed."""

    records = "results_benchmark"
    checks = {"profile": check_profile, "speed": check_speed}

    def finish(self, repository):
        """Write the speed files; returns their paths."""
        root, written = Path(os.environ.get("BENCHMARK_LOG_DIR", self.folder / "benchmark")), []
        for stage in self.stages:
            result = self.results.get(stage.name)
            if stage.kind != "speed" or result is None or result.status != "passed":
                continue
            case = stage.name.removeprefix("speed_").split("_", 1)[1]
            path = root / "index" / f"{repository}_{self.model_name}_{case}_speed"
            write_json(path, speed_record(self.model_name, stage.name, result))
            written.append(path)
        return written


def speed_record(model_name, name, result):
    """Contents of the speed file of a measured training; every number comes from its log or its clock."""
    found = WORDS.fullmatch(name.removeprefix("speed_"))
    return {
        "model_branch": git("rev-parse", "--abbrev-ref", "HEAD"),
        "model_commit": git("rev-parse", "HEAD"),
        "model_name": f"{model_name}_bs{found['batch']}_{found['precision']}_{found['mode']}",
        "batch_size": int(found["batch"]),
        "fp_item": found["precision"],
        "run_mode": found["mode"],
        "convergence_value": result.facts["loss"],
        "convergence_key": "loss:",
        "ips": round(result.facts["mean_ips"], 3),
        "speed_unit": "images/s",
        "device_num": f"N{found['nodes']}C{found['cards']}",
        "model_run_time": result.seconds,
        "frame_commit": paddle.version.commit,
        "frame_version": paddle.__version__,
    }


def git(*words):
    """One line of git's answer, or "unknown" outside a checkout."""
    try:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def main(words=None):
    """Read, plan, and print or run; returns the exit status."""
    arguments = cli.read(__doc__, FLAGS, words, PLACES)
    check_mode(arguments.mode, (MODE,))
    config, rows = read_config(arguments.config), benchmark_rows(arguments.config)
    if config.dialect != "full51":
        raise ConfigError(f"{config.path}: {config.dialect}; the benchmark reads files of 51 lines")
    stages = [stage for case in cases(arguments.case, rows) for stage in stages_of(config, rows, case)]
    if arguments.dry_run:
        return show(config, stages)
    flags = dict(item.partition("=")[::2] for item in rows["flags"].value.split(";") if "=" in item)
    runner = BenchmarkRunner(config, MODE, stages, flags, arguments.time_limit)
    status = runner.run()
    for path in runner.finish(Path.cwd().name):
        print(f"speed: {path}")
    return status


if __name__ == "__main__":
    cli.guarded(main)
