"""Score trained weights on a validation set: numbers, a JSON file, a picture sheet; with holes, tables by hole ratio.

python test.py -c configs/gpen_lite.yaml --pretrained weights/lite/gpen_lite.pdparams
python test.py -w W.pdparams --test_path=data/GPEN/test/ --size=256 --mul=1 --narrow=0.5
"""

import json
from pathlib import Path

import engine  # noqa: F401  thread environment before Paddle
from data_loader.batches import EvaluationBatches
from engine import cli, distributed, images, run
from engine.cli import Flag
from engine.evaluate import evaluate
from engine.files import write_text
from engine.log import logger, to_console
from metric.bucket_table import write_bucket_tables
from metric.holes import hole_l1, hole_psnr
from metric.pixel import l1
from metric.psnr_ssim import psnr, ssim
from model.fill import mean_colour_fill, telea_fill

METRICS = {"psnr": psnr, "ssim": ssim}
HOLE_METRICS = {"l1": lambda output, target, mask: l1(output, target), "hole_l1": hole_l1, "hole_psnr": hole_psnr}
FILLS = {"mean_colour": mean_colour_fill, "telea": telea_fill}
DEFINITIONS = {  # of the numbers in the tables by hole ratio; all are of 8-bit RGB, means over pictures
    "l1": "mean absolute error of values in [0, 1], whole picture",
    "psnr": "dB, whole picture",
    "ssim": "Gaussian window of 11 x 11, sigma 1.5, inside the picture, mean over R, G, B",
    "hole_l1": "l1 over the pixels of the hole",
    "hole_psnr": "psnr over the pixels of the hole",
}
NOT_COMPUTED = {name: "test.py has no network and no weights for it" for name in ("lpips", "fid")}
FLAGS = {
    "data_dir": Flag("folder with validation pictures", metavar="DIR"),
    "pretrained": Flag("trained weights", aliases=("-w", "--w"), metavar="FILE"),
    "result_dir": Flag("where scores.json and sheet.png go", default="results/test", metavar="DIR"),
    "show": Flag("pictures in the sheet", cli.at_least(1), default=8, metavar="N"),
    "baselines": Flag("score the mean colour and cv2.inpaint (Telea) too, where there are holes", cli.boolean,
                      default=False),
}


def main():
    """Parse, build, score, print."""
    args = cli.parse(__doc__, {"data_dir": "data.validation.root"}, own=FLAGS,
                     standing=("device", "batch_size", "seed"))
    distributed.start(args.device)
    to_console()
    config = args.config
    run.check_writable(args.result_dir)
    dataset = run.build_dataset(config.data.validation, config.seed, training=False)
    batches = EvaluationBatches(dataset, config.data.batch_size, config.data.num_workers)
    system = run.build_system(config)
    networks = run.trained_networks(system, args.pretrained, args.config_path)
    result = evaluate(system, networks, batches, METRICS, args.show, HOLE_METRICS, FILLS if args.baselines else None)

    folder = Path(args.result_dir)
    images.write_image(folder / "sheet.png", images.picture_grid(result["sheet"], labels=system.shown))
    report = {"config": str(args.config_path), "weights": str(args.pretrained), "pictures": len(result["rows"]),
              "skipped": len(batches.skipped), "scores": result["scores"], "rows": result["rows"]}
    write_text(folder / "scores.json", json.dumps(report, indent=1))
    logger.info(f"{report['pictures']} pictures, {report['skipped']} skipped; {folder}/scores.json, {folder}/sheet.png")
    if "hole" in result["rows"][0]:
        logger.info(write_bucket_tables(folder, result["rows"], DEFINITIONS, NOT_COMPUTED))
    for name, value in result["scores"].items():
        logger.info(f"Metric {name}: {value:.4f}")
    return 0


if __name__ == "__main__":
    cli.guarded(main)
