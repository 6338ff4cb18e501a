"""Trains with every trainer of a 51-line file and compares their losses, step by step, with those of the first.

python -m test_tipc.agreement test_tipc/configs/GPEN/train_to_static_python.txt lite_train_lite_infer
python -m test_tipc.agreement test_tipc/configs/GPEN/train_data_parallel_python.txt lite_train_lite_infer

The first trainer is the plain one. A trainer with --to_static=True must say how many graphs it compiled, one that
starts N processes (--nproc_per_node) that N took part: else the comparison would compare a run with itself.

Source: idea of test_train_dy2static_python.sh of PaddleClas, which prints the difference of the losses (not copied).
"""

import re

from engine import cli
from engine.errors import ConfigError
from test_tipc.parser import check_mode, read_config
from test_tipc.plan import ASSEMBLY, plan
from test_tipc.runner import FLAGS, PLACES, TIME_LIMIT, TIME_LIMITS, Runner, read_device, show
from test_tipc.slots import MODES

TOLERANCE = 1e-4  # of the loss at any step, relative to 1 or to the loss, whichever is larger
PARALLEL_TOLERANCE = 1e-3  # of processes: their sums are rounded in another order, and the optimizers enlarge that
CAPTURED = re.compile(r"^to_static: [1-9]\d* graphs compiled$", re.MULTILINE)
TOGETHER = re.compile(r"training pictures, .*, (\d+) processes$", re.MULTILINE)


class AgreementRunner(Runner):
    """A Runner whose trainings must agree."""

    records = "results_agreement"
    first = None

    def compare(self, stage, facts):
        """Reasons why a training does not agree with the first one; also notes the largest difference as a fact."""
        log = (self.folder / "stages" / f"{len(self.results) + 1:02d}_{stage.name}.log").read_text(encoding="utf-8")
        reasons = did_what_it_says(stage.command, log)
        if self.first is None:
            self.first = stage.name, facts["losses"]
            return reasons
        name, losses = self.first
        if len(losses) != len(facts["losses"]) or len(losses) < 2:
            return [
                *reasons,
                (
                    f"{len(facts['losses'])} losses in the log, {name} has {len(losses)}; "
                    "expected as many, and two at least (train.log_every=1)"
                ),
            ]
        gaps = [abs(a - b) / max(1.0, abs(a)) for a, b in zip(losses, facts["losses"], strict=True)]
        facts["loss_difference"], worst = max(gaps), max(range(len(gaps)), key=gaps.__getitem__)
        if not max(gaps) <= (PARALLEL_TOLERANCE if "--nproc_per_node" in stage.command else TOLERANCE):
            reasons.append(f"loss {worst + 1} is {facts['losses'][worst]}, {name} has {losses[worst]}")
        return reasons


def did_what_it_says(command, log):
    """Reasons to think that a training was not captured, or not shared among processes, though its words ask for it."""
    reasons = []
    if "--to_static=True" in command and not CAPTURED.search(log):
        reasons.append("--to_static=True, but the log tells of no compiled graph")
    wanted = re.search(r"--nproc_per_node[ =](\d+)", command)
    found = TOGETHER.search(log)
    if wanted and (not found or found[1] != wanted[1]):
        reasons.append(f"{wanted[1]} processes asked for, the log tells of {found[1] if found else 'one'}")
    return reasons


def main(words=None):
    """Read, plan the trainings, and print or run them; returns the exit status."""
    arguments = cli.read(__doc__, FLAGS, words, PLACES)
    check_mode(arguments.mode, MODES[:3])
    device, environment = read_device(arguments.device)
    config = read_config(arguments.config)
    stages = [stage for stage in plan(config, arguments.mode, device) if stage.kind == "train"]
    if len(stages) < 2:
        raise ConfigError(f"{config.path}: {len(stages)} training; expected two or more trainers to compare")
    if arguments.dry_run:
        return show(config, stages)
    print(f"{config.path}: {config.dialect}; commands as by {ASSEMBLY[config.dialect].official_script}")
    limit = arguments.time_limit or TIME_LIMITS.get(arguments.mode, TIME_LIMIT)
    return AgreementRunner(config, arguments.mode, stages, environment, limit).run()


if __name__ == "__main__":
    cli.guarded(main)
