"""Time exported inference, training steps, the data pipeline and the face renderer against this machine's limit.

python tools/benchmark.py
python tools/benchmark.py --only inference --repeats 30

The limit is what a 2048 x 2048 float32 matrix product reaches, taken before every repeat. Work with a known number of
operations (dense convolutions and products; filters do not count) is a share of it, and every time is also given as
what the limit would compute meanwhile. Each group runs in a process of its own. Medians; a table and a JSON file.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402

import engine  # noqa: E402, F401  thread environment before Paddle
from engine.cli import guarded  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.files import write_text  # noqa: E402

THREADS = int(os.environ["OMP_NUM_THREADS"])
CONFIGS = Path(__file__).resolve().parents[1] / "configs"


@dataclass
class Row:
    """One measurement: seconds a repeat, the limit in GFLOP/s, the work in GFLOP if it is known."""

    group: str
    name: str
    seconds: float
    limit: float
    gflop: float | None = None
    note: str = ""

    @property
    def share(self):
        """Part of the limit that is reached; None without known work."""
        return None if self.gflop is None else self.gflop / self.seconds / self.limit

    def cells(self):
        """The table's columns as text."""
        share = "-" if self.share is None else f"{self.share:.0%}"
        work = "-" if self.gflop is None else f"{self.gflop:.1f}"
        return [self.group, self.name, f"{1000 * self.seconds:.1f}", work, share,
                f"{self.seconds * self.limit:.1f}", self.note]


class Limit:
    """The machine's matrix-product speed."""

    def __init__(self, threads=THREADS, size=2048):
        """`threads`: of the product."""
        import paddle

        self.threads, self.size, self.matrix = threads, size, paddle.randn([size, size])
        for _ in range(3):
            self.sample()

    def sample(self):
        """GFLOP/s of one product. Paddle Inference leaves one thread behind after a run, so they are set each time."""
        import paddle

        paddle.base.core.set_num_threads(self.threads)
        start = time.perf_counter()
        (self.matrix @ self.matrix).numpy()
        return 2e-9 * self.size**3 / (time.perf_counter() - start)


def measure(limit, function, repeats, warm_up=2, clock=time.perf_counter):
    """(median seconds, median limit) of a function, the limit taken before every repeat."""
    for _ in range(warm_up):
        function()
    seconds, speeds = [], []
    for _ in range(repeats):
        speeds.append(limit.sample())
        start = clock()
        function()
        seconds.append(clock() - start)
    return float(np.median(seconds)), float(np.median(speeds))


def dense_gflop(layer, shape):
    """Multiplications and additions of a layer's dense convolutions and linear layers for one input, in GFLOP."""
    import paddle
    import paddle.nn.functional as F

    total = 0

    def counted(function, transposed):
        def run(x, weight, *args, **kwargs):
            nonlocal total
            out = function(x, weight, *args, **kwargs)
            if kwargs.get("groups", 1) == 1:
                places = x if transposed else out
                total += 2 * weight.size * places.shape[0] * int(np.prod(places.shape[2:]))
            return out

        return run

    originals = {"conv2d": F.conv2d, "conv2d_transpose": F.conv2d_transpose, "linear": F.linear}
    try:
        for name, function in originals.items():
            setattr(F, name, counted(function, name == "conv2d_transpose"))
        with paddle.no_grad():
            layer(paddle.zeros(shape))
    finally:
        for name, function in originals.items():
            setattr(F, name, function)
    return total * 1e-9


def seeded_gpen(size=256, channel_multiplier=1, narrow=0.5):
    """GPEN with seeded weights of which none is zero, so that every path of it counts, in evaluation mode."""
    import paddle

    from model.gpen import GPENGenerator

    paddle.seed(0)
    generator = GPENGenerator(size, channel_multiplier=channel_multiplier, narrow=narrow)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise.weight") or name.endswith("bias"):
            parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    generator.eval()
    return generator


def inference(repeats):
    """GPEN-256 exported: oneDNN in float32 and bfloat16, and without oneDNN; batch 1, error on images in [0, 1]."""
    from engine.predictor import Predictor, keep_memory

    keep_memory()
    import paddle

    from engine.export import describe, save, seeded_inputs, write_contract
    from engine.system import Exported, Port
    from model.gpen_export import ExportedGPEN

    generator = seeded_gpen()
    port = [Port("image", (-1, 3, 256, 256))]
    exported = Exported(ExportedGPEN(generator), port, port)
    arrays = seeded_inputs(port, 1, seed=0)
    with paddle.no_grad():
        wanted = (generator(2 * paddle.to_tensor(arrays["image"]) - 1) / 2 + 0.5).clip(0, 1).numpy()
    gflop, limit = dense_gflop(exported.layer, [1, 3, 256, 256]), Limit()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "inference"
        save(exported, base, legacy=False)
        write_contract(base, describe(exported, base))
        for name, options in (
            ("GPEN-256 fp32 oneDNN", {}),
            ("GPEN-256 bf16 oneDNN", {"precision": "bf16"}),
            ("GPEN-256 fp32 without oneDNN", {"use_mkldnn": False}),
        ):
            predictor = Predictor(base.with_suffix(".json"), **options)
            error = np.abs(predictor.run(arrays)["image"] - wanted).max()
            seconds, speed = measure(limit, lambda run=predictor.run: run(arrays), repeats)
            yield Row("inference", name, seconds, speed, gflop, f"{1 / seconds:.1f} images/s, error {error:.1e}")


