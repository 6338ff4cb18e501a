"""The scorers every system has: of pairs of pictures, of holes, of features, and of sets by FID and KID.

A pair is a scored kind of picture and its "image"; see `metric.scorer` for what a scorer is. Nothing keeps a picture,
and features of the reference are computed once a batch, whatever the number of kinds.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.images import to_hwc
from metric import fid, holes, kid, legacy_seed
from metric.scorer import KindScorer, Scorer, scored_kinds


def of_pairs(name: str, function: Callable[..., float], facts: dict[str, Any], in_hole: bool = False) -> Scorer:
    """A function of two [H, W, 3] uint8, picture by picture; `in_hole`: of the mask too, nothing without one."""

    def numbers(batch, pictures):
        others = [pictures["image"], *([pictures["mask"]] if in_hole else [])]
        return lambda kind: [function(*each) for each in zip(pictures[kind], *others, strict=True)]

    return KindScorer(name, numbers, facts, needs_mask=in_hole)


def of_features(name: str, embed: Callable, between: Callable, facts: dict[str, Any]) -> Scorer:
    """A distance of the features of two pictures: `between` of two results of `embed([N, H, W, 3] uint8)` is [N]."""

    def numbers(batch, pictures):
        target = embed(pictures["image"])
        return lambda kind: between(embed(pictures[kind]), target)

    return KindScorer(name, numbers, facts)


class DistanceScorer(Scorer):
    """FID and KID of each kind's pictures against the reference's, or FID against saved statistics."""

    of_sets = True

    def __init__(
        self,
        features: Callable,
        facts: dict[str, Any],
        saved: tuple[np.ndarray, np.ndarray, dict] | None = None,
        suffix: str = "",
    ):
        """Begin with empty sets.

        Args:
            features: [N, H, W, 3] uint8 -> [N, D].
            facts: what both numbers depend on.
            saved: (mean, covariance, facts) to compare with in place of the reference pictures; facts of FID alone.
            suffix: of the names.
        """
        self.features, self.saved, self.names = features, saved, (f"fid{suffix}", f"kid{suffix}")
        self.common = facts
        self.sets: dict[str, tuple[fid.FeatureStatistics, kid.Sample]] = {}

    def start(self, networks: dict[str, Any]) -> None:
        """See the base."""
        self.sets = {}

    def update(self, batch: dict[str, Any], pictures: dict[str, Any]) -> dict[str, Any]:
        """Add the batch's features to the sets, with masks also to those of their hole ratios; returns nothing."""
        buckets = [holes.bucket(holes.hole_ratio(mask)) for mask in pictures.get("mask", ())]
        for kind in (*scored_kinds(pictures), *(["image"] if "image" in pictures else [])):
            features = self.features(pictures[kind])
            self._add(kind, features)
            for bucket in sorted({bucket for bucket in buckets if bucket}):
                self._add(f"{kind}/{bucket}", features[[own == bucket for own in buckets]])
        return {}

    def _add(self, name: str, features: np.ndarray) -> None:
        statistics, sample = self.sets.setdefault(name, (fid.FeatureStatistics(), kid.Sample()))
        statistics.update(features)
        sample.update(features)

    def result(self) -> dict[str, float]:
        """Both numbers of every kind, {"fid/composite", "fid/composite/0.1-0.2"}; KID only against own references.

        A hole ratio is compared with the reference pictures of the same holes, and left out where it has one picture.
        """
        found, references = {}, {"image": self.saved[:2] if self.saved else self.statistics("image").result()}
        for kind in [kind for kind in self.sets if kind.partition("/")[0] != "image"]:
            own = "/".join(["image", *kind.split("/")[1:]])
            if "/" in kind and self.count(kind) < 2:
                continue
            if own not in references:
                references[own] = self.saved[:2] if self.saved else self.statistics(own).result()
            distance = fid.frechet_distance(*self.statistics(kind).result(), *references[own])
            found[f"{self.names[0]}/{kind}"] = distance
            if own in self.sets:
                samples = [self.sets[each][1].result() for each in (kind, own)]
                found[f"{self.names[1]}/{kind}"] = kid.kernel_distance(*samples)
        return found

    def statistics(self, kind: str) -> fid.FeatureStatistics:
        """Those of a kind seen so far. InputError where there was none."""
        if kind not in self.sets:
            raise InputError(f"FID: no picture of '{kind}' was given")
        return self.sets[kind][0]

    def count(self, kind: str) -> int:
        """Pictures of a kind seen so far."""
        return self.sets[kind][0].count if kind in self.sets else 0

    def facts(self) -> dict[str, dict[str, Any]]:
        """Settings that the features depend on, and the sizes of the reference sets."""
        own = self.count("image")
        reference = self.saved[2] if self.saved else {"reference_n": own}
        sample = {"estimate": "unbiased", "of_at_most": kid.Sample().capacity, "reference_n": own}
        return {self.names[0]: self.common | reference, self.names[1]: self.common | sample}


def legacy_psnr() -> Scorer:
    """The PSNR of metric.legacy_seed."""
    facts = {"definition": legacy_seed.DEFINITION, "range": "[-1, 1] clipped to [0, 1]"}
    return _of_unrounded("psnr_legacy_seed", lambda pictures: pictures, legacy_seed.legacy_psnr, facts)


def legacy_fid(features: Callable, facts: dict[str, Any], suffix: str) -> Scorer:
    """The FID of metric.legacy_seed. `features`: [N, H, W, 3] in [0, 1] -> [N, D], by the legacy resize."""
    facts = {"definition": legacy_seed.DEFINITION, "pictures": "one by one, averaged"} | facts
    return _of_unrounded(f"fid_legacy_seed{suffix}", features, legacy_seed.legacy_fid, facts)


def _of_unrounded(name: str, embed: Callable, between: Callable, facts: dict[str, Any]) -> Scorer:
    """A number of what `embed` makes of two unrounded pictures; fillings exist in 8 bits only."""

    def numbers(batch, pictures):
        def embedded(kind):
            return embed(to_hwc(batch[kind]) if kind in batch else pictures[kind] / 255)

        target = embedded("image")
        return lambda kind: [between(*pair) for pair in zip(embedded(kind), target, strict=True)]

    return KindScorer(name, numbers, facts)
