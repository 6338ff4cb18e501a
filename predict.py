"""Run trained weights on photos, in the dynamic graph: one file or a folder in, PNG files out.

python predict.py -c configs/gpen_lite.yaml --pretrained weights/lite/gpen_lite.pdparams --img face.jpg
python predict.py --size 256 --mul=1 --narrow=0.5 --w W.pdparams --img face.jpg

Systems may add flags and words of the project they are from: predict.py -c YAML --help shows them.
"""

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
    "to": Flag("output to make, for systems with several", metavar="NAME"),
    "output_dir": Flag("folder for the results", aliases=("--output",), default="results/predict", metavar="DIR"),
    "compare": Flag(
        "tell whether two pictures, or a picture and those of a folder, show one person", metavar="FILE", many=True
    ),
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
    args = cli.parse(__doc__, {}, own=FLAGS, standing=("device", "seed"), reads_data=False)
    from deploy import inference
    from deploy.contract import DynamicGraph
    from engine.log import logger, to_console
    from engine.system import build_system, choose_device
    from engine.weights.networks import trained_networks

    to_console()
    choose_device(args.device)
    system = build_system(args.config)
    graphs = system.inference(trained_networks(system, args.pretrained, args.config_path))
    graph = args.wrapped(DynamicGraph(chosen(graphs, args.to), str(args.pretrained)))
    encoder = lambda path: DynamicGraph(graphs[path.removeprefix("../")])  # noqa: E731
    return inference.carry_out(graph, args, encoder, args.config.seed, logger.info, signs=False)


if __name__ == "__main__":
    cli.guarded(main)