def training(repeats):
    """Steps of a training run: plain, and the mean over the lazy intervals of R1 and path length.

    Counted work: a backward pass is two forwards; plain step 4 generators and 8 discriminators, R1 a further 6
    discriminators, path length 6 generators, each for every image.
    """
    for config, overrides in (("gpen_lite", []), ("gpen_256", [("recipe.identity_weight", 0.0, "benchmark")])):
        yield from _training_rows(CONFIGS / f"{config}.yaml", overrides, repeats)


def _training_rows(path, overrides, repeats):
    import paddle

    from engine import config as configuration
    from engine.run import build_system
    from engine.updater import Updater
    from model.gpen_export import ExportedGPEN

    config = configuration.load(path, overrides)
    system, recipe, count = build_system(config), config.recipe, config.data.batch_size
    updater = Updater(config.optimizers, system.trainable, config.train.precision)
    shape = [1, 3, recipe.size, recipe.size]
    generator = count * dense_gflop(ExportedGPEN(system.generator), shape)
    discriminator = count * dense_gflop(system.discriminator, shape)
    image = paddle.rand([count, *shape[1:]])
    batch, limit = {"image": image, "degraded": image * 0.9}, Limit()
    steps = {"plain": 1, "path": recipe.path_every, "both": recipe.r1_every * recipe.path_every}
    seconds = {name: measure(limit, lambda step=step: system.train_step(batch, step, updater), repeats, 1)
               for name, step in steps.items()}
    plain, speed = seconds["plain"]
    path_extra, r1_extra = seconds["path"][0] - plain, seconds["both"][0] - seconds["path"][0]
    mean = plain + path_extra / recipe.path_every + r1_extra / recipe.r1_every
    work = 4 * generator + 8 * discriminator
    label = f"{path.stem}, {recipe.size} px, batch {count}"
    yield Row("training", f"{label}: plain step", plain, speed, work, f"{count / plain:.2f} images/s")
    lazy = 6 * generator / recipe.path_every + 6 * discriminator / recipe.r1_every
    note = f"{count / mean:.2f} images/s; R1 {1000 * r1_extra:.0f} ms, path length {1000 * path_extra:.0f} ms"
    yield Row("training", f"{label}: mean step", mean, speed, work + lazy, note)


def data(repeats):
    """A training sample of gpen_lite, drawn and degraded, and the degradation of 256 px alone; one core's time."""
    from data_loader.degrade import degrade
    from data_loader.synthetic_faces import render
    from engine import config as configuration

    section = configuration.load(CONFIGS / "gpen_lite.yaml").data.train
    dataset = configuration.import_class(section.dataset, ("data_loader.",), "dataset")(section, 0, True)
    yield _core_row("data", f"gpen_lite sample, {section.image_size} px", lambda i: dataset[(0, i)], repeats)
    face, ranges = render(0, 0, 256).image, section.degradation
    yield _core_row("data", "degradation, 256 px", lambda i: degrade(face, ranges, np.random.default_rng(i)), repeats)


def renderer(repeats):
    """The procedural faces at 256 px; a core's time for one."""
    from data_loader.synthetic_faces import render

    for style in ("photo", "caricature"):
        yield _core_row("renderer", f"{style}, 256 px", lambda i, s=style: render(i, 0, 256, style=s), repeats)


def _core_row(group, name, function, repeats):
    """Processor time, so that other processes do not count, against the limit of one core."""
    import cv2

    cv2.setNumThreads(1)
    limit = Limit(threads=1)
    time.sleep(0.5)  # the product's threads go on spinning for a while, which is processor time
    seconds = []
    for i in range(5 * repeats + 5):
        start = time.process_time()
        function(i)
        seconds.append(time.process_time() - start)
    mean = float(np.mean(seconds[5:]))
    speed = float(np.median([limit.sample() for _ in range(5)]))
    return Row(group, name, mean, speed, note=f"{1 / mean:.1f} images/s and core")


GROUPS = {"inference": inference, "training": training, "data": data, "renderer": renderer}


def run_group(name, repeats):
    """One group in a process of its own -> rows; its messages go to stderr.

    Raises:
        InputError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        words = ["--only", name, "--repeats", str(repeats), "--json", str(path)]
        status = subprocess.run([sys.executable, __file__, *words], stdout=sys.stderr, check=False).returncode
        if status:
            raise InputError(f"group {name} failed with status {status}")
        return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]


def table(rows):
    """Rows as a Markdown table."""
    titles = ["group", "what", "ms", "GFLOP", "of limit", "limit would do (GFLOP)", "note"]
    lines = [titles, ["---"] * len(titles), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main():
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=GROUPS, help="one group")
    parser.add_argument("--repeats", type=int, default=15, help="of every measurement (default: 15)")
    parser.add_argument("--json", default="benchmark.json", help="file to write (default: benchmark.json)")
    args = parser.parse_args()
    if args.only:
        rows = list(GROUPS[args.only](args.repeats))
    else:
        rows = [row for name in GROUPS for row in run_group(name, args.repeats)]
    print(table(rows))
    limit = float(np.median([row.limit for row in rows if row.group in ("inference", "training")] or [rows[0].limit]))
    print(f"\nlimit: {limit:.0f} GFLOP/s with {THREADS} threads (median of the groups that use all)")
    report = {"threads": THREADS, "limit": limit, "rows": [asdict(row) for row in rows]}
    write_text(args.json, json.dumps(report, indent=1))


if __name__ == "__main__":
    guarded(main)
