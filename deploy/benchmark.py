"""Speed of a graph in Paddle Inference, of whole photos and of blending against the machine's limit."""

import io
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from deploy import blending, multigrid, photo_files
from deploy.export import seeded_inputs, write_graph
from deploy.flags import PHOTOS, PICTURES
from deploy.predictor import Predictor, keep_memory
from deploy.samples import find_samples
from engine import images
from engine.face_detection import Finder
from engine.measuring import Limit, Row, Timing, dense_gflop, measure
from engine.ports import Exported
from engine.run_config import RunConfig
from engine.system import build_system

NUM_PHOTOS = 4
SIDE = 512  # of a hole
VARIANTS: dict[str, dict[str, Any]] = {
    "fp32 oneDNN": {},
    "bf16 oneDNN": {"precision": "bf16"},
    "fp32 without oneDNN": {"use_mkldnn": False},
}


def first_graph(config: RunConfig, has_zeros: bool = True) -> Exported:
    """The first graph of a configuration's system, with the weights that training begins with.

    Args:
        config: of any system.
        has_zeros: leave zeros as they are; without, small random numbers take their place, so that every path counts.
    """
    system = build_system(config)
    for network in system.networks.values():
        network.eval()
        for parameter in () if has_zeros else network.parameters():
            if not float(parameter.abs().max()):
                parameter.set_value(0.1 * paddle.randn(parameter.shape))
    return next(iter(system.inference(system.networks).values()))


def photo_rows(config: RunConfig, title: str, repeats: int, pixels: np.ndarray) -> Iterator[Row]:
    """A row for a whole photo, from its file to the restored one's, and one for the network's share of it.

    Args:
        config: of a system that restores faces.
        title: how the rows begin.
        repeats: a fifth of them per measurement.
        pixels: [H, W, 3] RGB in [0, 1], a photo with faces that the detector finds.
    """
    keep_memory()
    exported, limit, repeats = first_graph(config), Limit(), max(1, repeats // 5)
    with tempfile.TemporaryDirectory() as folder:
        base, photos = Path(folder) / "model" / "inference", Path(folder) / "photos"
        base.parent.mkdir()
        write_graph(exported, base)
        for number in range(NUM_PHOTOS):
            images.write_image(photos / f"{number}.png", pixels)
        predictor = Predictor(base.with_suffix(".json"))
        flags = {name: flag.default for name, flag in (PHOTOS | PICTURES).items()}
        args = Namespace(**flags | {"output_dir": f"{folder}/out", "aligned": False})
        samples = find_samples(predictor.contract, photos)

        def whole():
            with redirect_stdout(io.StringIO()):
                photo_files.run(predictor, samples, args)

        faces = len(Finder().find(pixels))
        port = predictor.contract.picture
        crops = [{port.name: np.zeros((1, *port.shape[1:]), np.float32)}] * (faces * NUM_PHOTOS)
        for name, work in (("photos", whole), ("their network alone", lambda: [predictor.run(crop) for crop in crops])):
            timing = measure(limit, work, repeats, warm_up=1)
            note = f"{60 * NUM_PHOTOS / timing.seconds:.0f} photos of {faces} faces a minute"
            yield Row("photos", f"{title}: {NUM_PHOTOS} {name}", timing, None, note)


def rows(config: RunConfig, title: str, repeats: int) -> Iterator[Row]:
    """A row for float32 and bfloat16 with oneDNN, and for float32 without; batch 1, with the largest error.

    The row of bfloat16 states no share of the limit, which is a float32 product's.

    Args:
        config: of a system whose graph makes one picture of one, and that brings its training form along.
        title: how the rows begin.
        repeats: of each measurement.
    """
    keep_memory()
    exported = first_graph(config, has_zeros=False)
    arrays, port = seeded_inputs(exported.inputs, 1, seed=0), exported.inputs[0].name
    with paddle.no_grad():
        wanted = (exported.reference or exported.built())(paddle.to_tensor(arrays[port])).numpy()
    gflop, limit = dense_gflop(exported.built(), list(arrays[port].shape)), Limit()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "inference"
        write_graph(exported, base)
        for name, options in VARIANTS.items():
            predictor = Predictor(base.with_suffix(".json"), **options)
            error = np.abs(predictor.run(arrays)[exported.outputs[0].name] - wanted).max()
            timing = measure(limit, partial(predictor.run, arrays), repeats)
            work = None if options.get("precision") == "bf16" else gflop  # the limit is one of float32
            note = f"{1 / timing.seconds:.1f} images/s, error {error:.1e}"
            yield Row("inference", f"{title} {name}", timing, work, note)


def blending_rows(repeats: int) -> Iterator[Row]:
    """Poisson blending by the multigrid cycle and by the factorisation that it replaces: processor time on one core.

    A hole of 512 x 512 pixels in noise, the worst case.
    """
    output, image = np.random.default_rng(0).random((2, SIDE + 32, SIDE + 32, 3))
    hole = np.zeros(image.shape[:2], bool)
    hole[16:-16, 16:-16] = True
    limit, small = Limit(threads=1).sample(), multigrid.SMALL
    try:
        for name, fewest in (("multigrid", small), ("factorised", hole.size)):
            multigrid.SMALL, seconds = fewest, []
            for _ in range(max(1, repeats // 5)):
                start = time.process_time()
                blending.poisson(output, image, hole)
                seconds.append(time.process_time() - start)
            timing = Timing(float(np.median(seconds)), limit, min(seconds), limit)
            yield Row("blending", f"Poisson, hole of {SIDE} px: {name}", timing)
    finally:
        multigrid.SMALL = small
