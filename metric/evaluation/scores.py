"""Results of an evaluation: numbers per picture, means, and a signature for every number.

A number without its circumstances cannot be compared. A signature names the metric and all it depends on, such as
`psnr|n=100|reference=lite_data/val (pixels 1f...)|colour=RGB|crop=0|range=255`: equal signatures, comparable numbers.

Source: ours; the idea is sacreBLEU's (Post 2018).
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.log import logger
from metric import holes
from metric.evaluation.weights import DIGITS
from metric.psnr_ssim import finite_mean
from metric.scorer import Scorer, scored_kinds

FEW = 2048  # pictures; below it the covariance of 2048 features is singular
HIGHER = ("psnr", "ssim", "identity", "hole_psnr", "hole_ssim", "variety")
LOWER = ("l1", "mse", "relative_l1", "hole_l1", "lpips", "fid", "kid", "deg", "niqe", "texture_distance")


class Fingerprint:
    """Hash of the pixels of a set of pictures, in whatever order they come: the sum of the pictures' sha256."""

    def __init__(self) -> None:
        """Of no picture."""
        self.sum = 0

    def update(self, pictures: np.ndarray) -> None:
        """Add [N, H, W, 3] uint8."""
        for picture in pictures:
            digest = hashlib.sha256(str(picture.shape).encode() + picture.tobytes()).digest()
            self.sum = (self.sum + int.from_bytes(digest)) % 2**256

    def __str__(self) -> str:
        """Its first digits."""
        return f"{self.sum:064x}"[:DIGITS]


