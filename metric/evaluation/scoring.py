"""Scoring a set: batches in, means, a table and a signature for every number out.

A number without its circumstances cannot be compared. A signature names the metric and all it depends on, such as
`psnr|n=100|reference=lite_data/val (pixels 1f...)|colour=RGB|crop=0|range=255`: equal signatures, comparable numbers.

Source: ours; the idea is sacreBLEU's (Post 2018).
"""

import hashlib
import math

import numpy as np

from engine.errors import InputError
from engine.images import to_uint8
from metric import holes

FEW = 2048  # pictures; below it the covariance of 2048 features is singular
HIGHER = ("psnr", "ssim", "identity", "hole_psnr", "hole_ssim", "variety")
LOWER = ("l1", "mse", "relative_l1", "hole_l1", "lpips", "fid", "kid", "deg", "niqe", "texture_distance")
DIGITS = 12  # of a hash in a signature


class Fingerprint:
    """Hash of the pixels of a set of pictures, in whatever order they come.

    Source: ours; the sum of the pictures' sha256.
    """

    def __init__(self):
        """Of no picture."""
        self.sum = 0

    def update(self, pictures):
        """Add [N, H, W, 3] uint8."""
        for picture in pictures:
            digest = hashlib.sha256(str(picture.shape).encode() + picture.tobytes()).digest()
            self.sum = (self.sum + int.from_bytes(digest)) % 2**256

    def __str__(self):
        """Its first digits."""
        return f"{self.sum:064x}"[:DIGITS]


