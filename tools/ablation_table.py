"""What the runs of an ablation say together: means, spreads and paired differences, as numbers and as Markdown.

Source: Student 1908 for the interval of a mean of few paired differences.
"""

import numpy as np
from scipy.stats import t

CONFIDENCE = 0.95
NOT_RUN = "not run"


def spread(values):
    """{"n", "mean", "sd"} of a score over seeds; the standard deviation is the sample's, None for a single value."""
    values = np.asarray(values, np.float64)
    return {"n": len(values), "mean": float(values.mean()), "sd": float(values.std(ddof=1)) if len(values) > 1 else None}


def difference(values, reference, better):
    """How far a variant is from the reference, seed by seed.

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


def compare(experiment, runs):
    """All figures of an ablation.

    Args:
        experiment: Experiment.
        runs: {variant: {seed: {score: value}}} of the finished runs.

    Returns:
        dict: `variants` {name: {score: spread}}, `differences` {name: {score: difference}} to the first variant,
        `baselines` {row: {score: value}} from the first finished run. Nothing stands for what is not finished.
    """
    def column(name, key):
        return {seed: scores[key] for seed, scores in runs.get(name, {}).items()}

    first, *others = experiment.variants
    found = {"variants": {}, "differences": {}, "baselines": {}}
    for key, settings in experiment.scores.items():
        for name in experiment.variants:
            if column(name, key):
                found["variants"].setdefault(name, {})[key] = spread(list(column(name, key).values()))
        for name in others:
            own = difference(column(name, key), column(first, key), settings.better)
            if own is not None:
                found["differences"].setdefault(name, {})[key] = own
    any_run = next((scores for own in runs.values() for scores in own.values()), None)
    if any_run is not None:
        found["baselines"] = {row: {column: any_run[key] for column, key in cells.items()}
                              for row, cells in experiment.baselines.items()}
    return found


def markdown(experiment, found):
    """The two tables of `compare` as text: scores of every variant, and differences to the first."""
    keys, (first, *others) = list(experiment.scores), experiment.variants
    titles = [f"{own.title or key} ({own.better} is better)" for key, own in experiment.scores.items()]

    def cell(text, row, key):
        return NOT_RUN if row is None else text(row[key], experiment.scores[key].digits) if key in row else "-"

    def line(name, row, text):
        seeds = next((value["n"] for value in row.values() if isinstance(value, dict)), "-") if row else 0
        return [name, str(seeds), *(cell(text, row, key) for key in keys)]

    scores = [line(name, found["baselines"].get(name), _plain) for name in experiment.baselines]
    for row in scores:
        row[1] = "-"
    scores += [line(name, found["variants"].get(name), _spread) for name in experiment.variants]
    against = [line(name, found["differences"].get(name), _difference) for name in others]
    return "\n".join([
        "Mean +- standard deviation over the seeds.", "", *_table(["variant", "seeds", *titles], scores), "",
        f"Difference to `{first}`, seed by seed, mean +- standard deviation; better or worse where the 95 % interval of "
        "the mean (Student's t) leaves out 0.", "", *_table(["variant", "seeds", *titles], against)]) + "\n"


def _table(head, rows):
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def _plain(value, digits):
    return f"{value:.{digits}f}"


def _spread(value, digits):
    return f"{value['mean']:.{digits}f}" + (f" +- {value['sd']:.{digits}f}" if value["sd"] is not None else "")


def _difference(value, digits):
    return f"{value['mean']:+.{digits}f}" + (f" +- {value['sd']:.{digits}f}" if value["sd"] is not None else "") + (
        f", {value['verdict']}")
