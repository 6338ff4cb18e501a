"""The form that every metric of an evaluation has: batches go in, numbers come out, for each picture or for the set.

Source: ours; the metrics name theirs.
"""

from collections.abc import Callable
from typing import Any

from engine.errors import InputError


class Missing(InputError):
    """Weights or a program that a metric needs are not here; the text says which, and how to come by them."""


class Scorer:
    """Base: numbers for pictures, none for the set.

    Attributes:
        names: the metrics it gives.
        of_sets: takes batches without a reference, or of nothing else, and counts pictures itself (`count`).
        circumstances: metric -> what its number depends on, for the signature.
        missing: metric -> why it, or a part of it, is not computed.
    """

    names: tuple[str, ...] = ()
    of_sets = False
    circumstances: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}

    def start(self, networks: dict[str, Any]) -> None:
        """Forget all that was seen; `networks`: name -> layer, those that are scored from here on."""

    def update(self, batch: dict[str, Any], pictures: dict[str, Any]) -> dict[str, Any]:
        """Take a batch; nothing may keep a picture.

        Args:
            batch: what the data set gives and what the system made of it: tensors, images [N, 3, H, W] in [0, 1].
            pictures: what is compared, kind -> [N, H, W, 3] uint8; "image" is the reference, every other kind is
                scored; "mask", where there is one, is [N, H, W, 1] of 0 and 1 (hole).

        Returns:
            {metric/kind: N numbers}, one a picture; {} where numbers are of the set.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no update")

    def result(self) -> dict[str, float]:
        """Numbers of the whole set, {metric/kind: float}."""
        return {}

    def facts(self) -> dict[str, dict[str, Any]]:
        """`circumstances`, with what is known at the end only."""
        return self.circumstances


class KindScorer(Scorer):
    """A number for each picture, kind by kind."""

    def __init__(self, name: str, numbers: Callable, facts: dict[str, Any] | None = None, needs_mask: bool = False):
        """`numbers(batch, pictures)` gives the function of a kind to the N numbers of its pictures."""
        self.names, self.numbers, self.circumstances = (name,), numbers, {name: facts or {}}
        self.needs_mask = needs_mask

    def update(self, batch: dict[str, Any], pictures: dict[str, Any]) -> dict[str, Any]:
        """See the base."""
        kinds = scored_kinds(pictures)
        if not kinds or (self.needs_mask and "mask" not in pictures):
            return {}
        of_kind = self.numbers(batch, pictures)
        return {f"{self.names[0]}/{kind}": of_kind(kind) for kind in kinds}


def scored_kinds(pictures: dict[str, Any]) -> list[str]:
    """The kinds of a batch that are compared with the reference. Source: ours."""
    return [kind for kind in pictures if kind not in ("image", "mask")]


class SetScorer(Scorer):
    """A metric of the whole set under a name: an object with `update(batch)` and `result()` -> {score: value}."""

    def __init__(
        self,
        name: str,
        make: Callable[[], Any],
        facts: dict[str, Any] | None = None,
        missing: dict[str, str] | None = None,
        evidence: Callable[[dict, dict], dict] | None = None,
    ):
        """`make()` begins a set; `evidence(batch, networks)` is what the metric needs beyond `System.generate`."""
        self.names, self.make, self.missing, self.evidence = (name,), make, missing or {}, evidence
        self.circumstances, self.metric = {name: facts or {}}, make()
        self.networks: dict[str, Any] = {}

    def start(self, networks: dict[str, Any]) -> None:
        """See the base."""
        self.metric, self.networks = self.make(), networks

    def update(self, batch: dict[str, Any], pictures: dict[str, Any]) -> dict[str, Any]:
        """See the base."""
        self.metric.update(batch | self.evidence(batch, self.networks) if self.evidence else batch)
        return {}

    def result(self) -> dict[str, float]:
        """See the base."""
        return {f"{self.names[0]}/{score}": value for score, value in self.metric.result().items()}
