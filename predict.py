"""Run trained weights on photos, in the dynamic graph: one file or a folder in, PNG files out.

python predict.py -c configs/gpen_lite.yaml --pretrained weights/lite/gpen_lite.pdparams --img face.jpg
python predict.py --size 256 --mul=1 --narrow=0.5 --w W.pdparams --img face.jpg --degrade

Systems may have words of the project they are from: -c configs/landmark.yaml MODEL CONFIG.json RESULT_DIR --mode cat.
"""

import json

import numpy as np

import engine  # noqa: F401  thread environment before Paddle
from data_loader.degrade import degrade
from deploy import inference
from deploy.training_form import DynamicGraph
from engine import cli, distributed, images
from engine.build import build_system
from engine.cli import Flag
from engine.errors import InputError
from engine.log import logger, to_console
from engine.system import BLENDS, Port
from engine.weights.networks import trained_networks
from metric.psnr_ssim import psnr

FLAGS = {
    "pretrained": Flag("trained weights", aliases=("-w", "--w"), metavar="FILE"),
    "img": Flag("one picture", metavar="FILE"),
    "image_dir": Flag("folder of pictures, searched to any depth", metavar="DIR"),
    "mask": Flag(
        "mask picture, white where it is to be filled, for systems that take one; or a folder of them, named "
        "like the pictures",
        metavar="FILE",
    ),
    "blend": Flag(
        "how a filled hole gets into its picture; default: the system's", cli.choice(*BLENDS), metavar="|".join(BLENDS)
    ),
    "mode": Flag(
        "for systems that fill holes: picture, masked and filled picture below each other, one file a picture "
        "or predict.png for all",
        cli.choice("stack", "cat"),
        metavar="stack|cat",
    ),
    "white_means": Flag("what white is in a mask", cli.choice("hole", "valid"), default="hole", metavar="hole|valid"),
    "to": Flag("what to make, for systems that translate several ways", metavar="photo|caricature"),
    "a2b": Flag("MUNIT's words for --to photo (0: --to caricature); a is the caricature", cli.boolean),
    "b2a": Flag("for --to caricature (0: --to photo)", cli.boolean),
    "style": Flag("picture to take the style from, for systems that have one; without, it is drawn", metavar="FILE"),
    "num_style": Flag(
        "drawn styles a picture, of --seed and the following seeds", cli.at_least(1), default=1, metavar="N"
    ),
    "output_dir": Flag("where results go", default="results/predict", metavar="DIR"),
    "batch_size": Flag("pictures a run", cli.at_least(1), default=1, metavar="N"),
    "degrade": Flag("degrade each picture first, by a fixed seed, and report PSNR", cli.boolean, default=False),
}


class Degrading:
    """A graph whose first input is degraded first, the same way each time; `scores` are PSNR before and after."""

    def __init__(self, graph, ranges, seed):
        """Args: the graph, its system's DegradationRanges, the seed of the degradation."""
        self.graph, self.ranges, self.seed, self.scores = graph, ranges, seed, []
        self.name, self.given = graph.name, graph.contract.picture
        outputs = (*graph.contract.outputs, Port("degraded", self.given.shape))
        self.contract = graph.contract.model_copy(update={"outputs": outputs})

    def run(self, arrays):
        """As the graph's, with the degraded pictures among the results."""
        clean = images.to_hwc(arrays[self.given.name])
        degraded = np.stack([degrade(picture, self.ranges, np.random.default_rng(self.seed)) for picture in clean])
        results = self.graph.run(arrays | {self.given.name: images.to_chw(degraded)})
        restored = images.to_hwc(results[self.contract.outputs[0].name])
        for pictures in zip(clean, degraded, restored, strict=True):
            target, *others = map(images.to_uint8, pictures)
            self.scores.append([psnr(other, target) for other in others])
        return results | {"degraded": images.to_chw(degraded)}


def wanted(args):
    """What --to, --a2b and --b2a ask for, or None. InputError where they disagree."""
    words = {args.to} if args.to else set()
    words |= {"photo" if args.a2b else "caricature"} if args.a2b is not None else set()
    words |= {"caricature" if args.b2a else "photo"} if args.b2a is not None else set()
    if len(words) > 1:
        raise InputError("--to, --a2b and --b2a disagree; give one of them")
    return next(iter(words), None)


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
    args = cli.parse(__doc__, {}, own=FLAGS, standing=("device", "seed", "original_config"))
    distributed.start(args.device)
    to_console()
    config = args.config
    system = build_system(config)
    graphs = system.inference(trained_networks(system, args.pretrained, args.config_path))
    graph = DynamicGraph(chosen(graphs, wanted(args)), str(args.pretrained))
    if args.degrade:
        ranges = getattr(config.data.validation, "degradation", None)
        if ranges is None:
            raise InputError(f"--degrade: {args.config_path} has no degradation in data.validation")
        graph = Degrading(graph, ranges, config.seed)
    samples, styles = inference.gathered(
        graph.contract, args, lambda path: DynamicGraph(graphs[path.removeprefix("../")]), config.seed
    )
    writer = None
    if args.mode:
        from deploy.results import WRITERS

        writer = WRITERS[args.mode](graph.contract, samples, args.output_dir)
    watch = inference.Stopwatch()
    done = list(inference.run(graph, samples, args.batch_size, args.output_dir, watch, args.blend, writer))
    if not graph.contract.of_kind("image", "mask", "points", outputs=True):
        for name, numbers in done:
            print(f"{name}\t{json.dumps(numbers)}")
    if args.degrade:
        for (name, _), (before, after) in zip(done, graph.scores, strict=True):
            logger.info(f"{name}: PSNR degraded {before:.2f} dB, restored {after:.2f} dB")
        logger.info("no FID: it compares sets of pictures; of one picture it means nothing")
    if styles:
        logger.info(styles)
    logger.info(f"{len(done)} pictures, {len(samples) - len(done)} skipped; results in {args.output_dir}")
    return 0


if __name__ == "__main__":
    cli.guarded(main)
