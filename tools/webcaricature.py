"""Write procedural photos and caricatures in WebCaricature's layout, or report on a folder in that layout.

python tools/webcaricature.py --write lite_data/WebCaricature --people 20 --variants 4
python tools/webcaricature.py --report data/WebCaricature --output rejected.tsv

What is written: pictures, 17 landmarks, file lists, and the verification protocols of both views (ten folds, so at
least 20 people). A second call with the same numbers writes nothing. --side_faces and --misplaced make some pictures
unfit, for the filter to find. The report says how many pictures of each kind the training filter keeps and why it
rejects the others; --output gets one line a rejected picture and reason.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from data_loader import webcaricature_files as files  # noqa: E402
from data_loader.caricature_sources import DrawnSettings, DrawnSource, WebCaricatureSource  # noqa: E402
from engine.cli import Flag, at_least, guarded, parse  # noqa: E402
from engine.errors import InputError  # noqa: E402
from engine.files import write_text  # noqa: E402
from engine.images import write_image  # noqa: E402

FOLDS, HELD_OUT = 10, 0.1  # folds of View 2; share of the people in View 1's test part


def share(text):
    """A number from 0 to 1."""
    if not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f"expected 0 to 1, found {text}")
    return float(text)


OWN = {
    "write": Flag("folder to write", metavar="DIR"),
    "report": Flag("folder to read", metavar="DIR"),
    "people": Flag("number of people", at_least(2 * FOLDS), default=2 * FOLDS, metavar="N"),
    "variants": Flag("photos, and caricatures, of each", at_least(1), default=4, metavar="N"),
    "side_faces": Flag("share of pictures with the head turned to a side", share, default=0.0, metavar="SHARE"),
    "misplaced": Flag("share of pictures with landmarks beside their places", share, default=0.0, metavar="SHARE"),
    "output": Flag("file for the rejected pictures and reasons", metavar="FILE"),
}


def write(root, people, variants, seed, **faults):
    """Write the whole data set, unless it is there already with these numbers; `faults`: those of DrawnSettings."""
    root, settings = Path(root), {"people": people, "variants": variants, "seed": seed}
    settings |= {name: value for name, value in faults.items() if value}
    note = root / "settings.json"
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) == settings:
        print(f"{root}: already there")
        return
    if root.exists() and any(root.iterdir()):
        raise InputError(f"{root}: holds other files, or people of other numbers; expected a new folder")
    source = DrawnSource(DrawnSettings(identities=(0, people), variants=variants, seed=seed, **faults), filtered=False)
    for entry in (entry for kind in files.KINDS for entry in source.entries[kind]):
        write_image(root / "OriginalImages" / f"{entry.name}.jpg", source.drawn(entry))
        lines = (f"{x:.3f} {y:.3f}" for x, y in source.landmarks(entry))
        write_text(root / "FacialPoints" / f"{entry.name}.txt", "\n".join(lines) + "\n")
    for person in source.people:
        for letter in files.LETTERS.values():
            names = (f"{letter}{i + 1:05d}.jpg" for i in range(variants))
            write_text(root / "Filenames" / person / f"file_{letter.lower()}.txt", "\n".join(names) + "\n")
    write_protocols(root / files.VERIFICATION, source.people, variants, np.random.default_rng([seed, people]))
    write_text(note, json.dumps(settings))
    print(f"{root}: {people} people, {2 * people * variants} pictures")


def write_protocols(folder, people, variants, rng):
    """Both views, unrestricted and restricted; the people of View 2's folds are drawn by `rng`."""
    tested = max(2, round(len(people) * HELD_OUT))
    folds = [sorted(part) for part in np.array_split(rng.permutation(people), FOLDS)]

    def listing(names):
        return [str(len(names)), *(f"{name}\t{variants}\t{variants}" for name in names)]

    def pairs(names):
        matched, mismatched = zip(*(_pairs(names, variants, rng) for _ in range(variants * len(names))), strict=True)
        return [str(len(matched)), *matched, *mismatched]

    parts = {"DevTrain": people[:-tested], "DevTest": people[-tested:]}
    for setting, short, lines in (("UnRestricted", "UnRes", listing), ("Restricted", "Res", pairs)):
        for part, names in parts.items():
            _write(folder / setting / f"{short}trictedView1_{part}.txt", lines(names))
        view2 = [line for fold in folds for line in lines(fold)]
        _write(folder / setting / f"{short}trictedView2.txt", [str(FOLDS), *view2])


def _pairs(names, variants, rng):
    """One matched and one mismatched line."""
    (one, other), (c, p) = rng.choice(len(names), 2, replace=False), rng.integers(1, variants + 1, 2)
    return (f"{names[one]}\tC{c:05d}\tP{p:05d}", f"{names[one]}\tC{c:05d}\t{names[other]}\tP{p:05d}")


def _write(path, lines):
    write_text(path, "\n".join(lines) + "\n")


def report(root, output):
    """Print what the filter keeps and rejects; returns the source."""
    folder = Path(root) / "Filenames"
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected WebCaricature's layout")
    source = WebCaricatureSource(root, sorted(path.name for path in folder.iterdir() if path.is_dir()))
    kept = {kind: len(entries) for kind, entries in source.entries.items()}
    lost = Counter("caricature" if name.rpartition("/")[2].startswith("C") else "photo" for name in source.rejected)
    print(f"{root}: {len(source.people)} people, {len(source.missing)} pictures missing")
    for kind in files.KINDS:
        print(f"{kind}: {kept[kind]} kept, {lost[kind]} rejected")
    rules = Counter(reason.partition(" lies")[0] for reasons in source.rejected.values() for reason in reasons)
    for rule, count in rules.most_common():
        print(f"  {count:6d}  {rule}")
    if output:
        rows = [(name, reason) for name, reasons in source.rejected.items() for reason in reasons]
        rows += [("", f"missing: {text}") for text in source.missing]
        _write(output, ["\t".join(row) for row in rows])
    return source


def main(argv=None):
    """Read the command line; write or report."""
    cv2.setNumThreads(1)
    arguments = parse(__doc__, {}, argv, standing=("seed",), own=OWN)
    if (arguments.write is None) == (arguments.report is None):
        raise InputError("give either --write DIR or --report DIR")
    if arguments.write:
        write(
            arguments.write,
            arguments.people,
            arguments.variants,
            arguments.config.seed,
            side_faces=arguments.side_faces,
            misplaced=arguments.misplaced,
        )
    else:
        report(arguments.report, arguments.output)


if __name__ == "__main__":
    guarded(main)
