"""Score trained weights on a validation set: a table, a JSON file, a picture sheet; with holes, tables by hole ratio.

python test.py -c configs/gpen_lite.yaml --pretrained weights/lite/gpen_lite.pdparams
python test.py -w W.pdparams --test_path=data/GPEN/test/ --size=256 --mul=1 --narrow=0.5
"""

from pathlib import Path

import engine  # noqa: F401  thread environment before Paddle
from engine import cli
from engine.cli import Flag
from engine.files import check_writable, write_text
from metric.evaluation import flags

FLAGS = {
    "data_dir": Flag("folder with validation pictures", metavar="DIR"),
    "pretrained": Flag("trained weights", aliases=("-w", "--w"), metavar="FILE"),
    "result_dir": Flag("folder for scores.json and sheet.png", default="results/test", metavar="DIR"),
    "show": Flag("number of pictures in the sheet", cli.at_least(1), default=8, metavar="N"),
    "baselines": Flag("with holes: also score the mean colour and cv2.inpaint (Telea)", cli.boolean, default=False),
    **flags.FLAGS,
}


def main():
    """Parse, build, score, print."""
    args = cli.parse(
        __doc__,
        {"data_dir": "data.validation.root"},
        own=FLAGS,
        standing=("device", "batch_size", "seed", "max_pixels"),
    )
    return run(args)


def run(args):
    """Score, print, write; returns the exit status."""
    from data_loader.batches import EvaluationBatches
    from deploy.predictor import keep_memory
    from engine import images
    from engine.log import logger, to_console
    from engine.system import build_dataset, build_system, choose_device
    from engine.weights.networks import trained_networks
    from metric.evaluation import registry
    from metric.evaluation.baselines import FILLS
    from metric.evaluation.bucket_table import write_bucket_tables
    from metric.evaluation.evaluate import evaluate
    from metric.evaluation.report import number_lines, save_statistics, tell, write_report

    to_console()
    keep_memory()
    choose_device(args.device)
    check_writable(args.result_dir)
    config = args.config
    dataset = build_dataset(config.data.validation, config.seed, training=False)
    batches = EvaluationBatches(dataset, config.data.batch_size, config.data.num_workers)
    system = build_system(config)
    networks = trained_networks(system, args.pretrained, args.config_path)
    scorers, missing = registry.of_flags(args, system)
    fills = FILLS if args.baselines else None
    scores = evaluate(system, networks, batches, scorers, show=args.show, fills=fills)
    folder = Path(args.result_dir)
    if scores.sheet:
        images.write_image(folder / "sheet.png", images.picture_grid(scores.sheet, labels=system.shown))
    report = {
        "config": str(args.config_path),
        "weights": str(args.pretrained),
        "pictures": len(scores.rows),
        "skipped": len(batches.skipped),
        **scores.report(reference_of(config), missing),
    }
    write_report(folder / "scores.json", report)
    logger.info(f"{images.closing(report['pictures'], report['skipped'])}; results in {folder}")
    if "hole_ratio" in scores.rows[0]:
        logger.info(write_bucket_tables(folder, scores.rows, scores.definitions(), report["not_computed"]))
    tell(report)
    write_text(folder / "metrics.txt", "\n".join(number_lines(report)) + "\n")
    if args.save_fid_statistics:
        save_statistics(scores, args.save_fid_statistics)
    return 0


def reference_of(config):
    """Name of the validation set in signatures: its folder, or the configuration that draws it."""
    section = config.data.validation
    return str(getattr(section, "root", None) or f"drawn by {section.dataset.rpartition('.')[2]}, seed {config.seed}")


if __name__ == "__main__":
    cli.guarded(main)
