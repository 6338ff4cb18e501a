"""Speed of FID, PSNR and SSIM against the machine's limit, once each; of metrics' networks, eager and exported."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import paddle

from engine.measuring import Limit, Row, convolution_gflop, in_turns, measure
from metric.evaluation.graphs import SIZES, ForwardPass
from metric.evaluation.scorers import DistanceScorer
from metric.fid import FeatureStatistics
from metric.inception_features import InceptionFeatures
from metric.networks import BUILDERS
from metric.psnr_ssim import psnr, ssim

PICTURES, BATCH = 1000, 16
TOGETHER = 4  # inputs of a forward pass that is timed alone


def _often(metric: Callable, pair: np.ndarray) -> None:
    for _ in range(PICTURES):
        metric(*pair)


def rows(repeats: int = 1) -> Iterator[Row]:
    """The networks' rows, then those of whole metrics."""
    with tempfile.TemporaryDirectory() as cache:
        yield from network_rows(Path(cache), repeats)
        yield from set_rows(Path(cache))


def network_rows(cache: Path, repeats: int) -> Iterator[Row]:
    """Each network of SIZES on a few inputs, eager and exported in turns; random weights, graphs in a folder."""
    limit = Limit()
    for name, size in SIZES.items():
        network = BUILDERS[name]()
        network.eval()
        image, work = paddle.rand([TOGETHER, *size]), TOGETHER * convolution_gflop(network, [1, *size])
        with paddle.no_grad():
            forms = {"eager": partial(network, image), "exported": partial(ForwardPass(name, network, cache), image)}
            for form, timing in in_turns(limit, forms, repeats).items():
                rate = f"{1000 * timing.seconds / TOGETHER:.0f} ms a picture"
                yield Row("metrics", f"{name}, {form}, batch {TOGETHER}", timing, work, rate)


def set_rows(cache: Path) -> Iterator[Row]:
    """FID of 1000 pictures of 256 px against saved statistics, all of it; PSNR and SSIM of 1000 pairs; once each."""
    layer = BUILDERS["inception_fid"]()  # its weights do not matter
    layer.eval()
    network = ForwardPass("inception_fid", layer, cache)
    rng, limit = np.random.default_rng(0), Limit()
    pictures = rng.integers(0, 256, (BATCH, 256, 256, 3), np.uint8)
    saved = FeatureStatistics()
    saved.update(rng.normal(size=(2 * 2048, 2048)))
    batches = -(-PICTURES // BATCH)
    for resize in ("legacy", "clean"):

        def distance(resize=resize):
            scorer = DistanceScorer(InceptionFeatures(network, resize), {}, (*saved.result(), {}))
            for _ in range(batches):
                scorer.update({}, {"restored": pictures})
            scorer.result()

        timing = measure(limit, distance, 1, warm_up=0)
        work = batches * BATCH * convolution_gflop(layer, [1, 3, 299, 299])
        rate = f"{batches * BATCH / timing.seconds:.1f} pictures/s"
        yield Row("metrics", f"FID ({resize}) of {batches * BATCH} pictures, 256 px", timing, work, rate)
    pair = pictures[:2]
    for metric in (psnr, ssim):
        timing = measure(limit, partial(_often, metric, pair), 1, warm_up=0)
        rate = f"{PICTURES / timing.seconds:.0f} pairs/s"
        yield Row("metrics", f"{metric.__name__} of {PICTURES} pairs, 256 px", timing, note=rate)
