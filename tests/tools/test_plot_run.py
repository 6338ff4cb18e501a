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


def test_mistakes_are_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "metrics.jsonl").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "metrics.jsonl").write_text('[1]\n{"step": 1}\n')
    for name, expected in (
        ("none", "no such file"),
        ("empty", "holds no numbers yet"),
        ("other", "line 1 is not a record"),
    ):
        result = call("tools/plot_run", tmp_path / name)
        assert result.returncode == 2 and expected in result.stderr and result.stderr.count("\n") == 1
