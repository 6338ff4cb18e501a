"""The closing table and picture of `make demo`, from the summary of a TIPC chain."""

from pathlib import Path

import numpy as np

from engine import images
from engine.errors import InputError

SUMMARY = Path("test_tipc/output/results_python.json")
DATA = Path("lite_data/val")
SHEET_ROWS = 6


def stage_of(report, kind):
    """The first stage of a kind; InputError where the run has none that passed."""
    for stage in report["stages"]:
        if stage["kind"] == kind and stage["status"] == "passed":
            return stage
    raise InputError(f"{SUMMARY}: no {kind} stage passed; run make demo")


def table(report, before, sheet):
    """Lines of the closing table.

    Args:
        report: summary of the chain.
        before: metrics of the starting weights; empty where training began from nothing.
        sheet: path of the picture sheet.
    """
    train, evaluation, export = (stage_of(report, kind) for kind in ("train", "eval", "export"))
    scores = evaluation["facts"]
    rates = {stage["name"]: stage["facts"]["ips"] for stage in report["stages"] if stage["kind"] == "infer"}
    fastest = max(rates, key=rates.get)
    start = train["facts"]["start"]
    lines = [f"{'':44} {'PSNR (dB)':>10} {'SSIM':>8}"]
    rows = [("degraded input", {key: scores[f"{key}/degraded"] for key in ("psnr", "ssim")})]
    rows += [(f"restored by {start}", {key: before[f"{key}/restored"] for key in ("psnr", "ssim")})] if before else []
    after = f"restored after {train['facts']['steps']} steps more" if before else "restored"
    rows.append((after, {key: scores[f"{key}/restored"] for key in ("psnr", "ssim")}))
    lines += [f"{name:44} {row['psnr']:10.2f} {row['ssim']:8.4f}" for name, row in rows]
    lines += [
        "",
        f"training started from   {start or 'random weights'}",
        f"images per second       {rates[fastest]:.1f} ({fastest}; reading and writing files included)",
        f"logs                    {SUMMARY.parent}/stages, {SUMMARY.with_suffix('.log')}",
        f"trained weights         {train['facts']['weights']}",
        f"exported model          {export['facts']['folder']}",
        f"before/after pictures   {sheet}",
    ]
    return lines


def write_sheet(path, restored_folder, below):
    """Write degraded input, output of the exported model and original side by side, with a picture below.

    Args:
        path: file of the sheet.
        restored_folder: results of the infer stage.
        below: [H, W, 3] in [0, 1].
    """
    rows = []
    for degraded in images.list_images(DATA / "lq")[:SHEET_ROWS]:
        restored = images.read_image(restored_folder / f"{degraded.stem}_predict.png")
        before, original = (
            images.resize(images.read_image(file), restored.shape[:2], "area")
            for file in (degraded, DATA / "hq" / degraded.name)
        )
        rows.append([before, restored, original])
    faces = images.picture_grid(rows, labels=["degraded", "restored", "original"])
    images.write_image(path, np.concatenate([faces, images.of_width(below, faces.shape[1], "area")]))
