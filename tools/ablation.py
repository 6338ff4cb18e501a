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
import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401, I001  thread environment before Paddle
import numpy as np  # noqa: E402
from data_loader.batches import EvaluationBatches  # noqa: E402
from engine import yaml_files
from engine import cli, distributed, images
from engine import config as configuration
from engine.build import build_dataset, build_system
from engine.errors import ConfigError, InputError  # noqa: E402
from engine.training.run_folder import with_folder
from engine.weights.networks import load_networks
from metric.evaluation.evaluate import evaluate  # noqa: E402
from engine.files import check_writable, write_text  # noqa: E402
from engine.log import logger, to_console  # noqa: E402
from engine.training.trainer import evaluating, git_commit  # noqa: E402
from metric.evaluation import ablation_experiment as experiments  # noqa: E402
from metric.evaluation import ablation_table
from metric.evaluation import set_metrics  # noqa: E402
from metric.evaluation.ablation_judge import Judged  # noqa: E402

TRAIN = Path(__file__).resolve().parents[1] / "train.py"
LATEST = "latest.pdparams"


def arguments(argv=None):
    """The command line."""
    parser = cli.Parser(description=__doc__)
    parser.add_argument("experiment", metavar="YAML", type=Path, help="what to vary and to score")
    parser.add_argument("--output", metavar="DIR", type=Path, help="default: runs/ablation/<name of the YAML>")
    parser.add_argument(
        "--device",
        type=cli.STANDING["device"].kind,
        default="auto",
        metavar="auto|cpu|gpu",
        help=cli.STANDING["device"].help,
    )
    parser.add_argument("--report", action="store_true", help="train nothing: score and compare what is trained")
    parser.add_argument(
        "-o",
        dest="overrides",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        type=_override,
        help="set any key of the configuration for all runs",
    )
    return parser.parse_args(argv)


def _override(word):
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{word}: expected KEY=VALUE")
    return key, yaml_files.parse_value(text)


def train(config, folder, device):
    """Train a configuration below `folder`, from its newest checkpoint if there is one, unless it is trained already.

    Raises:
        ConfigError: `folder` holds the training of another configuration.
        InputError: the training failed; its last words.
    """
    config = with_folder(config, folder / "run")
    if is_trained(config, folder):
        return
    write_text(folder / "config.yaml", configuration.to_yaml(config))
    console = folder / "console.txt"
    command = [sys.executable, str(TRAIN), "-c", str(folder / "config.yaml"), "--resume", "auto", "--device", device]
    with console.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True) as child:
        try:
            status = child.wait()
        except BaseException:  # a signal to this process: let the training save its checkpoint
            child.terminate()
            child.wait()
            raise
    if status:
        lines = console.read_text(encoding="utf-8", errors="replace").split("\n")
        said = next((line for line in reversed(lines) if line.strip()), "nothing said")
        raise InputError(f"{folder}: training ended with status {status}: {said} (all of it: {console})")
    write_text(folder / "trained.json", json.dumps(configuration.as_dict(config), indent=1) + "\n")


def is_trained(config, folder):
    """True where `folder` holds the finished training of `config`; ConfigError where it is another's."""
    note = folder / "trained.json"
    if not note.is_file():
        return False
    saved, wanted = json.loads(note.read_text(encoding="utf-8")), configuration.as_dict(config)
    for key in configuration.differences(saved, wanted):
        if key != "output.dir":
            raise ConfigError(f"{folder}: was trained with another '{key}'; choose another --output")
    return True


def trained_system(config, weights):
    """A system with the trained weights, averaged ones where there are, in evaluation mode."""
    system = build_system(config)
    load_networks(system, weights, system.averaged or None)
    for network in system.networks.values():
        network.eval()
    return system


