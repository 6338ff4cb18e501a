"""Score the pictures of one folder against those of another: the table and the JSON file of test.py.

python tools/evaluate.py results/predict data/GPEN/test --suffix _predict
python tools/evaluate.py results/predict data/GPEN/test --masks data/masks --metrics psnr,ssim,l1

Files are matched by their path below the folder, file suffix (.png, .jpg) apart; those without a partner are listed.
FID and KID compare sets and take all files of both folders, everything else takes the pairs, whose pictures are of
one size: nothing is resized in silence. With --masks (white is the hole) there are also errors inside the hole, and
means by hole ratio.
"""

import argparse
import sys
from itertools import groupby
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: E402, F401, I001  thread environment before Paddle
from engine import cli, distributed
from engine.files import check_writable
from engine.cli import Flag  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.images import list_images, read_image  # noqa: E402
from engine.log import logger, progress, to_console  # noqa: E402
from engine.masks import read_hole  # noqa: E402
from metric.evaluation import suite as metric_suite  # noqa: E402

LISTED = 10  # files without a partner that are named one by one
FLAGS = {
    "suffix": Flag("what the names of restored files have at their end, such as _predict", default="", metavar="TEXT"),
    "masks": Flag("folder of masks by the same names, white where a picture was filled", metavar="DIR"),
    "batch_size": Flag("pictures a pass through a network", cli.at_least(1), default=8, metavar="N"),
    "device": cli.STANDING["device"],
    "result_dir": Flag("where scores.json goes", default="results/evaluate", metavar="DIR"),
    **metric_suite.FLAGS,
}


def arguments(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("restored", metavar="RESTORED_DIR", help="pictures to score")
    parser.add_argument("reference", metavar="REFERENCE_DIR", help="what they should be")
    for name, flag in FLAGS.items():
        bare = {"nargs": "?", "const": True} if flag.kind is cli.boolean else {}
        parser.add_argument(
            f"--{name}",
            *flag.aliases,
            dest=name,
            type=cli.optional(flag.kind),
            default=flag.default,
            metavar=flag.metavar,
            help=flag.help,
            **bare,
        )
    return parser.parse_args(argv)


def files_by_name(folder, suffix=""):
    """Path below the folder without file suffix, nor `suffix` -> file.

    Raises:
        InputError: the folder holds no picture, or two of one name.
    """
    found = {}
    for path in list_images(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        name = name[: len(name) - len(suffix)] if suffix and name.endswith(suffix) else name
        if name in found:
            raise InputError(f"{path}: has the name of {found[name]}; expected one picture of a name")
        found[name] = path
    return found


def read_batches(names, files, batch_size, skipped):
    """Pictures of names, in their order, read and batched; a new batch begins where the sizes change.

    Args:
        names: in order.
        files: kind -> {name: file}; a kind that is not there for a name is left out.
        batch_size: names a batch.
        skipped: list that grows by one line for every name with a file that cannot be read.

    Yields:
        (names, {kind: [N, H, W, 3] in [0, 1], "mask": [N, H, W, 1]}).
    """
    for start in progress(range(0, len(names), batch_size), -(-len(names) // batch_size), "batch"):
        samples = []
        for name in names[start : start + batch_size]:
            try:
                samples.append((name, _read(name, files)))
            except InputError as error:
                skipped.append(str(error))
                logger.warning(f"skipped: {error}")
        for _, group in groupby(samples, key=lambda sample: {kind: p.shape for kind, p in sample[1].items()}):
            group = list(group)
            yield (
                [name for name, _ in group],
                {kind: np.stack([sample[kind] for _, sample in group]) for kind in group[0][1]},
            )


def _read(name, files):
    """{kind: picture} of one name."""
    readers = {"mask": _read_mask}
    return {kind: readers.get(kind, read_image)(paths[name]) for kind, paths in files.items() if name in paths}


def _read_mask(path):
    """[H, W, 1], 1 in the hole. InputError where it marks nothing; a mask that marks everything is said."""
    hole = read_hole(path)
    if not hole.any():
        raise InputError(f"{path}: marks nothing; expected a hole")
    if hole.all():
        logger.warning(f"{path}: marks everything; the errors in the hole are those of the whole picture")
    return hole


def check_sizes(names, pictures, files):
    """InputError, naming both files, where the pictures of a pair (and its mask) differ in size."""
    sizes = {kind: "{} x {}".format(*each.shape[1:3]) for kind, each in pictures.items()}
    for kind, size in sizes.items():
        if size != sizes["image"]:
            paths = files[kind][names[0]], files["image"][names[0]]
            raise InputError(f"{paths[0]} is {size}, {paths[1]} is {sizes['image']}; a pair has one size")


def list_unmatched(restored, reference, args):
    """Say which files have no partner; returns {folder: names}."""
    unmatched = {
        args.restored: sorted(restored.keys() - reference.keys()),
        args.reference: sorted(reference.keys() - restored.keys()),
    }
    for folder, names in unmatched.items():
        for name in names[:LISTED]:
            logger.warning(f"unmatched: {name} is in {folder} only")
        if len(names) > LISTED:
            logger.warning(f"unmatched: {len(names) - LISTED} more are in {folder} only; scores.json lists all")
    return unmatched


def score(scoring, files, args):
    """Put all pictures through a Scoring: pairs, then the others; returns what could not be read."""
    restored, reference = files["restored"], files["image"]
    pairs, skipped = sorted(restored.keys() & reference.keys()), []
    if not pairs:
        reason = f"no name is in both {args.restored} and {args.reference}"
        scoring.skipped |= {name: reason for scorer in scoring.scorers if not scorer.of_sets for name in scorer.names}
    for names, pictures in read_batches(pairs, files, args.batch_size, skipped):
        check_sizes(names, pictures, files)
        scoring.update(names, pictures)
    if any(scorer.of_sets for scorer in scoring.scorers):
        for kind in ("restored", "image"):
            alone = sorted(files[kind].keys() - set(pairs))
            for _, pictures in read_batches(alone, {kind: files[kind]}, args.batch_size, skipped):
                scoring.update_set(pictures)
    return skipped


def main():
    """Match, score, print, write."""
    args = arguments()
    distributed.start(args.device)
    to_console()
    check_writable(args.result_dir)
    files = {"restored": files_by_name(args.restored, args.suffix), "image": files_by_name(args.reference)}
    if args.masks:
        files["mask"] = files_by_name(args.masks)
    scoring = metric_suite.scoring(args, args.reference)
    unmatched = list_unmatched(files["restored"], files["image"], args)
    skipped = score(scoring, files, args)
    report = {
        "restored": args.restored,
        "pairs": len(scoring.rows),
        "unmatched": unmatched,
        "skipped": skipped,
        **scoring.report(),
    }
    path = Path(args.result_dir) / "scores.json"
    metric_suite.write_report(path, report)
    alone = sum(map(len, unmatched.values()))
    logger.info(f"{len(scoring.rows)} pairs, {alone} unmatched, {len(skipped)} skipped; {path}")
    metric_suite.tell(report)
    if args.save_fid_statistics:
        metric_suite.save_statistics(scoring, args.save_fid_statistics)
    return 0


if __name__ == "__main__":
    cli.guarded(main)
