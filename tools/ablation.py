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

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from engine.files import check_writable
from engine.flags import Flag, boolean, guarded, overrides, read

PLACES = {"experiment": Flag("YAML file of the experiment", Path, metavar="YAML", required=True)}
FLAGS = {
    "output": Flag("folder for the runs; default: runs/ablation/<name of the YAML>", Path, metavar="DIR"),
    "report": Flag("train nothing; score and compare the finished runs", boolean, default=False),
    "overrides": Flag("set any key of the configuration for all runs", aliases=("-o",), metavar="KEY=VALUE", many=True),
}


def _ended(number, frame):
    raise KeyboardInterrupt


def main():
    """Check, train, score, compare."""
    args = read(__doc__, FLAGS, places=PLACES, standing=("device",))
    from data_loader.batches import EvaluationBatches
    from engine.log import logger, to_console
    from engine.system import build_dataset, choose_device
    from engine.training.campaign import Trainings
    from engine.training.trainer import git_commit
    from metric.evaluation.ablation import Campaign
    from metric.evaluation.ablation_experiment import base_config, read_experiment

    to_console()
    choose_device(args.device)
    signal.signal(signal.SIGTERM, _ended)
    experiment = read_experiment(args.experiment, [(key, value) for key, value, _ in overrides(args.overrides)])
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
    guarded(main)
