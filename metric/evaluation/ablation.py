"""The runs of an ablation: trained one by one, scored on one held-out set, compared.

FOLDER/<variant>/seed_<n>/run/    the training; scores.json and sheet.png beside it
FOLDER/judges/<name>/             a judge's, where it has no weights of its own
FOLDER/results.json, table.md, pictures.png    written after every run, of what is finished
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from engine import config as configuration
from engine import images
from engine.errors import ConfigError
from engine.files import write_json, write_text
from engine.log import logger
from engine.run_config import RunConfig
from engine.system import System, build_system
from engine.weights.networks import load_networks
from metric.evaluation import ablation_experiment as experiments
from metric.evaluation import ablation_table, registry
from metric.evaluation.ablation_judge import Judged
from metric.evaluation.evaluate import Batches, evaluate
from metric.evaluation.weights import MetricWeights

LATEST = "latest.pdparams"


class Campaign:
    """The runs of an experiment in a folder."""

    def __init__(self, experiment: experiments.Experiment, folder: Path, batches: Batches, trainer: Any, facts: dict):
        """Read what the runs have in common.

        Args:
            experiment: what is run.
            folder: where.
            batches: the held-out set, that of `experiments.base_config`.
            trainer: `train(config, folder)`, unless it is done, and `is_trained(config, folder)`.
            facts: what results.json says besides.
        """
        self.experiment, self.folder, self.batches = experiment, folder, batches
        self.trainer, self.facts = trainer, facts
        self.base = experiments.base_config(experiment)
        self.runs = [(name, seed) for seed in experiment.seeds for name in experiment.variants]
        self.judges: dict[str, System] = {}

    def place(self, name: str, seed: int) -> Path:
        """Folder of one run."""
        return self.folder / name / f"seed_{seed}"

    def train_judges(self) -> None:
        """Train the judges that have no weights, then read them all."""
        for name, judge in self.experiment.judges.items():
            config, weights = experiments.judge_config(judge, f"judges.{name}"), judge.weights
            if weights is None:
                place = self.folder / "judges" / name
                logger.info(f"judge {name}")
                self.trainer.train(config, place)
                config, weights = configuration.load(place / "run" / "config.yaml"), place / "run" / LATEST
            self.judges[name] = _trained(config, weights)

    def train(self) -> None:
        """Train, score and report run by run, with a guess at the time that is left."""
        durations = []
        for number, (name, seed) in enumerate(self.runs, 1):
            began = time.perf_counter()
            config = experiments.variant_config(self.experiment, name, seed)
            known = self.trainer.is_trained(config, self.place(name, seed))
            self.trainer.train(config, self.place(name, seed))
            scores = self.scores(name, seed)
            self.report()
            if not known:
                durations.append(time.perf_counter() - began)
            told = ", ".join(f"{key} {scores[key]:.{own.digits}f}" for key, own in self.experiment.scores.items())
            left = np.mean(durations or [0]) * (len(self.runs) - number) / 60
            logger.info(f"[{number}/{len(self.runs)}] {name}, seed {seed}: {told}; about {left:.0f} min left")

    def scores(self, name: str, seed: int) -> dict[str, float]:
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
        write_json(note, {"scores": scores, "basis": basis})
        return scores

    def _evaluated(self, place: Path) -> dict[str, float]:
        """Score a run's weights on the held-out set; its pictures go to sheet.png."""
        system = _trained(configuration.load(place / "run" / "config.yaml"), place / "run" / LATEST)
        wanted = dict.fromkeys(key.partition("/")[0] for key in self.experiment.wanted())
        own, missing = registry.own_measures(system, wanted, MetricWeights())
        kinds = [*system.scored, "image"]
        judged = [
            Judged(name, judge, kinds, self.experiment.judges[name].paired) for name, judge in self.judges.items()
        ]
        scorers = [*registry.paired(wanted), *own, *judged]
        show = self.experiment.pictures.count if self.experiment.pictures else 0
        found = evaluate(system, system.networks, self.batches, scorers, show=show)
        scores = found.means()
        if absent := [key for key in self.experiment.wanted() if key not in scores]:
            why = (missing | found.skipped).get(absent[0].partition("/")[0], f"there are {', '.join(sorted(scores))}")
            raise ConfigError(f"scores: no score '{absent[0]}'; {why}")
        if found.sheet:
            images.write_image(place / "sheet.png", images.picture_grid(found.sheet))
        return scores

    def finished(self) -> dict[str, dict[int, dict[str, float]]]:
        """{variant: {seed: scores}} of the runs that are trained."""
        found: dict[str, dict[int, dict[str, float]]] = {}
        for name, seed in self.runs:
            config = experiments.variant_config(self.experiment, name, seed)
            if self.trainer.is_trained(config, self.place(name, seed)):
                found.setdefault(name, {})[seed] = self.scores(name, seed)
        return found

    def report(self) -> str:
        """Write results.json, table.md and pictures.png; returns the table."""
        runs = self.finished()
        found = ablation_table.compare(self.experiment, runs)
        table = ablation_table.markdown(self.experiment, found)
        content = {"experiment": configuration.as_dict(self.experiment), **self.facts, "runs": runs, **found}
        write_json(self.folder / "results.json", content)
        write_text(self.folder / "table.md", table)
        if self.experiment.pictures and runs:
            self._write_pictures(self.experiment.pictures, runs)
        return table

    def _write_pictures(self, settings: experiments.PictureSettings, runs: dict[str, dict]) -> None:
        """A row for every input: what is shown beside, then a column for each variant, all of its first seed."""
        system = configuration.import_class(self.base.system, ("system.",), "system")
        columns: dict[str, np.ndarray] = {}
        for name, seeds in runs.items():
            sheet = images.read_image(self.place(name, next(iter(seeds))) / "sheet.png")
            cells = dict(zip(system.shown, np.split(sheet, len(system.shown), axis=1), strict=True))
            columns = columns or {kind: cells[kind] for kind in settings.beside}
            columns[name] = cells[settings.shown]
        sheet = images.picture_grid([list(columns.values())], labels=list(columns))
        images.write_image(self.folder / "pictures.png", sheet)


def _trained(config: RunConfig, weights: Path) -> System:
    """A system with trained weights, averaged ones where there are, in evaluation mode."""
    system = build_system(config)
    load_networks(system, weights, system.averaged or None)
    for network in system.networks.values():
        network.eval()
    return system
