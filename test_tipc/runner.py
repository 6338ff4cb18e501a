"""Run a TIPC configuration file and report truthfully on every stage.

python -m test_tipc.runner test_tipc/configs/GPEN/train_infer_python.txt lite_train_lite_infer
python -m test_tipc.runner test_tipc/configs/GPEN/train_infer_python.txt lite_train_lite_infer --dry-run

Exit status: 0 where every stage passed its checks, 1 where one did not, 2 for a file or a word that cannot be used.
"""

import re
import shutil
import sys
import time
from datetime import datetime
from pathlib import Path

from engine import cli
from engine.cli import Flag, boolean
from engine.errors import ConfigError
from test_tipc import checks, report
from test_tipc.parser import check_mode, read_config
from test_tipc.plan import ASSEMBLY, plan
from test_tipc.process import argument_list, execute, interpreter
from test_tipc.report import Result
from test_tipc.slots import MODES

OUTPUT_ROOT = Path("test_tipc/output")
TIME_LIMITS = {"whole_train_whole_infer": 30 * 24 * 3600}
TIME_LIMIT = 1800


PLACES = {
    "config": Flag("a TIPC file of 51 or 32 lines", metavar="CONFIG", required=True),
    "mode": Flag(", ".join(MODES), metavar="MODE", required=True),
    "device": Flag("cpu, gpu, or card numbers such as 0 or 0,1", metavar="[DEVICE]"),
}
FLAGS = {
    "dry_run": Flag("print the commands of the official script and stop", boolean, aliases=("--dry-run",)),
    "time_limit": Flag("seconds per stage", float, aliases=("--time-limit",), metavar="SECONDS"),
}


def show(config, stages):
    """Print the commands of the official script, and the remarks to stderr; returns the exit status."""
    print(*(stage.official_command.replace("|", " ") for stage in stages), sep="\n")
    print(*config.notices, f"{len(stages)} commands", sep="\n", file=sys.stderr)
    return 1 if any(notice.is_error for notice in config.notices) else 0


def read_device(word):
    """("cpu" | "gpu" | None, environment) of the device word; ConfigError for any other word."""
    if word in (None, "", "cpu", "gpu"):
        return word or None, {}
    if re.fullmatch(r"\d+(,\d+)*", word):
        return None, {"CUDA_VISIBLE_DEVICES": word}
    raise ConfigError(f"device '{word}': unknown; expected cpu, gpu or card numbers such as 0 or 0,1")


