"""Score trained weights on a validation set: a table, a JSON file, a picture sheet.

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
from metric.psnr_ssim import psnr, ssim

FLAGS = {
    "data_dir": Flag("folder with validation pictures", metavar="DIR"),
    "pretrained": Flag("trained weights", aliases=("-w", "--w"), metavar="FILE"),
    "result_dir": Flag("where scores.json and sheet.png go", default="results/test", metavar="DIR"),
    "show": Flag("pictures in the sheet", cli.at_least(1), default=8, metavar="N"),
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
    result = evaluate(system, networks, batches, {"psnr": psnr, "ssim": ssim}, args.show)

    folder = Path(args.result_dir)
    images.write_image(folder / "sheet.png", images.picture_grid(result["sheet"], labels=system.shown))
    report = {"config": str(args.config_path), "weights": str(args.pretrained), "pictures": len(result["rows"]),
              "skipped": len(batches.skipped), "scores": result["scores"], "rows": result["rows"]}
    write_text(folder / "scores.json", json.dumps(report, indent=1))
    logger.info(f"{report['pictures']} pictures, {report['skipped']} skipped; {folder}/scores.json, {folder}/sheet.png")
    lines = [f"Metric {name}: {value:.4f}" for name, value in result["scores"].items()]
    write_text(folder / "metrics.txt", "\n".join(lines) + "\n")
    for line in lines:
        logger.info(line)
    return 0


if __name__ == "__main__":
    cli.guarded(main)
