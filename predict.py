"""Run trained weights on photos, in the dynamic graph: one file or a folder in, PNG files out.

python predict.py -c configs/gpen_lite.yaml --pretrained weights/lite/gpen_lite.pdparams --img face.jpg
python predict.py --size 256 --mul=1 --narrow=0.5 --w W.pdparams --img face.jpg

Systems may add flags and words of the project they are from: predict.py -c YAML --help shows them.
"""

import json

import engine  # noqa: F401  thread environment before Paddle
from deploy import flags
from engine import cli
from engine.cli import Flag
from engine.errors import InputError

FLAGS = {
    "pretrained": Flag("trained weights", aliases=("-w", "--w"), metavar="FILE"),
    "stacks": Flag(
        "for systems that fill holes: picture, masked and filled picture below each other, one file a picture "
        "or predict.png for all",
        cli.choice("each", "all"),
        metavar="each|all",
    ),
    "to": Flag("what to make, an output of a system that translates several ways", metavar="NAME"),
    "output_dir": Flag("where results go", aliases=("--output",), default="results/predict", metavar="DIR"),
    "compare": Flag("do a picture and another, or those of a folder, show one person", metavar="FILE", many=True),
    **flags.PHOTOS,
    **flags.PICTURES,
}


def chosen(graphs, target):
    """The graph whose first output is `target`; without one, the first. InputError where there is none."""
    makes = {graph.outputs[0].name: graph for graph in graphs.values() if graph.outputs[0].kind == "image"}
    if target is None:
        return next(iter(graphs.values()))
    if target not in makes:
        raise InputError(f"--to {target}: this system makes {', '.join(sorted(makes))}")
    return makes[target]


def main():
    """Parse, load, run, write."""
    args = cli.parse(__doc__, {}, own=FLAGS, standing=("device", "seed"))
    from deploy import comparing, inference, photo_files, video
    from deploy.contract import DynamicGraph
    from deploy.files import Files
    from deploy.photo import is_road
    from deploy.results import WRITERS
    from deploy.samples import gathered
    from engine import distributed
    from engine.build import build_system
    from engine.log import logger, to_console
    from engine.weights.networks import trained_networks

    distributed.start(args.device)
    to_console()
    config = args.config
    system = build_system(config)
    graphs = system.inference(trained_networks(system, args.pretrained, args.config_path))
    graph = args.wrapped(DynamicGraph(chosen(graphs, args.to), str(args.pretrained)))
    if args.compare or args.video:
        return (comparing if args.compare else video).run(graph, args)
    samples, styles, left_out = gathered(
        graph.contract, args, lambda path: DynamicGraph(graphs[path.removeprefix("../")]), config.seed
    )
    if args.stacks and args.ext != "png":
        raise InputError(f"--ext {args.ext}: stacks are written as PNG; leave it out")
    wants_pairs = args.stacks or hasattr(graph, "remarks")
    if args.aligned is False and wants_pairs:
        raise InputError("--stacks, --degrade: are not for whole photos; leave them out")
    if is_road(graph.contract, args) and not wants_pairs:
        count = photo_files.run(graph, samples, args)
        closing = f"{count}{left_out}; results in {args.output_dir}"
        for line in filter(None, (styles, closing, inference.remark(graph))):
            logger.info(line)
        return 0
    flags.refuse_flags(args)
    if args.stacks:
        writer = WRITERS[args.stacks](graph.contract, samples, args.output_dir)
    else:
        writer = Files(graph.contract, samples, args.output_dir, args.ext, args.colour, args.suffix)
    watch = inference.Stopwatch()
    done = list(inference.run(graph, samples, args.batch_size, args.output_dir, watch, args.blend, writer))
    if not graph.contract.of_kind("image", "mask", "points", outputs=True):
        for name, numbers in done:
            print(f"{name}\t{json.dumps(numbers)}")
    if remarks := getattr(graph, "remarks", None):
        for line in remarks([name for name, _ in done]):
            logger.info(line)
    if styles:
        logger.info(styles)
    logger.info(f"{len(done)} pictures, {len(samples) - len(done)} skipped{left_out}; results in {args.output_dir}")
    if remark := inference.remark(graph):
        logger.info(remark)
    return 0


if __name__ == "__main__":
    cli.guarded(main)