class Runner:
    """One run of one file in one mode."""

    records = "results_python"  # name of the status log and of the summaries beside it
    checks = checks.CHECKS

    def __init__(self, config, mode, stages, environment, time_limit):
        """Take a TipcConfig, its mode and stages, variables for the commands, and the limit of each in seconds."""
        self.config, self.mode, self.stages = config, mode, stages
        self.environment, self.time_limit = environment, time_limit
        self.assembly = ASSEMBLY[config.dialect]
        self.folder = Path(self.assembly.log_folder(config, mode))
        self.model_name = config.value("model_name")
        self.results, self.first_variant = {}, {}
        self.python, notice = interpreter(config.value("python"))
        if notice:
            config.remark("python", notice, is_error=False)
        self.header = {
            "config": config.path,
            "model": self.model_name,
            "mode": mode,
            "dialect": config.dialect,
            "official_script": self.assembly.official_script,
            "python": self.python,
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        }

    def run(self):
        """Run every stage that may run; returns the exit status."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.folder / "stages", ignore_errors=True)
        self.status_log = self.folder / f"{self.records}.log"
        self.status_log.write_text("", encoding="utf-8")
        if not any(notice.is_error for notice in self.config.notices):
            for index, stage in enumerate(self.stages, 1):
                self._run_stage(index, stage)
        results = list(self.results.values())
        ok = report.write_summaries(self.folder / self.records, self.header, self.config.notices, results)
        for notice in self.config.notices:
            print(notice)
        print(report.table(self.header, results))
        print(f"status lines, summary, JUnit: {self.folder}/{self.records}.log .json .xml; logs: {self.folder}/stages")
        return 0 if ok else 1

    def _run_stage(self, index, stage):
        log = self.folder / "stages" / f"{index:02d}_{stage.name}.log"
        needed = self.results.get(stage.needs)
        if needed is not None and needed.status != "passed":
            result = Result(
                stage.kind,
                stage.name,
                stage.official_command,
                "not_run",
                reasons=[f"{stage.needs} {needed.status.replace('_', ' ')}"],
            )
        else:
            print(f"[{index}/{len(self.stages)}] {stage.official_command}", flush=True)
            result = self._execute(stage, log)
        self.results[stage.name] = result
        line = report.status_line(result, self.model_name, self.config.dialect)
        print(line, flush=True)
        with open(self.status_log, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _execute(self, stage, log):
        """Run one stage on cleared ground and check what it left."""
        result = Result(stage.kind, stage.name, stage.official_command, "failed", log=str(log))
        where = f"{self.config.path}:{stage.line}"
        try:
            arguments = argument_list(stage.words, self.python, self.config.value("python"))
        except ConfigError as error:
            result.reasons = [f"{where}: {error}"]
            return result
        if arguments[1].endswith(".py") and not Path(arguments[1]).exists():
            result.reasons = [f"{where}: {arguments[1]}: no such file"]
            return result
        clear(stage)
        began = time.time_ns()
        cards = {"CUDA_VISIBLE_DEVICES": stage.facts["gpu"]} if stage.facts.get("gpu", "-1").isdigit() else {}
        outcome = execute(arguments, log, self.time_limit, {**cards, **self.environment}, echo=stage.kind == "train")
        if stage.official_log:
            shutil.copyfile(log, stage.official_log)
        result.seconds, result.exit_status = round(outcome.seconds, 3), outcome.status
        self._judge(stage, result, outcome, began)
        if result.reasons:
            print("".join(f"  | {line}\n" for line in outcome.text.splitlines()[-20:]), end="")
            print("".join(f"  {reason}\n" for reason in result.reasons), end="", flush=True)
        else:
            result.status = "passed"
        return result

    def _judge(self, stage, result, outcome, began):
        """Fill in reasons and facts: exit status and time first, then what the stage left, then its agreement."""
        if outcome.timed_out:
            result.reasons = [f"ended after its time limit of {self.time_limit:g} s"]
        elif outcome.status != 0:
            last = next((line.strip() for line in reversed(outcome.text.splitlines()) if line.strip()), "no output")
            result.reasons = [f"exit status {outcome.status}: {last}"]
        else:
            result.reasons, facts = self.checks[stage.kind](stage, outcome.text, began)
            if not result.reasons:
                result.reasons = self.compare(stage, facts)
            result.facts = {key: value for key, value in facts.items() if key not in checks.UNRECORDED}

    def compare(self, stage, facts):
        """Reasons why an inference does not agree with the first of the same model, pictures and precision."""
        if stage.kind != "infer":
            return []
        key = (stage.output, stage.facts["images"], stage.facts["precision"])
        name, first = self.first_variant.setdefault(key, (stage.name, facts))
        return [f"against {name}: {reason}" for reason in checks.disagreement(first, facts)]


def clear(stage):
    """Remove what an earlier run left where this stage writes, so that nothing stale can pass for new.

    Only below test_tipc/output; elsewhere the age of a file tells.
    """
    output = Path(stage.output)
    if not stage.output or OUTPUT_ROOT.resolve() not in output.resolve().parents:
        return
    if "pretrained" in stage.facts:  # a training
        shutil.rmtree(output, ignore_errors=True)
    elif stage.kind == "export":
        for path in [*output.glob("*"), *output.glob("*/*")]:
            if path.name in checks.MODEL_FILES or path.suffix == ".pdiparams":
                path.unlink()


def main(words=None):
    """Read, plan, and print or run; returns the exit status."""
    arguments = cli.read(__doc__, FLAGS, words, PLACES)
    check_mode(arguments.mode)
    device, environment = read_device(arguments.device)
    config = read_config(arguments.config)
    stages = plan(config, arguments.mode, device)
    assembly = ASSEMBLY[config.dialect]
    told = sys.stderr if arguments.dry_run else sys.stdout
    print(f"{config.path}: {config.dialect}; commands as by {assembly.official_script}", file=told)
    if arguments.dry_run:
        return show(config, stages)
    limit = arguments.time_limit or TIME_LIMITS.get(arguments.mode, TIME_LIMIT)
    return Runner(config, arguments.mode, stages, environment, limit).run()


if __name__ == "__main__":
    cli.guarded(main)
