"""Time exported inference, training, the data pipeline, the face renderer and metrics against this machine's limit.

python tools/benchmark.py
python tools/benchmark.py --only inference --repeats 30

The limit is what a 2048 x 2048 float32 matrix product reaches, taken before every repeat. Work with a known number of
operations (dense convolutions and products; filters do not count) is a share of it, and every time is also given as
what the limit would compute meanwhile. Each group runs in a process of its own. Medians; a table and a JSON file.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401, I001  thread environment before Paddle

from engine import config as configuration
from engine.flags import Flag, at_least, choice, guarded, read
from engine.ports import Exported
from engine.ports import Port

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
PLAIN = {"generator": 4, "discriminator": 8}  # forwards of a GPEN step a picture; a backward is two
LAZY = {"path_every": {"generator": 6}, "r1_every": {"discriminator": 6}}  # key of the interval -> further forwards


def inference(repeats):
    """GPEN-256 with seeded weights of which none is zero, so that every path of it counts."""
    import paddle

    from deploy import benchmark as deploy_rows
    from model.gpen.exported import ExportedGPEN
    from model.gpen.network import GPENGenerator

    paddle.seed(0)
    generator = GPENGenerator(256, channel_multiplier=1, narrow=0.5)
    for name, parameter in generator.named_parameters():
        if name.endswith(("noise.weight", "bias")):
            parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    generator.eval()
    port = [Port("image", (-1, 3, 256, 256))]
    exported = Exported(ExportedGPEN(generator), port, port)
    yield from deploy_rows.rows(
        exported, "GPEN-256", lambda image: (generator(2 * image - 1) / 2 + 0.5).clip(0, 1), repeats
    )


def training(repeats):
    """GPEN's steps: plain, and the mean over the lazy intervals of R1 and path length."""

    from engine.measuring import dense_gflop
    from engine.training import benchmark as training_rows
    from model.gpen.exported import ExportedGPEN

    def gflop(system):
        layers = {"generator": ExportedGPEN(system.generator), "discriminator": system.networks["discriminator"]}
        return {name: dense_gflop(layer, [1, 3, *[system.config.size] * 2]) for name, layer in layers.items()}

    for name, overrides in (("gpen_lite", []), ("gpen_256", [("recipe.identity_weight", 0.0, "benchmark")])):
        yield from training_rows.rows(CONFIGS / f"{name}.yaml", overrides, gflop, PLAIN, LAZY, repeats)


def data(repeats):
    """A training sample, and its degradation."""
    from data_loader.benchmark import data_rows

    yield from data_rows(CONFIGS / "gpen_lite.yaml", repeats)


def reader(repeats):
    """Pictures read for training."""
    from data_loader.benchmark import reader_rows

    yield from reader_rows(repeats)


def renderer(repeats):
    """Drawn faces."""
    from data_loader.benchmark import renderer_rows

    yield from renderer_rows(repeats)


def metrics(repeats):
    """FID, PSNR and SSIM, once each."""
    from metric.evaluation import benchmark as metric_rows
    from model.backbones.inception import FIDInception

    network = FIDInception()
    network.eval()
    yield from metric_rows.rows(network)


def photos(repeats):
    """A photo of three drawn faces through GPEN-256 and GFPGAN-512 with random weights: time, not beauty."""
    from data_loader.group_photo import group_photo
    from deploy import benchmark as deploy_rows
    from engine.build import build_system

    for name in ("gpen_256", "gfpgan_512"):
        system = build_system(configuration.load(CONFIGS / f"{name}.yaml"))
        exported = next(iter(system.inference(system.networks).values()))
        yield from deploy_rows.photo_rows(exported, name, group_photo(960, 1280)[0], max(1, repeats // 5))


GROUPS = {
    "inference": inference,
    "training": training,
    "data": data,
    "reader": reader,
    "renderer": renderer,
    "metrics": metrics,
    "photos": photos,
}
FLAGS = {
    "only": Flag("one group", choice(*GROUPS), metavar="|".join(GROUPS)),
    "repeats": Flag("of every measurement", at_least(1), default=15, metavar="N"),
    "json": Flag("file to write", default="benchmark.json", metavar="FILE"),
}


def main():
    """Measure, print, write."""
    args = read(__doc__, FLAGS)
    from engine.measuring import rows_of_process, table, write_rows

    if args.only:
        rows = list(GROUPS[args.only](args.repeats))
    else:
        command = [sys.executable, __file__, "--repeats", str(args.repeats)]
        rows = [row for name in GROUPS for row in rows_of_process([*command, "--only", name])]
    print(table(rows))
    print("\nlimits in GFLOP/s: " + ", ".join(f"{row.name} {row.timing.limit:.0f}" for row in rows))
    write_rows(args.json, rows)


if __name__ == "__main__":
    guarded(main)
