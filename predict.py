"""Run trained weights on photos, in the dynamic graph: one file or a folder in, PNG files out.

python predict.py -c configs/gpen_lite.yaml --pretrained weights/lite/gpen_lite.pdparams --img face.jpg
python predict.py --size 256 --mul=1 --narrow=0.5 --w W.pdparams --img face.jpg --degrade
"""

from pathlib import Path

import numpy as np
import paddle

import engine  # noqa: F401  thread environment before Paddle
from data_loader.degrade import degrade
from engine import cli, distributed, images, inference, run
from engine.cli import Flag
from engine.errors import InputError
from engine.export import ports_of
from engine.log import logger, progress, to_console
from metric.psnr_ssim import psnr

FLAGS = {
    "pretrained": Flag("trained weights", aliases=("-w", "--w"), metavar="FILE"),
    "img": Flag("one picture", metavar="FILE"),
    "image_dir": Flag("folder of pictures, searched to any depth", metavar="DIR"),
    "mask": Flag("mask picture, white where it is to be filled, for systems that take one", metavar="FILE"),
    "style": Flag("style picture, for systems that take one", metavar="FILE"),
    "output_dir": Flag("where results go", default="results/predict", metavar="DIR"),
    "batch_size": Flag("pictures a run", int, default=1, metavar="N"),
    "degrade": Flag("degrade each picture first, by a fixed seed, and report PSNR", cli.boolean, default=False),
}


def degraded(arrays, contract, config):
    """The inputs with the first picture degraded as the validation set is, the same for every picture and run."""
    ranges = getattr(config.data.validation, "degradation", None)
    if ranges is None:
        raise InputError(f"--degrade: {config.system} has no degradation in data.validation")
    name = contract["inputs"][0]["name"]
    spoilt = degrade(images.to_hwc(arrays[name]), ranges, np.random.default_rng(config.seed))
    return arrays | {name: images.to_chw(spoilt)}


def restore(exported, loaded):
    """Training form of the network on a list of samples -> list of {output name: array}."""
    stacked = inference.stack(loaded)
    with paddle.no_grad():
        results = exported.reference(*(paddle.to_tensor(stacked[port.name]) for port in exported.inputs))
    results = results if isinstance(results, (list, tuple)) else [results]
    return [{port.name: result[i].numpy() for port, result in zip(exported.outputs, results, strict=True)}
            for i in range(len(loaded))]


def main():
    """Parse, load, restore, write."""
    args = cli.parse(__doc__, {}, own=FLAGS, standing=("device", "seed"))
    distributed.start(args.device)
    to_console()
    system = run.build_system(args.config)
    exported = next(iter(system.inference(run.trained_networks(system, args.pretrained, args.config_path)).values()))
    contract = ports_of(exported)
    given = {contract["inputs"][0]["name"]: args.img, "mask": args.mask, "style": args.style}
    samples = inference.find_samples(contract, args.image_dir, given)
    files = inference.output_files(contract, samples, args.output_dir)
    size = 1 if inference.has_free_size(contract) else args.batch_size
    scores, skipped = [], []
    for batch in progress(inference.batches(samples, size), None, "batch"):
        kept, loaded = inference.load_readable(contract, batch, skipped)
        if not kept:
            continue
        inputs = [degraded(arrays, contract, args.config) for arrays in loaded] if args.degrade else loaded
        for sample, clean, given, results in zip(kept, loaded, inputs, restore(exported, inputs), strict=True):
            inference.write_results(contract, files[sample.name], results)
            if args.degrade:
                scores.append(report(sample, clean, given, results, files[sample.name], contract))
    if len(skipped) == len(samples):
        raise InputError(f"none of {len(samples)} pictures could be read; the first: {skipped[0]}")
    if scores:
        before, after = np.mean(scores, axis=0)
        logger.info(f"mean PSNR: degraded {before:.2f} dB, restored {after:.2f} dB. No FID: it compares sets, and means "
                    "nothing for single pictures")
    logger.info(f"{len(samples) - len(skipped)} pictures, {len(skipped)} skipped; results in {args.output_dir}")
    return 0


def report(sample, clean, given, results, files, contract):
    """Save the degraded input beside the result, log and return PSNR of both against the clean picture."""
    name, output = contract["inputs"][0]["name"], contract["outputs"][0]["name"]
    pictures = [images.to_hwc(array) for array in (clean[name], given[name], results[output])]
    path = Path(files[output])
    images.write_image(path.with_name(path.name.replace("_predict", "_degraded")), pictures[1])
    target, *others = (images.to_uint8(picture) for picture in pictures)
    values = [psnr(other, target) for other in others]
    logger.info(f"{sample.name}: PSNR degraded {values[0]:.2f} dB, restored {values[1]:.2f} dB")
    return values


if __name__ == "__main__":
    cli.guarded(main)
