"""A trained system that scores the pictures of another one, for ablations.

A network that was part of a loss is a partial judge; one trained apart, from other weights on other data, is not.
"""

from typing import Any

import paddle

from engine.system import System
from metric.evaluation.weights import MetricWeights
from metric.scorer import Scorer


class Judged(Scorer):
    """Measures by another system, which gets the whole pictures in place of its `image`."""

    def __init__(self, name: str, judge: System, kinds: list[str], paired: dict[str, str]):
        """`judge`: a trained System; `kinds`: the pictures it is shown; `paired`: see JudgeSettings."""
        self.names, self.judge, self.paired = (name,), judge, paired
        self.scorers = {
            (kind, suffix): [build(MetricWeights()) for build in judge.measures().values()]
            for kind in kinds
            for suffix in (("", "_paired") if paired else ("",))
        }

    def start(self, networks: dict[str, Any]) -> None:
        """See the base."""
        for scorers in self.scorers.values():
            for scorer in scorers:
                scorer.start(self.judge.networks)

    def update(self, batch: dict[str, Any], pictures: dict[str, Any]) -> dict[str, Any]:
        """Add a batch."""
        made = {kind: self._seen(batch, kind) for kind in dict.fromkeys(kind for kind, _ in self.scorers)}
        true = made.get("image") or self._seen(batch, "image")
        truths = {"": {}, "_paired": {key: true[name] for key, name in self.paired.items()}}
        for (kind, suffix), scorers in self.scorers.items():
            for scorer in scorers:
                scorer.update(made[kind] | truths[suffix], {})
        return {}

    def _seen(self, batch: dict[str, Any], kind: str) -> dict[str, Any]:
        seen = batch | {"image": batch[kind], "mask": paddle.zeros_like(batch["image"][:, :1])}
        return seen | self.judge.generate(seen, self.judge.networks)

    def result(self) -> dict[str, float]:
        """{judge/score/kind, judge/score_paired/kind: float}."""
        return {
            f"{self.names[0]}/{key.partition('/')[2]}{suffix}/{kind}": value
            for (kind, suffix), scorers in self.scorers.items()
            for scorer in scorers
            for key, value in scorer.result().items()
        }
