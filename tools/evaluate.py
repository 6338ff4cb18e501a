"""Score the pictures of one folder against those of another, with the table and the JSON file of test.py.

python tools/evaluate.py results/predict data/GPEN/test --suffix _predict
python tools/evaluate.py results/predict data/GPEN/test --masks data/masks --metrics psnr,ssim,l1

Files are matched by their path below the folder, file suffix (.png, .jpg) apart; those without a partner are listed.
FID and KID compare sets and take all files of both folders, everything else takes the pairs, whose pictures are of
one size: nothing is resized in silence. With --masks (white is the hole) there are also errors inside the hole, and
means by hole ratio.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from engine.errors import InputError
from engine.files import check_writable
from engine.flags import Flag, at_least, guarded, read
from metric.evaluation import flags

PLACES = {
    "restored": Flag("folder of pictures to score", metavar="RESTORED_DIR", required=True),
    "reference": Flag("folder of the true pictures", metavar="REFERENCE_DIR", required=True),
}
FLAGS = {
    "suffix": Flag("end of the restored files' names, such as _predict", default="", metavar="TEXT"),
    "masks": Flag("folder of masks with the same names; white: filled", metavar="DIR"),
    "batch_size": Flag("pictures per pass through a network", at_least(1), default=8, metavar="N"),
    "result_dir": Flag("folder for scores.json", default="results/evaluate", metavar="DIR"),
    **flags.FLAGS,
}


def main():
    """Match, score, print, write."""
    args = read(__doc__, FLAGS, places=PLACES, standing=("device", "max_pixels"))
    from engine.images import left_out
    from engine.log import logger, to_console
    from engine.system import choose_device
    from metric.evaluation import registry
    from metric.evaluation.evaluate import evaluate
    from metric.evaluation.folders import FolderBatches, Restored, check_names, files_by_name, list_unmatched
    from metric.evaluation.report import save_statistics, tell, write_report

    to_console()
    choose_device(args.device)
    check_writable(args.result_dir)
    files = {"restored": files_by_name(args.restored, args.suffix or ""), "image": files_by_name(args.reference)}
    if args.masks:
        files["mask"] = files_by_name(args.masks)
    scorers, missing = registry.of_flags(args)
    folders = {"restored": args.restored, "image": args.reference, "mask": args.masks}
    if not set(args.metrics.split(",")) <= {"fid", "kid"}:
        check_names(folders, files)
    unmatched = list_unmatched(folders, files)
    batches = FolderBatches(files, args.batch_size, any(scorer.of_sets for scorer in scorers))
    scores = evaluate(Restored(), {}, batches, scorers)
    if batches.skipped and not scores.rows:
        raise InputError(f"none of the pairs can be read; the first: {batches.skipped[0]}")
    counts = {"pairs": len(scores.rows), "unmatched": unmatched, "skipped": batches.skipped}
    report = {"restored": args.restored, **counts, **scores.report(args.reference, missing)}
    path = Path(args.result_dir) / "scores.json"
    write_report(path, report)
    alone = sum(map(len, unmatched.values()))
    others = left_out(args.restored, args.reference)
    logger.info(f"{len(scores.rows)} pairs, {alone} unmatched, {len(batches.skipped)} skipped{others}; {path}")
    tell(report)
    if args.save_fid_statistics:
        save_statistics(scores, args.save_fid_statistics)
    return 0


if __name__ == "__main__":
    guarded(main)
