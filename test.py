"""Score trained weights on a validation set: a table, a JSON file, a picture sheet; with holes, tables by hole ratio.

python test.py -c configs/gpen_lite.yaml --pretrained weights/lite/gpen_lite.pdparams
python test.py -w W.pdparams --test_path=data/GPEN/test/ --size=256 --mul=1 --narrow=0.5
"""

from pathlib import Path

import engine  # noqa: F401  thread environment before Paddle
from data_loader.batches import EvaluationBatches
from engine import cli, distributed, images
from engine.build import build_dataset, build_system
from engine.cli import Flag
from engine.files import check_writable, write_text
from engine.log import logger, to_console
from engine.weights.networks import trained_networks
from metric.evaluation import set_metrics
from metric.evaluation import suite as metric_suite
from metric.evaluation.baselines import mean_colour_fill, telea_fill
from metric.evaluation.bucket_table import write_bucket_tables
from metric.evaluation.evaluate import evaluate

FILLS = {"mean_colour": mean_colour_fill, "telea": telea_fill}
FLAGS = {
    "data_dir": Flag("folder with validation pictures", metavar="DIR"),
    "pretrained": Flag("trained weights", aliases=("-w", "--w"), metavar="FILE"),
    "result_dir": Flag("where scores.json and sheet.png go", default="results/test", metavar="DIR"),
    "show": Flag("pictures in the sheet", cli.at_least(1), default=8, metavar="N"),
    "baselines": Flag(
        "score the mean colour and cv2.inpaint (Telea) too, where there are holes", cli.boolean, default=False
    ),
    **metric_suite.FLAGS,
}


def main():
    """Parse, build, score, print."""
    args = cli.parse(
        __doc__, {"data_dir": "data.validation.root"}, own=FLAGS, standing=("device", "batch_size", "seed")
    )
    distributed.start(args.device)
    to_console()
    config = args.config
    check_writable(args.result_dir)
    dataset = build_dataset(config.data.validation, config.seed, training=False)
    batches = EvaluationBatches(dataset, config.data.batch_size, config.data.num_workers)
    system = build_system(config)
    networks = trained_networks(system, args.pretrained, args.config_path)
    wanted = metric_suite.named_metrics(args, system.measured)
    sets = set_metrics.chosen(config, system, wanted, args)
    scoring = metric_suite.scoring(args, reference_of(config), wanted if system.scored else ())
    scoring.skipped |= sets.missing
    result = evaluate(
        system,
        networks,
        batches,
        {},
        args.show,
        fills=FILLS if args.baselines else None,
        set_metrics=sets.factories,
        observe=scoring.update,
    )

    folder = Path(args.result_dir)
    if result["sheet"]:
        images.write_image(folder / "sheet.png", images.picture_grid(result["sheet"], labels=system.shown))
    report = {
        "config": str(args.config_path),
        "weights": str(args.pretrained),
        "pictures": len(result["rows"]),
        "skipped": len(batches.skipped),
        **scoring.report(result["scores"], about(sets, batches, config)),
    }
    metric_suite.write_report(folder / "scores.json", report)
    logger.info(f"{report['pictures']} pictures, {report['skipped']} skipped; results in {folder}")
    if "hole" in result["rows"][0]:
        rows = [own | scored for own, scored in zip(result["rows"], scoring.rows, strict=True)]
        logger.info(write_bucket_tables(folder, rows, scoring.definitions(), report["not_computed"]))
    metric_suite.tell(report)
    lines = [f"Metric {name}: {metric_suite.shown(value)}" for name, value in report["scores"].items()]
    write_text(folder / "metrics.txt", "\n".join(lines) + "\n")
    if args.save_fid_statistics:
        metric_suite.save_statistics(scoring, args.save_fid_statistics)
    return 0


def about(sets, batches, config):
    """{set metric: what its numbers depend on}."""
    common = {"n": len(batches.dataset) - len(batches.skipped), "reference": reference_of(config)}
    return {name: common | sets.facts.get(name, {}) for name in sets.factories}


def reference_of(config):
    """What a signature calls the validation set: its folder, or the configuration that draws it."""
    section = config.data.validation
    return str(getattr(section, "root", None) or f"drawn by {section.dataset.rpartition('.')[2]}, seed {config.seed}")


if __name__ == "__main__":
    cli.guarded(main)
