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
from engine.flags import Flag, at_least, boolean, choice, guarded, read

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
WITHOUT = {  # what needs weights of further networks
    "gpen_256": [("recipe.identity_weight", 0.0, "benchmark")],
    "landmark": [("recipe.landmark", "none", "benchmark")],
}
GROUPS = {  # name -> function of the group's rows, configurations that it measures one after the other
    "inference": ("deploy.benchmark.rows", ["gpen_256"]),
    "training": ("engine.training.benchmark.rows", ["gpen_lite", "gpen_256"]),
    "photos": ("deploy.benchmark.photo_rows", ["gpen_256", "gfpgan_512"]),
    "service": ("deploy.service_benchmark.rows", ["gpen_lite"]),
    "peers": ("deploy.other_engines.rows", ["gpen_256", "partialconv_256", "landmark", "munit_256"]),
    "convolutions": ("engine.onednn_benchmark.rows", []),
    "blending": ("deploy.benchmark.blending_rows", []),
    "data": ("data_loader.benchmark.data_rows", []),
    "reader": ("data_loader.benchmark.reader_rows", []),
    "renderer": ("data_loader.benchmark.renderer_rows", []),
    "metrics": ("metric.evaluation.benchmark.rows", []),
}
FLAGS = {
    "only": Flag("measure one group", choice(*GROUPS), metavar="|".join(GROUPS)),
    "peers": Flag("the same as --only peers; a run of all groups leaves it out", boolean, default=False),
    "repeats": Flag("number of repeats per measurement", at_least(1), default=15, metavar="N"),
    "json": Flag("file to write", default="benchmark.json", metavar="FILE"),
}


def rows_of(group, repeats):
    """The rows of a group."""
    from data_loader.drawn_faces.rendering import render
    from data_loader.group_photo import group_photo
    from engine.config import load

    dotted, names = GROUPS[group]
    module, _, function = dotted.rpartition(".")
    rows = getattr(import_module(module), function)
    pictures = {"photos": lambda: [group_photo(960, 1280)[0]], "service": lambda: [render(0, 0, 64).image]}
    given = pictures.get(group, list)()
    for name in names:
        yield from rows(load(CONFIGS / f"{name}.yaml", WITHOUT.get(name, ())), name, repeats, *given)
    yield from () if names else rows(repeats)


def main():
    """Measure, print, write."""
    args = read(__doc__, FLAGS)
    from engine.log import progress
    from engine.measuring import rows_of_process, table, write_rows

    if args.only or args.peers:
        rows = list(progress(rows_of("peers" if args.peers else args.only, args.repeats), None, "row"))
    else:
        command = [sys.executable, __file__, "--repeats", str(args.repeats)]
        rows = [row for name in GROUPS if name != "peers" for row in rows_of_process([*command, "--only", name])]
    print(table(rows))
    print("\nlimits in GFLOP/s: " + ", ".join(f"{row.name} {row.timing.limit:.0f}" for row in rows))
    write_rows(args.json, rows)


if __name__ == "__main__":
    guarded(main)
