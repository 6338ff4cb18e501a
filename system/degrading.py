"""GPEN's `--degrade` in predict.py: degrade each picture, restore it, print PSNR before and after.

Source: GPEN's Paddle port, predict.py --degrade. Its FID of one picture means nothing and is left out.
"""

from engine.cli import Dialect, OwnFlag
from engine.errors import InputError
from engine.flags import boolean


class Degrading:
    """A graph whose first input is degraded first, as validation pictures are, the same way each time."""

    def __init__(self, graph, config, config_path):
        """Args: the graph, the run's configuration, its file. InputError where its data are not degraded."""
        from engine.config import with_data
        from engine.system import Port

        self.ranges = getattr(with_data(config, config_path).data.validation, "degradation", None)
        if self.ranges is None:
            raise InputError(f"--degrade: {config_path} has no degradation in data.validation")
        self.graph, self.seed, self.scores = graph, config.seed, []
        self.name, self.given = graph.name, graph.contract.picture
        outputs = (*graph.contract.outputs, Port("degraded", self.given.shape))
        self.contract = graph.contract.model_copy(update={"outputs": outputs})

    def run(self, arrays):
        """As the graph's, with the degraded pictures among the results."""
        import numpy as np

        from engine import images
        from metric.psnr_ssim import psnr

        clean = images.to_hwc(arrays[self.given.name])
        degraded = np.stack([self.ranges.degraded(picture, np.random.default_rng(self.seed)) for picture in clean])
        results = self.graph.run(arrays | {self.given.name: images.to_chw(degraded)})
        restored = images.to_hwc(results[self.contract.outputs[0].name])
        for pictures in zip(clean, degraded, restored, strict=True):
            target, *others = map(images.to_uint8, pictures)
            self.scores.append([psnr(other, target) for other in others])
        return results | {"degraded": images.to_chw(degraded)}

    def remarks(self, names):
        """Lines about the pictures that were run, whose names are given in order."""
        for name, (before, after) in zip(names, self.scores, strict=True):
            yield f"{name}: PSNR degraded {before:.2f} dB, restored {after:.2f} dB"
        yield "no FID: it compares sets of pictures; of one picture it means nothing"


DIALECTS = {
    "predict": Dialect(
        {"degrade": OwnFlag("degrade each picture first, by a fixed seed, and report PSNR", boolean, wraps=Degrading)}
    )
}
