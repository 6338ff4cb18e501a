"""Time exported inference, training, the data pipeline, the face renderer and metrics against this machine's limit.

python tools/benchmark.py
python tools/benchmark.py --only inference --repeats 30

The limit is what a 2048 x 2048 float32 matrix product reaches, taken before every repeat. Work with a known number of
operations (dense convolutions and products; filters do not count) is a share of it, and every time is also given as
what the limit would compute meanwhile. Each group runs in a process of its own. Medians; a table and a JSON file.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401, I001  thread environment before Paddle
import cv2  # noqa: E402
import numpy as np  # noqa: E402
import paddle  # noqa: E402

from data_loader.degrade import degrade  # noqa: E402
from data_loader.drawn_faces.rendering import render  # noqa: E402
from engine import config as configuration
from engine.cli import guarded  # noqa: E402
from engine.errors import InputError  # noqa: E402
from deploy.export import describe, save, seeded_inputs, write_contract  # noqa: E402
from engine.files import write_text  # noqa: E402
from deploy.predictor import Predictor, keep_memory  # noqa: E402
from engine.build import build_system
from engine.system import Exported, Port  # noqa: E402
from engine.training.updater import Updater  # noqa: E402
from metric.fid import FeatureStatistics  # noqa: E402
from metric.inception_features import InceptionFeatures  # noqa: E402
from metric.psnr_ssim import psnr, ssim  # noqa: E402
from metric.evaluation.scorers import DistanceScorer  # noqa: E402
from model.gpen.network import GPENGenerator  # noqa: E402
from model.gpen.exported import ExportedGPEN  # noqa: E402
from model.backbones.inception import FIDInception  # noqa: E402
from tools.machine_limit import THREADS, Limit, Timing, convolution_gflop, dense_gflop, measure  # noqa: E402

METRIC_PICTURES, METRIC_BATCH = 1000, 16
CONFIGS = Path(__file__).resolve().parents[1] / "configs"


@dataclass
class Row:
    """One measurement; `gflop` is its work if that is known."""

    group: str
    name: str
    timing: Timing
    gflop: float | None = None
    note: str = ""

    def shares(self):
        """Parts of the limit that are reached: (median of median, best of best); None without known work."""
        t = self.timing
        return self.gflop and (self.gflop / t.seconds / t.limit, self.gflop / t.best_seconds / t.best_limit)

    def cells(self):
        """The table's columns as text."""
        shares = self.shares()
        work = [f"{self.gflop:.1f}", f"{shares[0]:.0%} ({shares[1]:.0%})"] if shares else ["-", "-"]
        milliseconds = f"{1000 * self.timing.seconds:.1f} ({1000 * self.timing.best_seconds:.1f})"
        return [self.group, self.name, milliseconds, *work, f"{self.timing.seconds * self.timing.limit:.1f}", self.note]


def seeded_gpen(size=256, channel_multiplier=1, narrow=0.5):
    """GPEN with seeded weights of which none is zero, so that every path of it counts, in evaluation mode."""
    paddle.seed(0)
    generator = GPENGenerator(size, channel_multiplier=channel_multiplier, narrow=narrow)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise.weight") or name.endswith("bias"):
            parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    generator.eval()
    return generator


def inference(repeats):
    """GPEN-256 exported: oneDNN in float32 and bfloat16, and without oneDNN; batch 1, error on images in [0, 1]."""
    keep_memory()
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
            timing = measure(limit, lambda run=predictor.run: run(arrays), repeats)
            yield Row("inference", name, timing, gflop, f"{1 / timing.seconds:.1f} images/s, error {error:.1e}")


def training(repeats):
    """Steps of a training run: plain, and the mean over the lazy intervals of R1 and path length.

    Counted work: a backward pass is two forwards; plain step 4 generators and 8 discriminators, R1 a further 6
    discriminators, path length 6 generators, each for every image.
    """
    for config, overrides in (("gpen_lite", []), ("gpen_256", [("recipe.identity_weight", 0.0, "benchmark")])):
        yield from _training_rows(CONFIGS / f"{config}.yaml", overrides, repeats)


def _training_rows(path, overrides, repeats):
    config = configuration.load(path, overrides)
    system, recipe, count = build_system(config), config.recipe, config.data.batch_size
    updater = Updater(config.optimizers, system.trainable, config.train.precision)
    shape = [1, 3, recipe.size, recipe.size]
    generator = count * dense_gflop(ExportedGPEN(system.generator), shape)
    discriminator = count * dense_gflop(system.discriminator, shape)
    image = paddle.rand([count, *shape[1:]])
    batch, limit = {"image": image, "degraded": image * 0.9}, Limit()
    timings = {}
    for name, step in (("plain", 1), ("path", recipe.path_every), ("both", recipe.r1_every * recipe.path_every)):
        timings[name] = measure(limit, lambda step=step: system.train_step(batch, step, updater), repeats, warm_up=1)
    label = f"{path.stem}, {recipe.size} px, batch {count}"
    work, plain = 4 * generator + 8 * discriminator, timings["plain"]
    yield Row("training", f"{label}: plain step", plain, work, f"{count / plain.seconds:.2f} images/s")
    weights = {"path": 1 / recipe.path_every - 1 / recipe.r1_every, "both": 1 / recipe.r1_every}
    mean = _weighted(timings, {"plain": 1 - sum(weights.values()), **weights})
    work += 6 * generator / recipe.path_every + 6 * discriminator / recipe.r1_every
    yield Row("training", f"{label}: mean step", mean, work, f"{count / mean.seconds:.2f} images/s")