class Campaign:
    """The runs of an experiment in a folder."""

    def __init__(self, experiment, folder, device):
        """Read what the runs have in common: the held-out set and the judges that have weights."""
        self.experiment, self.folder, self.device = experiment, Path(folder), device
        self.base = base = experiments.base_config(experiment)
        held_out = build_dataset(base.data.validation, base.seed, training=False)
        self.batches = EvaluationBatches(held_out, base.data.batch_size, 0)
        self.runs = [(name, seed) for seed in experiment.seeds for name in experiment.variants]
        self.judges = {}

    def place(self, name, seed):
        """Folder of one run."""
        return self.folder / name / f"seed_{seed}"

    def train_judges(self):
        """Train the judges that have no weights, then read them all."""
        for name, judge in self.experiment.judges.items():
            config, weights = experiments.judge_config(judge, f"judges.{name}"), judge.weights
            if weights is None:
                place = self.folder / "judges" / name
                logger.info(f"judge {name}")
                train(config, place, self.device)
                config, weights = configuration.load(place / "run" / "config.yaml"), place / "run" / LATEST
            self.judges[name] = trained_system(config, weights)

    def train(self):
        """Train, score and report run by run, with a guess at the time that is left."""
        durations = []
        for number, (name, seed) in enumerate(self.runs, 1):
            began = time.perf_counter()
            config = experiments.variant_config(self.experiment, name, seed)
            known = is_trained(config, self.place(name, seed))
            train(config, self.place(name, seed), self.device)
            scores = self.scores(name, seed)
            self.report()
            if not known:
                durations.append(time.perf_counter() - began)
            told = ", ".join(f"{key} {scores[key]:.{own.digits}f}" for key, own in self.experiment.scores.items())
            left = np.mean(durations or [0]) * (len(self.runs) - number) / 60
            logger.info(f"[{number}/{len(self.runs)}] {name}, seed {seed}: {told}; about {left:.0f} min left")

    def scores(self, name, seed):
        """Every score of a trained run; kept in scores.json together with what it depends on."""
        note = self.place(name, seed) / "scores.json"
        experiment = configuration.as_dict(self.experiment)
        basis = {
            "wanted": self.experiment.wanted(),
            "judges": experiment["judges"],
            "pictures": experiment["pictures"],
            "held_out": configuration.as_dict(self.base)["data"]["validation"],
            "seed": self.base.seed,
        }
        if note.is_file():
            saved = json.loads(note.read_text(encoding="utf-8"))
            if saved["basis"] == basis:
                return saved["scores"]
        scores = self._evaluated(self.place(name, seed))
        write_text(note, json.dumps({"scores": scores, "basis": basis}, indent=1) + "\n")
        return scores

    def _evaluated(self, place):
        """Score a run's weights on the held-out set; its pictures go to sheet.png."""
        system = trained_system(configuration.load(place / "run" / "config.yaml"), place / "run" / LATEST)
        wanted = {key.partition("/")[0] for key in self.experiment.wanted()}
        known = set_metrics.chosen(self.base, system, wanted).factories
        sets = known | {
            name: partial(Judged, judge, [*system.scored, "image"], self.experiment.judges[name].paired)
            for name, judge in self.judges.items()
        }
        system.measured = (*system.measured, *self.judges)
        pictures = self.experiment.pictures
        with evaluating(system.networks):
            found = evaluate(
                system,
                system.networks,
                self.batches,
                _chosen(experiments.PAIRED, wanted),
                pictures.count if pictures else 0,
                set_metrics=sets,
                hole_metrics=_chosen(experiments.IN_HOLE, wanted),
            )
        missing = [key for key in self.experiment.wanted() if key not in found["scores"]]
        if missing:
            raise ConfigError(f"scores: no score '{missing[0]}'; there are {', '.join(sorted(found['scores']))}")
        if found["sheet"]:
            images.write_image(place / "sheet.png", images.picture_grid(found["sheet"]))
        return found["scores"]

    def finished(self):
        """{variant: {seed: scores}} of the runs that are trained."""
        found = {}
        for name, seed in self.runs:
            if is_trained(experiments.variant_config(self.experiment, name, seed), self.place(name, seed)):
                found.setdefault(name, {})[seed] = self.scores(name, seed)
        return found

    def report(self):
        """Write results.json, table.md and pictures.png; returns the table."""
        runs = self.finished()
        found = ablation_table.compare(self.experiment, runs)
        table = ablation_table.markdown(self.experiment, found)
        content = {
            "experiment": configuration.as_dict(self.experiment),
            "git_commit": git_commit(),
            "held_out_pictures": len(self.batches.dataset),
            "runs": runs,
            **found,
        }
        write_text(self.folder / "results.json", json.dumps(content, indent=1) + "\n")
        write_text(self.folder / "table.md", table)
        if self.experiment.pictures and runs:
            self._write_pictures(runs)
        return table

    def _write_pictures(self, runs):
        """A row for every input: what is shown beside, then a column for each variant, all of its first seed."""
        system = configuration.import_class(self.base.system, ("system.",), "system")
        settings, columns = self.experiment.pictures, {}
        for name, seeds in runs.items():
            sheet = images.read_image(self.place(name, next(iter(seeds))) / "sheet.png")
            cells = dict(zip(system.shown, np.split(sheet, len(system.shown), axis=1), strict=True))
            columns = columns or {kind: cells[kind] for kind in settings.beside}
            columns[name] = cells[settings.shown]
        sheet = images.picture_grid([list(columns.values())], labels=list(columns))
        images.write_image(self.folder / "pictures.png", sheet)


def _chosen(metrics, names):
    return {name: function for name, function in metrics.items() if name in names}


def _ended(number, frame):
    raise KeyboardInterrupt


def main():
    """Check, train, score, compare."""
    args = arguments()
    distributed.start(args.device)
    to_console()
    signal.signal(signal.SIGTERM, _ended)
    experiment = experiments.read_experiment(args.experiment, args.overrides)
    folder = args.output or Path("runs/ablation") / args.experiment.stem
    check_writable(folder)
    campaign = Campaign(experiment, folder, args.device)
    campaign.train_judges()
    if not args.report:
        campaign.train()
    logger.info(campaign.report())
    logger.info(f"results in {folder}")
    return 0


if __name__ == "__main__":
    cli.guarded(main)
