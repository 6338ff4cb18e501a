"""A trained system as the judge of what another one makes, for tools/ablation.py.

A network that was part of a loss is a partial judge; one trained apart, from other weights on other data, is not.
"""

import paddle

from metric.evaluation.sets import SETS


class Judged:
    """Set metric: what another system measures in the pictures, whole, in the place of its `image`."""

    def __init__(self, judge, kinds, paired):
        """`judge`: a trained System; `kinds`: the pictures it is shown; `paired`: see JudgeSettings."""
        self.judge, self.paired = judge, paired
        against = ("", "_paired") if paired else ("",)
        self.metrics = {
            (kind, suffix): [SETS[name]() for name in judge.measured] for kind in kinds for suffix in against
        }

    def update(self, pictures):
        """Add a batch."""
        made = {kind: self._seen(pictures, kind) for kind in {"image", *(kind for kind, _ in self.metrics)}}
        truths = {"": {}, "_paired": {key: made["image"][name] for key, name in self.paired.items()}}
        for (kind, suffix), metrics in self.metrics.items():
            for metric in metrics:
                metric.update(made[kind] | truths[suffix])

    def _seen(self, pictures, kind):
        seen = pictures | {"image": pictures[kind], "mask": paddle.zeros_like(pictures["image"][:, :1])}
        return seen | self.judge.generate(seen, self.judge.networks)

    def result(self):
        """{score/kind, score_paired/kind: float}."""
        return {
            f"{score}{suffix}/{kind}": value
            for (kind, suffix), metrics in self.metrics.items()
            for metric in metrics
            for score, value in metric.result().items()
        }
