"""Train the variants of one configuration with several seeds each, score them on one held-out set, compare.

python tools/ablation.py experiments/landmark.yaml
python tools/ablation.py experiments/landmark.yaml --output results/ablation -o recipe.phase3=20 --report

Every run is a training of its own by train.py, one after the other, seeds outside and variants inside. The held-out set
is the validation set of the configuration with its own seed: the same pictures and holes for all. What is finished is
not done again, an interrupted training goes on at its checkpoint.

    OUTPUT/<variant>/seed_<n>/run/    the training; config.yaml, console.txt, scores.json, sheet.png beside it
    OUTPUT/judges/<name>/             a judge's, where it has no weights of its own
    OUTPUT/results.json, table.md, pictures.png    written after every run, of what is finished
"""

import argparse
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401, I001  thread environment before Paddle
from data_loader.batches import EvaluationBatches
from engine import cli, distributed, yaml_files
from engine.build import build_dataset
from engine.cli import Flag
from engine.files import check_writable
from engine.log import logger, to_console
from engine.training.campaign import Trainings
from engine.training.trainer import git_commit
from metric.evaluation.ablation import Campaign
from metric.evaluation.ablation_experiment import base_config, read_experiment

FLAGS = {
    "output": Flag("default: runs/ablation/<name of the YAML>", Path, metavar="DIR"),
    "device": cli.STANDING["device"],
    "report": Flag("train nothing: score and compare what is trained", cli.boolean, default=False),
}


def arguments(argv=None):
    """The command line."""
    parser = cli.Parser(description=__doc__)
    parser.add_argument("experiment", metavar="YAML", type=Path, help="what to vary and to score")
    told = "set any key of the configuration for all runs"
    words = {"nargs": "+", "action": "extend", "default": [], "metavar": "KEY=VALUE", "type": _override, "help": told}
    parser.add_argument("-o", dest="overrides", **words)
    cli.add_flags(parser, FLAGS)
    return parser.parse_args(argv)


def _override(word):
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{word}: expected KEY=VALUE")
    return key, yaml_files.parse_value(text)


def _ended(number, frame):
    raise KeyboardInterrupt


def main():
    """Check, train, score, compare."""
    args = arguments()
    distributed.start(args.device)
    to_console()
    signal.signal(signal.SIGTERM, _ended)
    experiment = read_experiment(args.experiment, args.overrides)
    folder = args.output or Path("runs/ablation") / args.experiment.stem
    check_writable(folder)
    base = base_config(experiment)
    held_out = build_dataset(base.data.validation, base.seed, training=False)
    batches = EvaluationBatches(held_out, base.data.batch_size, 0)
    facts = {"git_commit": git_commit(), "held_out_pictures": len(held_out)}
    campaign = Campaign(experiment, folder, batches, Trainings(args.device), facts)
    campaign.train_judges()
    if not args.report:
        campaign.train()
    logger.info(campaign.report())
    logger.info(f"results in {folder}")
    return 0


if __name__ == "__main__":
    cli.guarded(main)
