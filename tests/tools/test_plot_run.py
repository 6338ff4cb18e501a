"""tools/plot_run.py as a user calls it."""

import json

import numpy as np

from engine.images import read_image, write_image
from tests.script_calls import call


def test_a_run_becomes_a_picture(tmp_path):
    run = tmp_path / "run"
    write_image(run / "samples" / "step_0000002.png", np.full((40, 80, 3), (1, 0, 1), np.float32))
    records = [{"step": step, "net/loss": 1 / step, "lr/net": 0.1**step, "ips": 9.0} for step in (1, 2, 3)]
    records.insert(2, {"step": 2, "validation/psnr/restored": 20.0})
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records) + '{"step": 4, "ne')
    result = call("tools/plot_run", run)
    assert result.returncode == 0 and result.stdout == f"{run / 'curves.png'}\n", result.stderr
    picture = read_image(run / "curves.png")
    assert ((picture - (1, 0, 1)) ** 2).sum(axis=2).min() < 0.01  # the preview's colour
    blue = (picture[..., 2] > 0.6) & (picture[..., 0] < 0.3)
    assert blue[: len(picture) // 4].any()  # the loss, in the first of four panels
    call("tools/plot_run", run, "--output", tmp_path / "other.png", "--table", tmp_path / "run.csv")
    assert (tmp_path / "other.png").read_bytes()
    assert (tmp_path / "run.csv").read_text().splitlines() == [
        "step,net/loss,validation/psnr/restored,lr/net",
        "1,1,,0.1",
        "2,0.5,20,0.01",
        "3,0.33333,,0.001",
    ]


def test_a_folder_of_tables_becomes_one_picture(tmp_path):
    """The way from a run to docs/pictures: its table alone keeps what is drawn, breakdowns and rates left out."""
    folder = tmp_path / "runs"
    folder.mkdir()
    rows = ["step,net/loss,net/part,validation/psnr/restored,validation/psnr/restored/hard,lr/net"]
    rows += [f"{step},{1 / step},9,{20 + step if step % 2 else ''},1,0.1" for step in range(1, 5)]
    for name in ("first", "second"):
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    result = call("tools/plot_run", folder, "--output", tmp_path / "both.png")
    assert result.returncode == 0 and result.stdout == f"{tmp_path / 'both.png'}\n", result.stderr
    picture = read_image(tmp_path / "both.png")
    blue = (picture[..., 2] > 0.6) & (picture[..., 0] < 0.3)
    height, width = len(picture) // 2, picture.shape[1] // 2
    for panel in (blue[:height, :width], blue[:height, width:], blue[height:, :width], blue[height:, width:]):
        assert panel.any()  # a row per run, a loss and a measure each
    orange = (picture[..., 0] > 0.9) & (picture[..., 1] < 0.6) & (picture[..., 2] < 0.3)
    assert not orange.any()  # one line per panel: neither the part of the loss nor the breakdown

    result = call("tools/plot_run", folder / "first.csv", "--table", tmp_path / "again.csv")
    assert result.returncode == 0 and result.stdout.splitlines()[0] == str(folder / "curves.png"), result.stderr
    assert (tmp_path / "again.csv").read_text().splitlines()[0] == rows[0]
    assert (tmp_path / "again.csv").read_text().splitlines()[2] == "2,0.5,9,,1,0.1"


def test_mistakes_are_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "metrics.jsonl").write_text("")
    (tmp_path / "bad.csv").write_text("step,loss\n1,2\n2,high\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "metrics.jsonl").write_text('[1]\n{"step": 1}\n')
    for name, expected in (
        ("none", "no such file"),
        ("empty", "holds no numbers yet"),
        ("other", "line 1 is not a record"),
        ("bad.csv", "line 3 is not a record"),
    ):
        result = call("tools/plot_run", tmp_path / name)
        assert result.returncode == 2 and expected in result.stderr and result.stderr.count("\n") == 1
