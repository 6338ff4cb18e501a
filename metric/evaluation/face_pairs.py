"""Pairs of faces for verification, scored by a system's embeddings or by colour alone."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from engine.errors import InputError
from metric.evaluation.scores import Scores
from metric.scorer import Scorer, SetScorer
from metric.verification import (
    Verification,
    acceptance_rate,
    cosines,
    fold_figures,
    pair_scores,
    seed_acceptance_rate,
    summary,
    too_few_pairs,
)

SEED_PAIRS = 1000  # of each sort a fold
HEADING = f"{'':22s}  TAR @ FAR 0.1 %  TAR @ FAR 1 %  AUC  accuracy %  threshold"
BINS = 8  # of a colour histogram, a channel
RULES: dict[str, Callable[..., float]] = {"official": acceptance_rate, "seed": seed_acceptance_rate}
Pairs = tuple[np.ndarray, np.ndarray]  # scores of pairs of one person, of two


def mean_colour(images: np.ndarray) -> np.ndarray:
    """[N, 3, H, W] in [0, 1] -> [N, 3], less one half."""
    return images.mean((2, 3)) - 0.5


def colour_histogram(images: np.ndarray) -> np.ndarray:
    """[N, 3, H, W] in [0, 1] -> [N, BINS ** 3]: shares of the colours."""
    levels = np.minimum((images * BINS).astype(int), BINS - 1)
    cells = (levels[:, 0] * BINS + levels[:, 1]) * BINS + levels[:, 2]
    return np.stack([np.bincount(cell.ravel(), minlength=BINS**3) for cell in cells]) / cells[0].size


def methods(rule: str) -> list[Scorer]:
    """Scorers of the system's `embedding` and of two baselines that see colour alone, by a rule of RULES."""
    ending = " (seed's)" if rule == "seed" else ""

    def scorer(name: str, embed: Callable | None) -> Scorer:
        def evidence(batch, networks):
            return {"embedding": embed(np.asarray(batch["image"])) if embed else batch["embedding"]}

        return SetScorer(name + ending, lambda: Verification(RULES[rule]), evidence=evidence)

    return [
        scorer(name, embed)
        for name, embed in (("network", None), ("mean colour", mean_colour), ("colour histogram", colour_histogram))
    ]


def figures_by_method(scores: Scores) -> dict[str, dict[str, float]]:
    """method -> {figure: value} of an evaluation by `methods`. InputError where one could not be computed."""
    table: dict[str, dict[str, float]] = {}
    for key, value in scores.means().items():
        name, _, figure = key.partition("/")
        table.setdefault(name, {})[figure] = value
    for reason in scores.skipped.values():
        raise InputError(reason)
    return table


def figures_by_setting(sets: Iterable[tuple], scored: Callable, rule: str) -> tuple[dict, list[str]]:
    """(setting -> {figure: value}, means over the folds; a line on each figure that rests on few pairs).

    Args:
        sets: (number of the fold, data set, (matched, mismatched) pairs of the restricted setting).
        scored: (data set, scorers, fold whose weights are used) -> Scores.
        rule: of RULES. "seed" asks one model about random pairs.
    """
    rng = np.random.RandomState(1)
    found: dict[str, list[Pairs]] = {}
    for fold, dataset, listed in sets:
        faces = Faces()
        scored(dataset, [faces], fold if rule == "official" else 1)
        if rule == "official":
            found.setdefault("official restricted", []).append(faces.restricted(*listed))
            found.setdefault("official unrestricted", []).append(faces.unrestricted())
        else:
            found.setdefault("seed (leaky)", []).append(faces.random_pairs(rng))
    table = {name: summary(fold_figures(folds, RULES[rule])) for name, folds in found.items()}
    return table, [f"few pairs: {name}: {text}" for name, folds in found.items() for text in too_few_pairs(folds)]


class Faces(Scorer):
    """Embeddings of a set, in its order, and pairs of them."""

    def __init__(self) -> None:
        """Of no face."""
        self.start({})

    def start(self, networks: dict[str, Any]) -> None:
        """See the base."""
        self.parts: list[list[np.ndarray]] = []
        self.pictures: list[str] = []

    def update(self, batch: dict[str, Any], pictures: dict[str, Any]) -> dict[str, Any]:
        """Take `embedding` [N, D], `identity` and `is_caricature` [N] of a batch."""
        self.parts.append([np.asarray(batch[key]) for key in ("embedding", "identity", "is_caricature")])
        self.pictures += batch["name"]
        return {}

    def columns(self) -> list[np.ndarray]:
        """[embeddings [N, D], identities [N], is_caricature [N]]."""
        return [np.concatenate(part) for part in zip(*self.parts, strict=True)]

    def unrestricted(self) -> Pairs:
        """Scores of all photo-caricature pairs."""
        vectors, identities, is_caricature = self.columns()
        return pair_scores(vectors, identities, is_caricature.astype(bool))

    def restricted(self, matched: list, mismatched: list) -> Pairs:
        """Scores of the listed pairs of Pictures.

        Raises:
            InputError: a listed picture is not in the data set.
        """
        vectors, *_ = self.columns()
        place = {name: i for i, name in enumerate(self.pictures)}
        missing = next((p.name for pair in matched + mismatched for p in pair if p.name not in place), None)
        if missing:
            raise InputError(f"{missing}: a pair of RestrictedView2 names it, but it cannot be read")
        first, second = (np.array([[place[p.name] for p in pair] for pair in pairs]) for pairs in (matched, mismatched))
        return _cosines(vectors, first), _cosines(vectors, second)

    def random_pairs(self, rng: np.random.RandomState, count: int = SEED_PAIRS) -> Pairs:
        """The seed's way: `count` pairs of one person and as many of two, of any kinds."""
        vectors, identities, _ = self.columns()
        positive, negative = np.zeros([count, 2], int), np.zeros([count, 2], int)
        people = np.unique(identities)
        own = {person: np.flatnonzero(identities == person) for person in people}
        several = [person for person in people if len(own[person]) > 1]
        for i in range(count):
            positive[i] = rng.choice(own[rng.choice(several)], 2, replace=False)
            negative[i] = [rng.choice(own[person]) for person in rng.choice(people, 2, replace=False)]
        return _cosines(vectors, positive), _cosines(vectors, negative)


def _cosines(vectors: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return cosines(vectors[pairs[:, 0]], vectors[pairs[:, 1]])


def table_of(figures: dict[str, dict[str, float]]) -> str:
    """The table that a person reads: a row for every {name: figures}."""
    return "\n".join([HEADING, *(line(name, found) for name, found in figures.items())])


def line(name: str, figures: dict[str, float]) -> str:
    """One row of the table: percent but for the area; "-" for what a single fold cannot give."""

    def shown(key: str, scale: int, digits: int) -> str:
        if key not in figures:
            return "-"
        return f"{figures[key] * scale:.{digits}f} +- {figures[f'{key}_std'] * scale:.{digits}f}"

    cells = [f"{name:22s}", *(shown(key, 100, 2) for key in ("tar_far_0.1", "tar_far_1"))]
    return "  ".join([*cells, shown("auc", 1, 3), shown("accuracy", 100, 2), shown("threshold", 1, 3)])
