"""Time exported inference, training, the data pipeline, the face renderer and metrics against this machine's limit.

python tools/benchmark.py
python tools/benchmark.py --only inference --repeats 30
python tools/benchmark.py --peers   (exported graphs beside ONNX Runtime and OpenVINO, what is installed of them)

The limit is what a 2048 x 2048 float32 matrix product reaches, taken before every repeat. Work with a known number of
operations (dense convolutions and products; filters do not count) is a share of it, and every time is also given as
what the limit would compute meanwhile. Each group runs in a process of its own. Medians; a table and a JSON file.
"""

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from engine import config as configuration
from engine.flags import Flag, at_least, boolean, choice, guarded, read

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
PLAIN = {"generator": 4, "discriminator": 8}  # forwards of a GPEN step a picture; a backward is two
LAZY = {"path_every": {"generator": 6}, "r1_every": {"discriminator": 6}}  # key of the interval -> further forwards


PEERS = {"gpen_256": [], "partialconv_256": [], "landmark": [("recipe.landmark", "none", "benchmark")], "munit_256": []}


def system_of(name, overrides=()):
    """The system of a configuration, in evaluation mode."""
    from engine.system import build_system

    system = build_system(configuration.load(CONFIGS / f"{name}.yaml", overrides))
    for network in system.networks.values():
        network.eval()
    return system


def peers(repeats):
    """The first graph of each of PEERS, with random weights, in every engine that is installed."""
    from deploy.other_engines import rows

    for name, overrides in PEERS.items():
        system = system_of(name, overrides)
        yield from rows(next(iter(system.inference(system.networks).values())), name, 256, repeats)


def inference(repeats):
    """GPEN-256 with seeded weights of which none is zero, so that every path of it counts."""
    import paddle

    from deploy.benchmark import rows

    system = system_of("gpen_256")
    for name, parameter in system.generator.named_parameters():
        if name.endswith(("noise.weight", "bias")):
            parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    (exported,) = system.inference(system.networks).values()
    yield from rows(exported, "GPEN-256", exported.reference, repeats)


def training(repeats):
    """GPEN's steps: plain, and the mean over the lazy intervals of R1 and path length."""
    from engine.measuring import dense_gflop
    from engine.training.benchmark import rows

    def gflop(system):
        (exported,) = system.inference(system.networks).values()
        layers = {"generator": exported.built(), "discriminator": system.networks["discriminator"]}
        return {name: dense_gflop(layer, [1, 3, *[system.config.size] * 2]) for name, layer in layers.items()}

    for name, overrides in (("gpen_lite", []), ("gpen_256", [("recipe.identity_weight", 0.0, "benchmark")])):
        yield from rows(CONFIGS / f"{name}.yaml", overrides, gflop, PLAIN, LAZY, repeats)


def photos(repeats):
    """A photo of three drawn faces through GPEN-256 and GFPGAN-512 with random weights: time, not beauty."""
    from data_loader.group_photo import group_photo
    from deploy.benchmark import photo_rows

    for name in ("gpen_256", "gfpgan_512"):
        system = system_of(name)
        (exported,) = system.inference(system.networks).values()
        yield from photo_rows(exported, name, group_photo(960, 1280)[0], max(1, repeats // 5))


def service(repeats):
    """A face through the service: through one convolution, where the rest shows, and through GPEN lite."""
    from data_loader.drawn_faces.rendering import render
    from deploy.service_benchmark import light, rows

    (exported,) = (system := system_of("gpen_lite")).inference(system.networks).values()
    for title, graph in (("one convolution", light()), ("gpen_lite, random weights", exported)):
        yield from rows(graph, title, render(0, 0, 64).image, repeats)


GROUPS = {"inference": inference, "training": training, "photos": photos, "service": service, "peers": peers} | {
    "convolutions": "engine.onednn_benchmark.rows",
    "blending": "deploy.blending_benchmark.rows",
    "data": "data_loader.benchmark.data_rows",
    "reader": "data_loader.benchmark.reader_rows",
    "renderer": "data_loader.benchmark.renderer_rows",
    "metrics": "metric.evaluation.benchmark.rows",
}
FLAGS = {
    "only": Flag("measure one group", choice(*GROUPS), metavar="|".join(GROUPS)),
    "peers": Flag("the same as --only peers; a run of all groups leaves it out", boolean, default=False),
    "repeats": Flag("number of repeats per measurement", at_least(1), default=15, metavar="N"),
    "json": Flag("file to write", default="benchmark.json", metavar="FILE"),
}


def main():
    """Measure, print, write."""
    args = read(__doc__, FLAGS)
    from engine.log import progress
    from engine.measuring import rows_of_process, table, write_rows

    if args.only or args.peers:
        made = peers if args.peers else GROUPS[args.only]
        if isinstance(made, str):
            made = getattr(import_module(made.rpartition(".")[0]), made.rpartition(".")[2])
        rows = list(progress(made(args.repeats), None, "row"))
    else:
        command = [sys.executable, __file__, "--repeats", str(args.repeats)]
        rows = [row for name in GROUPS if name != "peers" for row in rows_of_process([*command, "--only", name])]
    print(table(rows))
    print("\nlimits in GFLOP/s: " + ", ".join(f"{row.name} {row.timing.limit:.0f}" for row in rows))
    write_rows(args.json, rows)


if __name__ == "__main__":
    guarded(main)
