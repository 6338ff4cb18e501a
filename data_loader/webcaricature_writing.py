"""Procedural photos and caricatures in WebCaricature's layout, and a report on a folder in that layout."""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from data_loader import webcaricature_files as files
from data_loader.caricature_sources import DrawnSettings, DrawnSource, WebCaricatureSource
from engine.errors import InputError
from engine.files import write_json, write_text
from engine.images import counted, write_image
from engine.log import progress

FOLDS, HELD_OUT = 10, 0.1  # folds of View 2; share of the people in View 1's test part


def write(root, people, variants, seed, **faults):
    """Write the whole data set, unless it is there already with these numbers.

    Args:
        root: a new folder, or one that a call with the same numbers wrote.
        people, variants: how many people, and photos and caricatures of each.
        seed: of the people.
        faults: of DrawnSettings, what is wrong with some pictures.

    Returns:
        a line that says what was done. InputError where the folder holds anything else.
    """
    root, settings = Path(root), {"people": people, "variants": variants, "seed": seed}
    settings |= {name: value for name, value in faults.items() if value}
    note = root / "settings.json"
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) == settings:
        return f"{root}: already there"
    if root.exists() and any(root.iterdir()):
        raise InputError(f"{root}: holds other files, or another number of people; expected a new folder")
    source = DrawnSource(DrawnSettings(identities=(0, people), variants=variants, seed=seed, **faults), filtered=False)
    entries = [entry for kind in files.KINDS for entry in source.entries[kind]]
    for entry in progress(entries, len(entries), "picture"):
        write_image(root / "OriginalImages" / f"{entry.name}.jpg", source.drawn(entry))
        lines = (f"{x:.3f} {y:.3f}" for x, y in source.landmarks(entry))
        write_text(root / "FacialPoints" / f"{entry.name}.txt", "\n".join(lines) + "\n")
    for person in source.people:
        for letter in files.LETTERS.values():
            names = (f"{letter}{i + 1:05d}.jpg" for i in range(variants))
            write_text(root / "Filenames" / person / f"file_{letter.lower()}.txt", "\n".join(names) + "\n")
    write_protocols(root / files.VERIFICATION, source.people, variants, np.random.default_rng([seed, people]))
    write_json(note, settings, None)
    return f"{root}: {people} people, {2 * people * variants} pictures"


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


def report(root, output=None):
    """Lines that say what the filter keeps and rejects; `output`: file for a line a rejected picture and reason."""
    folder = Path(root) / "Filenames"
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected WebCaricature's layout")
    source = WebCaricatureSource(root, sorted(path.name for path in folder.iterdir() if path.is_dir()))
    kept = {kind: len(entries) for kind, entries in source.entries.items()}
    lost = Counter("caricature" if name.rpartition("/")[2].startswith("C") else "photo" for name in source.rejected)
    lines = [f"{root}: {len(source.people)} people, {counted(len(source.missing), 'picture')} missing"]
    lines += [f"{kind}: {kept[kind]} kept, {lost[kind]} rejected" for kind in files.KINDS]
    rules = Counter(reason.partition(" lies")[0] for reasons in source.rejected.values() for reason in reasons)
    lines += [f"  {count:6d}  {rule}" for rule, count in rules.most_common()]
    if output:
        rows = [(name, reason) for name, reasons in source.rejected.items() for reason in reasons]
        rows += [("", f"missing: {text}") for text in source.missing]
        _write(output, ["\t".join(row) for row in rows])
    return lines
