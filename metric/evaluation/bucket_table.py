"""Scores of inpainted pictures by hole ratio and by whether holes reach the edge: rows, CSV, JSON, Markdown.

Source: Liu et al. 2018 (PartialConv), table 1: six buckets of hole ratio, each with holes that may touch the picture's
edge ("N") and holes kept off it ("B").
"""

import csv
import io
import itertools
from pathlib import Path
from typing import Any

from engine.files import write_json, write_text
from metric.holes import BUCKETS, bucket
from metric.psnr_ssim import finite_mean

ALL = "all"
BORDERS = (ALL, "free", "inside")  # holes that may touch the edge, holes kept off it
BORDER_WORDS = {ALL: "all holes", "free": "holes that may touch the edge", "inside": "holes kept off the edge"}


def bucket_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over pictures for every method, border group and bucket that has pictures.

    Args:
        rows: one dict a picture: "hole_ratio", "border" ("free" or "inside") and "metric/method" scores.

    Returns:
        list of dicts: method, border, bucket, pictures, then the metrics by name, means of the finite values. Bucket
        "all" also counts pictures outside every bucket.
    """
    names = [key.split("/", 1) for key in rows[0] if "/" in key]
    metrics, methods = (list(dict.fromkeys(part)) for part in zip(*names, strict=True))
    buckets = [ALL, *(f"{low:g}-{high:g}" for low, high in itertools.pairwise(BUCKETS))]
    found = []
    for method in methods:
        for border in BORDERS:
            for name in buckets:
                own = [
                    row for row in rows if border in (ALL, row["border"]) and name in (ALL, bucket(row["hole_ratio"]))
                ]
                if own:
                    means = {metric: finite_mean([row[f"{metric}/{method}"] for row in own]) for metric in metrics}
                    found.append({"method": method, "border": border, "bucket": name, "pictures": len(own), **means})
    return found


def to_csv(table: list[dict[str, Any]]) -> str:
    """The rows of `bucket_rows` as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: f"{value:.6f}" if isinstance(value, float) else value for key, value in row.items()} for row in table
    )
    return text.getvalue()


def to_markdown(table: list[dict[str, Any]], definitions: dict[str, str], not_computed: dict[str, str]) -> str:
    """A table for each border group: a line a metric and method, a column a bucket; definitions above, gaps below."""
    lines = [f"* {name}: {text}" for name, text in definitions.items()]
    metrics = [key for key in table[0] if key not in ("method", "border", "bucket", "pictures")]
    for border in BORDERS:
        rows = {(row["method"], row["bucket"]): row for row in table if row["border"] == border}
        buckets = list(dict.fromkeys(name for _, name in rows))
        if not rows:
            continue
        methods = list(dict.fromkeys(method for method, _ in rows))
        counts = [rows[methods[0], name]["pictures"] for name in buckets]
        lines += [
            "",
            f"### {BORDER_WORDS[border]}",
            "",
            _line("metric", "method", *buckets),
            _line(*["---"] * (2 + len(buckets))),
            _line("pictures", "", *counts),
        ]
        for metric in metrics:
            for method in methods:
                lines.append(_line(metric, method, *(f"{rows[method, name][metric]:.4f}" for name in buckets)))
    lines += [""] + [f"* {name} not computed: {reason}" for name, reason in not_computed.items()]
    return "\n".join(lines) + "\n"


def _line(*cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def write_bucket_tables(
    folder: Path, rows: list[dict[str, Any]], definitions: dict[str, str], not_computed: dict[str, str]
) -> str:
    """Write buckets.csv, buckets.json and buckets.md.

    Args:
        folder: where they go.
        rows: as of `bucket_rows`.
        definitions: metric name -> what it is.
        not_computed: metric name -> why there is no number.

    Returns:
        the Markdown text.
    """
    table = bucket_rows(rows)
    text = to_markdown(table, definitions, not_computed)
    write_text(folder / "buckets.csv", to_csv(table))
    write_text(folder / "buckets.md", text)
    report = {"definitions": definitions, "not_computed": not_computed, "table": table}
    write_json(folder / "buckets.json", report)
    return text