class Scoring:
    """The scorers of one evaluation, and what came out so far.

    Attributes:
        rows: one dict a picture: name and its numbers.
        skipped: metric -> why it is not computed.

    Source: ours.
    """

    def __init__(self, scorers, missing=None, reference=""):
        """Begin.

        Args:
            scorers: objects as in `metric.evaluation.scorers`.
            missing: metric -> why it cannot be computed.
            reference: what the signatures call the reference set.
        """
        self.scorers, self.skipped, self.reference = list(scorers), dict(missing or {}), reference
        self.rows, self.kinds, self.elsewhere = [], [], {}
        self.paired, self.whole = Fingerprint(), Fingerprint()  # of the reference pictures

    def update(self, names, pictures):
        """Score a batch of pairs.

        Args:
            names: N of them.
            pictures: {kind: [N, H, W, 3] in [0, 1]}; "image" is the reference, "mask" [N, H, W, 1].
        """
        rows, rounded = [{"name": name} for name in names], self._noted(pictures)
        self.paired.update(rounded["image"])
        for scorer in list(self.scorers):
            for key, values in self._tried(scorer, pictures if scorer.takes_unrounded else rounded).items():
                for row, value in zip(rows, values, strict=True):
                    row[key] = float(value)
        self.rows += rows

    def update_set(self, pictures):
        """Add pictures without a partner to the sets that FID and KID compare."""
        rounded = self._noted(pictures)
        for scorer in self.scorers:
            if scorer.of_sets:
                scorer.update(rounded)

    def _noted(self, pictures):
        """The batch in 8 bits, its kinds and reference taken down."""
        self.kinds += [kind for kind in pictures if kind not in ("image", "mask", *self.kinds)]
        rounded = {kind: each if kind == "mask" else to_uint8(each) for kind, each in pictures.items()}
        if "image" in rounded:
            self.whole.update(rounded["image"])
        return rounded

    def _tried(self, scorer, pictures):
        """A scorer's numbers; one that cannot score these pictures (too small for it) is left out from then on."""
        try:
            return scorer.update(pictures)
        except InputError as error:
            self.scorers.remove(scorer)
            self.skipped |= {name: str(error) for name in scorer.names}
            for row in self.rows:
                for key in [key for key in row if key.partition("/")[0] in scorer.names]:
                    del row[key]
            return {}

    def scores(self):
        """{metric/kind: float}: means over the pictures, then the numbers of the set and, with masks, of buckets."""
        keys = dict.fromkeys(key for row in self.rows for key in row if "/" in key)
        found = {key: float(np.mean([row[key] for row in self.rows if key in row])) for key in keys}
        for scorer in list(self.scorers):
            try:
                found |= scorer.result()
            except InputError as error:
                self.skipped |= {name: str(error) for name in scorer.names}
        return found | self._buckets()

    def _buckets(self):
        """Means of whole-picture metrics by hole ratio: {"psnr/restored/0.1-0.2": float}."""
        rows = [row for row in self.rows if "hole_ratio" in row]
        keys = [f"{metric}/{kind}" for metric in ("psnr", "ssim", "l1") for kind in self.kinds]
        found = {}
        for key in keys if rows else ():
            values = [row[key] for row in rows if key in row]
            if len(values) == len(rows):
                buckets = holes.per_bucket([row["hole_ratio"] for row in rows], values)
                found |= {f"{key}/{bucket}": mean for bucket, (_, mean) in buckets.items()}
        return found

    def facts(self, key):
        """Circumstances of one number, as text by name; of one computed elsewhere as `report` was told."""
        metric, kind, *bucket = key.split("/")
        scorer = next((scorer for scorer in self.scorers if metric in scorer.names), None)
        if scorer is None:
            return {name: str(value) for name, value in self.elsewhere.get(metric, {}).items()}
        count = scorer.count(kind) if scorer.of_sets else sum(f"{metric}/{kind}" in row for row in self.rows)
        found = {"n": count, "reference": self._reference(self.whole if scorer.of_sets else self.paired)}
        if bucket:
            found |= {
                "n": sum(holes.bucket(row.get("hole_ratio", 0)) == bucket[0] for row in self.rows),
                "hole_ratio": bucket[0],
            }
        return {name: str(value) for name, value in (found | scorer.facts[metric]).items()}

    def definitions(self):
        """{metric: its circumstances as text} of the numbers each picture has."""
        names = dict.fromkeys(key.partition("/")[0] for row in self.rows for key in row if "/" in key)
        facts = {name: next(scorer.facts[name] for scorer in self.scorers if name in scorer.names) for name in names}
        return {name: "; ".join(f"{key} {value}" for key, value in own.items()) for name, own in facts.items()}

    def warnings(self):
        """Lines a reader of the table should see."""
        found = []
        for scorer in self.scorers:
            if not scorer.of_sets:
                continue
            counts = {kind: scorer.count(kind) for kind in (*self.kinds, "image")}
            few = [f"{count} pictures of '{kind}'" for kind, count in counts.items() if count < FEW]
            if any(counts.values()) and few:
                found.append(
                    f"{scorer.names[0]}: {', '.join(few)}, fewer than {FEW}: biased upwards, comparable only "
                    f"at equal n; {scorer.names[1]} has no such bias"
                )
        return found

    def report(self, further=None, circumstances=None):
        """Everything, for JSON.

        Args:
            further: {metric/kind: float} that were computed elsewhere.
            circumstances: {metric: facts as in `facts`} of those.

        Returns:
            dict: `reference`, `scores`, `metrics` (one dict a number: name, value, better, signature, facts),
            `not_computed`, `warnings`, `rows`.
        """
        scores = (further or {}) | self.scores()
        self.elsewhere = circumstances or {}
        metrics = [
            {
                "name": key,
                "value": value,
                "better": better(key),
                "signature": self.signature(key),
                "facts": self.facts(key),
            }
            for key, value in scores.items()
        ]
        return {
            "reference": self._reference(self.paired),
            "scores": scores,
            "metrics": metrics,
            "not_computed": self.skipped,
            "warnings": self.warnings(),
            "rows": self.rows,
        }

    def _reference(self, fingerprint):
        return f"{self.reference} (pixels {fingerprint})" if fingerprint.sum else self.reference

    def signature(self, key):
        """One line: the metric and its circumstances in alphabetical order."""
        facts = sorted(self.facts(key).items())
        return "|".join([key.partition("/")[0], *(f"{name}={value}" for name, value in facts)])


def better(key):
    """ "higher" or "lower", by the name of a metric; "" for one this module does not know."""
    metric = key.partition("/")[0]
    return "higher" if metric.startswith(HIGHER) else "lower" if metric.startswith(LOWER) else ""


def table(report):
    """Lines of a report: the reference, numbers with their circumstances, then what is not computed and why.

    Source: ours.
    """
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


def shown(value):
    """A number in a table: four decimals, or three significant digits where those would be zeros."""
    return f"{value:.4f}" if value == 0 or not math.isfinite(value) or abs(value) >= 0.01 else f"{value:.2e}"
