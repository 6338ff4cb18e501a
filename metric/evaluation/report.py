"""The report of an evaluation for people and programs: a table, a JSON file, one line per number."""

import math
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.files import write_json
from engine.log import logger
from metric import fid
from metric.evaluation.scorers import DistanceScorer
from metric.evaluation.scores import Scores


def table(report: dict[str, Any]) -> list[str]:
    """Lines of a report: the reference, numbers with their circumstances, then what is not computed and why."""
    cells = [("metric", "value", "better", "with")]
    for metric in report["metrics"]:
        facts = "; ".join(
            f"{name} {value}"
            for name, value in sorted(metric["facts"].items())
            if (name, value) != ("reference", report["reference"])
        )
        cells.append((metric["name"], shown(metric["value"]), metric["better"], facts))
    cells += [(name, "-", "", f"not computed: {reason}") for name, reason in report["not_computed"].items()]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[3]]).rstrip() for row in cells]
    return [f"reference: {report['reference']}", *lines]


def shown(value: float) -> str:
    """A number in a table: four decimals, or three significant digits where those would be zeros."""
    return f"{value:.4f}" if value == 0 or not math.isfinite(value) or abs(value) >= 0.01 else f"{value:.2e}"


def number_lines(report: dict[str, Any]) -> list[str]:
    """`Metric NAME: NUMBER` for each number, which TIPC reads."""
    return [f"Metric {name}: {shown(value)}" for name, value in report["scores"].items()]


def tell(report: dict[str, Any]) -> None:
    """Log the table, its warnings, and the line of each number."""
    for line in table(report):
        logger.info(line)
    for line in report["warnings"]:
        logger.warning(line)
    for line in number_lines(report):
        logger.info(line)


def write_report(path: Path, report: dict[str, Any]) -> None:
    """A report as JSON that every reader takes: infinities and nan become text."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return str(value) if isinstance(value, float) and not math.isfinite(value) else value

    write_json(path, plain(report))


def save_statistics(scores: Scores, path: Path | str) -> None:
    """Keep the reference set's FID statistics.

    Raises:
        InputError: FID is not computed.
    """
    scorer = next((each for each in scores.scorers if isinstance(each, DistanceScorer)), None)
    if scorer is None:
        raise InputError(f"{path}: no statistics to save; FID is not computed")
    fid.save_statistics(path, scorer.statistics("image"), scorer.common)
