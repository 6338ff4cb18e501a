"""Results of an ablation: means, spreads and paired differences, as numbers and as Markdown.

Source: Student 1908 for the interval of a mean of few paired differences.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.stats import t

from metric.evaluation.ablation_experiment import Experiment

CONFIDENCE = 0.95
NOT_RUN = "not run"


def spread(values: Iterable[float]) -> dict[str, Any]:
    """{"n", "mean", "sd"} of a score over seeds; the standard deviation is the sample's, None for a single value."""
    numbers = np.array(list(values), np.float64)
    sd = float(numbers.std(ddof=1)) if len(numbers) > 1 else None
    return {"n": len(numbers), "mean": float(numbers.mean()), "sd": sd}


def difference(values: dict[int, float], reference: dict[int, float], better: str) -> dict[str, Any] | None:
    """Difference of a variant to the reference, seed by seed.

    Args:
        values, reference: {seed: score}; the seeds that both have are paired.
        better: "higher" or "lower".

    Returns:
        None without a common seed, else `spread` of the differences with `half_width`, of the 95 % interval of their
        mean (None for one pair), and `verdict`: "better" or "worse" where the interval leaves out 0, else "unclear".
    """
    seeds = [seed for seed in values if seed in reference]
    if not seeds:
        return None
    found = spread([values[seed] - reference[seed] for seed in seeds]) | {"half_width": None, "verdict": "unclear"}
    if len(seeds) > 1:
        found["half_width"] = float(t.ppf((1 + CONFIDENCE) / 2, len(seeds) - 1) * found["sd"] / np.sqrt(len(seeds)))
        if abs(found["mean"]) > found["half_width"]:
            found["verdict"] = "better" if (found["mean"] > 0) == (better == "higher") else "worse"
    return found


def compare(experiment: Experiment, runs: dict[str, dict[int, dict[str, float]]]) -> dict[str, dict]:
    """All figures of an ablation.

    Args:
        experiment: Experiment.
        runs: {variant: {seed: {score: value}}} of the finished runs.

    Returns:
        dict: `variants` {name: {score: spread}}, `differences` {name: {score: difference}} to the first variant,
        `baselines` {row: {score: value}} from the first finished run, None before it. Variants that are not
        finished are left out.
    """

    def column(name, key):
        return {seed: scores[key] for seed, scores in runs.get(name, {}).items()}

    first, *others = experiment.variants
    found: dict[str, dict] = {"variants": {}, "differences": {}, "baselines": {}}
    for key, settings in experiment.scores.items():
        for name in experiment.variants:
            if column(name, key):
                found["variants"].setdefault(name, {})[key] = spread(list(column(name, key).values()))
        for name in others:
            own = difference(column(name, key), column(first, key), settings.better)
            if own is not None:
                found["differences"].setdefault(name, {})[key] = own
    any_run = next((scores for own in runs.values() for scores in own.values()), {})
    found["baselines"] = {
        row: {column: any_run.get(key) for column, key in cells.items()} for row, cells in experiment.baselines.items()
    }
    return found


def markdown(experiment: Experiment, found: dict[str, dict]) -> str:
    """The two tables of `compare` as text: scores of every variant, and differences to the first."""
    first, *others = experiment.variants
    columns = [f"{own.title or key} ({own.better} is better)" for key, own in experiment.scores.items()]
    head = ["variant", "seeds", *columns]
    scores = [_line(experiment, name, row, _plain, "-") for name, row in found["baselines"].items()]
    for name in experiment.variants:
        row = found["variants"].get(name)
        scores.append(_line(experiment, name, row, _spread, _seeds(row)))
    against = []
    for name in others:
        row = found["differences"].get(name)
        against.append(_line(experiment, name, row, _difference, _seeds(row)))
    return (
        "\n".join(
            [
                "Mean +- standard deviation over the seeds.",
                "",
                *_table(head, scores),
                "",
                f"Difference to `{first}`, seed by seed, mean +- standard deviation; better or worse where the 95 %",
                "interval of the mean (Student's t) leaves out 0.",
                "",
                *_table(head, against),
            ]
        )
        + "\n"
    )


def _table(head, rows):
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def _line(experiment, name, row, text, seeds):
    """Cells of one row: a figure, "-" where none belongs, "not run" where it is still to come."""
    figures = {
        key: text(row[key], own.digits) if row[key] is not None else NOT_RUN
        for key, own in experiment.scores.items()
        if row and key in row
    }
    return [name, seeds, *(figures.get(key, "-" if row else NOT_RUN) for key in experiment.scores)]


def _seeds(row):
    return str(next(iter(row.values()))["n"] if row else 0)


def _plain(value, digits):
    return f"{value:.{digits}f}"


def _spread(value, digits):
    return f"{value['mean']:.{digits}f}" + ("" if value["sd"] is None else f" +- {value['sd']:.{digits}f}")


def _difference(value, digits):
    sign = "+" if value["mean"] >= 0 else ""
    return f"{sign}{_spread(value, digits)}, {value['verdict']}"