class Scores:
    """The scorers of one evaluation, and what came out so far.

    Attributes:
        rows: one dict a picture: name and its numbers; with a mask also `hole_ratio` and `border`.
        sheet: rows of pictures, each a list of [H, W, 3].
        skipped: metric -> why it is not computed.
        reference: what the signatures call the reference set.
    """

    def __init__(self, scorers: Iterable[Scorer], networks: dict[str, Any] | None = None):
        """Begin: every scorer forgets what it saw; `networks` are those that are scored."""
        self.scorers, self.reference = list(scorers), ""
        self.skipped: dict[str, str] = {}
        self.rows: list[dict[str, Any]] = []
        self.sheet: list[list[np.ndarray]] = []
        self.kinds: list[str] = []
        self.paired, self.whole = Fingerprint(), Fingerprint()  # of the reference pictures
        for scorer in self.scorers:
            scorer.start(networks or {})

    def update(self, names: Iterable[str], batch: dict[str, Any], pictures: dict[str, Any]) -> None:
        """Score a batch; one without a reference, or of nothing else, goes to the scorers of sets alone.

        Args:
            names: N of them.
            batch, pictures: see `metric.scorer.Scorer.update`.
        """
        self.kinds += [kind for kind in scored_kinds(pictures) if kind not in self.kinds]
        if "image" in pictures:
            self.whole.update(pictures["image"])
        if pictures and not ("image" in pictures and scored_kinds(pictures)):
            for scorer in self.scorers:
                if scorer.of_sets:
                    scorer.update(batch, pictures)
            return
        rows: list[dict[str, Any]] = [{"name": name} for name in names]
        if "image" in pictures:
            self.paired.update(pictures["image"])
        if "mask" in pictures:
            for i, row in enumerate(rows):
                row["hole_ratio"] = holes.hole_ratio(pictures["mask"][i])
                row["border"] = batch["border"][i] if "border" in batch else "free"
        for scorer in list(self.scorers):
            for key, values in self._tried(scorer, batch, pictures).items():
                for row, value in zip(rows, values, strict=True):
                    row[key] = float(value)
        self.rows += rows

    def _tried(self, scorer: Scorer, batch: dict[str, Any], pictures: dict[str, Any]) -> dict[str, Any]:
        """A scorer's numbers; one that cannot score these pictures (too small for it) is left out from then on."""
        try:
            found = scorer.update(batch, pictures)
            if undefined := [key for key, values in found.items() if np.isnan(values).any()]:
                raise InputError(f"{undefined[0]} is nan")
            return found
        except InputError as error:
            self.scorers.remove(scorer)
            self.skipped |= {name: str(error) for name in scorer.names}
            for row in self.rows:
                for key in [key for key in row if key.partition("/")[0] in scorer.names]:
                    del row[key]
            return {}

    def means(self) -> dict[str, float]:
        """{metric/kind: float}: means over the pictures, then the numbers of the set and, with masks, of buckets.

        A PSNR of a pair without an error is infinite, and left out of a mean that has others: see `identical`.
        """
        found = {key: finite_mean(values) for key, values in self._columns().items()}
        for scorer in list(self.scorers):
            try:
                own = scorer.result()
                if undefined := [key for key, value in own.items() if not np.isfinite(value)]:
                    raise InputError(f"{undefined[0]} is {own[undefined[0]]}")
                found |= own
            except InputError as error:
                self.skipped |= {name: str(error) for name in scorer.names}
        return found | self._buckets()

    def identical(self) -> dict[str, int]:
        """{metric/kind: number of pairs without an error}, where there is one."""
        counts = {key: int(np.isinf(values).sum()) for key, values in self._columns().items()}
        return {key: count for key, count in counts.items() if count}

    def numbers(self) -> dict[str, float]:
        """Numbers of a validation: `means`, and `<score>_identical` if pairs have no error; gaps are logged."""
        means = self.means()
        for name, reason in self.skipped.items():
            logger.warning(f"{name}: not computed, {reason}")
        return means | {f"{key}_identical": count for key, count in self.identical().items()}

    def _columns(self) -> dict[str, list[float]]:
        keys = dict.fromkeys(key for row in self.rows for key in row if "/" in key)
        return {key: [row[key] for row in self.rows if key in row] for key in keys}

    def _buckets(self) -> dict[str, float]:
        """Means of whole-picture metrics by hole ratio: {"psnr/restored/0.1-0.2": float}."""
        columns = self._columns()
        found: dict[str, float] = {}
        ratios = [row["hole_ratio"] for row in self.rows if "hole_ratio" in row]
        for key in [f"{metric}/{kind}" for metric in ("psnr", "ssim", "l1") for kind in self.kinds]:
            if ratios and len(columns.get(key, ())) == len(ratios):
                buckets = holes.per_bucket(ratios, columns[key])
                found |= {f"{key}/{bucket}": mean for bucket, (_, mean) in buckets.items()}
        return found

    def facts(self, key: str) -> dict[str, str]:
        """Circumstances of one number, as text by name."""
        metric, kind, *bucket = key.split("/")
        scorer = next((scorer for scorer in self.scorers if metric in scorer.names), Scorer())
        own = sum(key in row for row in self.rows) or len(self.rows)
        found = {"n": own, "reference": self._reference(self.whole if scorer.of_sets else self.paired)}
        if scorer.of_sets:
            found["n"] = scorer.count(kind)  # type: ignore[attr-defined]
        if bucket:
            found["n"] = sum(holes.bucket(row.get("hole_ratio", 0)) == bucket[0] for row in self.rows)
            found["hole_ratio"] = bucket[0]
        elif count := self.identical().get(key):
            found["identical"] = count
        return {name: str(value) for name, value in (found | scorer.facts().get(metric, {})).items()}

    def definitions(self) -> dict[str, str]:
        """{metric: its circumstances as text} of the numbers each picture has."""
        facts = {name: own for scorer in self.scorers for name, own in scorer.facts().items()}
        names = dict.fromkeys(key.partition("/")[0] for key in self._columns())
        return {name: "; ".join(f"{key} {value}" for key, value in facts.get(name, {}).items()) for name in names}

    def warnings(self) -> list[str]:
        """Lines a reader of the table should see."""
        found = [f"{key}: {count} identical, left out of the mean" for key, count in self.identical().items()]
        for scorer in [each for each in self.scorers if each.of_sets]:
            counts = {kind: scorer.count(kind) for kind in (*self.kinds, "image")}  # type: ignore[attr-defined]
            few = [f"{count} pictures of '{kind}'" for kind, count in counts.items() if count < FEW]
            if any(counts.values()) and few:
                found.append(
                    f"{scorer.names[0]}: {', '.join(few)}, fewer than {FEW}: biased upwards, comparable only "
                    f"at equal n; {scorer.names[1]} has no such bias"
                )
        return found

    def report(self, reference: str = "", missing: dict[str, str] | None = None) -> dict[str, Any]:
        """Everything, for JSON.

        Args:
            reference: what the signatures call the reference set.
            missing: metric -> why there is no scorer for it.

        Returns:
            dict: `reference`, `scores`, `metrics` (one dict a number: name, value, better, signature, facts),
            `not_computed`, `warnings`, `rows`.
        """
        self.reference, self.skipped = reference, (missing or {}) | self.skipped
        scores, metrics = self.means(), []
        for key, value in scores.items():
            facts = self.facts(key)
            signature = "|".join([key.partition("/")[0], *(f"{name}={text}" for name, text in sorted(facts.items()))])
            metrics.append({"name": key, "value": value, "better": better(key), "signature": signature, "facts": facts})
        return {
            "reference": self._reference(self.paired),
            "scores": scores,
            "metrics": metrics,
            "not_computed": self.skipped,
            "warnings": self.warnings(),
            "rows": self.rows,
        }

    def _reference(self, fingerprint: Fingerprint) -> str:
        return f"{self.reference} (pixels {fingerprint})" if fingerprint.sum else self.reference


def better(key: str) -> str:
    """ "higher" or "lower", by the name of a metric; "" for one this module does not know."""
    metric = key.partition("/")[0]
    return "higher" if metric.startswith(HIGHER) else "lower" if metric.startswith(LOWER) else ""