def _weighted(timings, weights):
    """Mean Timing of steps that occur with the given weights."""
    names = ("seconds", "limit", "best_seconds", "best_limit")
    return Timing(*(sum(getattr(timings[kind], name) * weight for kind, weight in weights.items()) for name in names))


def data(repeats):
    """A training sample of gpen_lite, drawn and degraded, and the degradation of 256 px alone; one core's time."""
    section = configuration.load(CONFIGS / "gpen_lite.yaml").data.train
    dataset = configuration.import_class(section.dataset, ("data_loader.",), "dataset")(section, 0, True)
    yield _core_row("data", f"gpen_lite sample, {section.image_size} px", lambda i: dataset[(0, i)], repeats)
    face, ranges = render(0, 0, 256).image, section.degradation
    yield _core_row("data", "degradation, 256 px", lambda i: degrade(face, ranges, np.random.default_rng(i)), repeats)


def renderer(repeats):
    """The procedural faces at 256 px; a core's time for one."""
    for style in ("photo", "caricature"):
        yield _core_row("renderer", f"{style}, 256 px", lambda i, s=style: render(i, 0, 256, style=s), repeats)


def metrics(repeats):
    """FID of 1000 pictures of 256 px against saved statistics, all of it; PSNR and SSIM of 1000 pairs; once each."""
    rng, limit = np.random.default_rng(0), Limit()
    pictures = rng.integers(0, 256, (METRIC_BATCH, 256, 256, 3), np.uint8)
    network = FIDInception()
    network.eval()
    saved = FeatureStatistics()
    saved.update(rng.normal(size=(2 * 2048, 2048)))
    batches = -(-METRIC_PICTURES // METRIC_BATCH)
    for resize in ("legacy", "clean"):

        def distance(resize=resize):
            scorer = DistanceScorer(InceptionFeatures(network, resize), {}, (*saved.result(), {}))
            for _ in range(batches):
                scorer.update({}, {"restored": pictures})
            scorer.result()

        timing = measure(limit, distance, 1, warm_up=0)
        work = batches * METRIC_BATCH * convolution_gflop(network, [1, 3, 299, 299])
        rate = f"{batches * METRIC_BATCH / timing.seconds:.1f} pictures/s"
        yield Row("metrics", f"FID ({resize}) of {batches * METRIC_BATCH} pictures, 256 px", timing, work, rate)
    pair = pictures[:2]
    for metric in (psnr, ssim):
        timing = measure(limit, lambda metric=metric: [metric(*pair) for _ in range(METRIC_PICTURES)], 1, warm_up=0)
        yield Row(
            "metrics",
            f"{metric.__name__} of {METRIC_PICTURES} pairs, 256 px",
            timing,
            note=f"{METRIC_PICTURES / timing.seconds:.0f} pairs/s",
        )


def _core_row(group, name, function, repeats):
    """Processor time, so that other processes do not count, against the limit of one core."""
    cv2.setNumThreads(1)
    limit = Limit(threads=1)
    time.sleep(0.5)  # the product's threads go on spinning for a while, which is processor time
    seconds = []
    for i in range(5 * repeats + 5):
        start = time.process_time()
        function(i)
        seconds.append(time.process_time() - start)
    mean, speeds = float(np.mean(seconds[5:])), [limit.sample() for _ in range(5)]
    timing = Timing(mean, float(np.median(speeds)), min(seconds), max(speeds))
    return Row(group, name, timing, note=f"{1 / mean:.1f} images/s and core")


GROUPS = {"inference": inference, "training": training, "data": data, "renderer": renderer, "metrics": metrics}


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
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    fields = ("group", "name", "gflop", "note")
    return [Row(timing=Timing(**row["timing"]), **{name: row[name] for name in fields}) for row in rows]


def table(rows):
    """Rows as a Markdown table; medians, in brackets the best repeat (of the best limit)."""
    titles = ["group", "what", "ms", "GFLOP", "of limit", "limit would do (GFLOP)", "note"]
    lines = [titles, ["---"] * len(titles), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main():
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=GROUPS, help="one group")
    parser.add_argument("--repeats", type=int, default=15, help="of every measurement (default: 15)")
    parser.add_argument("--json", default="benchmark.json", help="file to write (default: benchmark.json)")
    args = parser.parse_args()
    if args.only:
        rows = list(GROUPS[args.only](args.repeats))
    else:
        rows = [row for name in GROUPS for row in run_group(name, args.repeats)]
    print(table(rows))
    print("\nlimits in GFLOP/s: " + ", ".join(f"{row.name} {row.timing.limit:.0f}" for row in rows))
    report = {"threads": THREADS, "rows": [asdict(row) | {"shares": row.shares()} for row in rows]}
    write_text(args.json, json.dumps(report, indent=1))


if __name__ == "__main__":
    guarded(main)
