"""What a run writes: one line and one record a window, readable by TIPC's tools, VisualDL and people."""

import json
import logging
import re

import numpy as np
import pytest
from visualdl import LogReader

from engine import log
from engine.images import read_image
from engine.training import run_log

TIMING = {"reader_cost": 0.5, "batch_cost": 2.0, "samples": 8}
SCALARS = {"generator/pixel": 0.25, "generator/loss": 1.5, "discriminator/loss": 0.75}


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def opened(folder, first_step=0):
    return run_log.RunLog(folder, folder / "samples", first_step, steps=10)


def records(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_training_line_has_the_tokens_tools_look_for(folder, capsys):
    out = opened(folder)
    out.training(4, 2, SCALARS, {"encoder": 0.002, "decoder": 0.001}, TIMING)
    out.close()
    printed = capsys.readouterr().out
    (saved,) = (folder / "train.log").read_text().splitlines()
    assert printed.count("\n") == 1 and saved.endswith(printed.rstrip("\n"))
    for pattern, value in {
        r"\bloss: ([-\d.e]+),": 1.5,
        r" ips: ([-\d.e]+) images/s$": 4,
        r"\blr: ([-\d.e]+),": 0.002,
        r"avg_reader_cost: ([\d.]+) sec": 0.5,
        r"avg_batch_cost: ([\d.]+) sec": 2,
        r"avg_samples: (\d+)": 8,
        r"iter: (\d+)/10\]": 4,
        r"\[Epoch (\d+),": 2,
    }.items():
        assert float(re.search(pattern, printed.rstrip("\n"))[1]) == value, pattern
    assert re.search(r"(\S*)loss: ", printed)[1] == ""  # the first `loss:` is the bare total
    assert "discriminator/loss: 0.75" in printed


def test_record_holds_every_number(folder):
    out = opened(folder)
    out.training(4, 0, SCALARS, {"encoder": 0.002}, TIMING)
    out.record(5, {"validation/psnr": 20.5})
    out.close()
    assert records(folder) == [
        {"step": 4, **SCALARS, "lr/encoder": 0.002, "ips": 4.0},
        {"step": 5, "validation/psnr": 20.5},
    ]


def test_visualdl_reads_the_same(folder):
    out = opened(folder)
    for step in (1, 2):
        out.training(step, 0, {"generator/loss": step / 4}, {"encoder": 0.5}, TIMING)
    out.picture(2, np.full((8, 8, 3), 0.5, np.float32))
    out.close()
    (file,) = (folder / "visualdl").iterdir()
    reader = LogReader(file_path=str(file))
    assert [(item.id, item.value) for item in reader.get_data("scalar", "generator/loss")] == [(1, 0.25), (2, 0.5)]
    assert [item.value for item in reader.get_data("scalar", "ips")] == [4.0, 4.0]
    assert len(reader.get_data("image", "preview")) == 1


def test_picture_is_saved_under_its_step(folder):
    out = opened(folder)
    image = np.zeros((8, 12, 3), np.float32)
    image[..., 0] = 1
    out.picture(7, image)
    out.close()
    np.testing.assert_array_equal(read_image(folder / "samples" / "step_0000007.png"), image)


def test_records_of_a_killed_run_are_dropped(folder):
    lines = ['{"step": 2, "a": 1}', '{"step": 4, "a": 2}', '{"step": 6, "a": 3}', '{"step": 7, "a']
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    out = opened(folder, first_step=4)
    out.record(5, {"a": 9})
    out.close()
    assert records(folder) == [{"step": 2, "a": 1}, {"step": 4, "a": 2}, {"step": 5, "a": 9}]


def test_log_of_a_resumed_run_goes_on(folder):
    for step in (1, 2):
        out = opened(folder, first_step=step - 1)
        out.training(step, 0, SCALARS, {"encoder": 1.0}, TIMING)
        out.close()
    lines = (folder / "train.log").read_text().splitlines()
    assert [re.search(r"iter: (\d)", line)[1] for line in lines] == ["1", "2"]


def test_other_processes_write_nothing(folder, monkeypatch, capsys):
    monkeypatch.setattr(run_log.distributed, "is_main", lambda: False)
    out = opened(folder)
    out.training(1, 0, SCALARS, {"encoder": 1.0}, TIMING)
    out.record(1, {"a": 1.0})
    out.picture(1, np.zeros((4, 4, 3), np.float32))
    out.advance()
    out.close()
    assert not list(folder.iterdir())


def test_other_processes_say_warnings_only(monkeypatch, capsys):
    monkeypatch.setattr(run_log.distributed, "is_main", lambda: False)
    log.to_console()
    run_log.distributed.join()
    log.logger.info("not shown")
    log.logger.warning("skipped: a file only this process read")
    assert capsys.readouterr().out == "skipped: a file only this process read\n"


def test_closed_log_lets_go_of_its_file(folder):
    opened(folder).close()
    assert not [handler for handler in log.logger.handlers if isinstance(handler, logging.FileHandler)]


@pytest.mark.parametrize("starts", [1, 2, 4])
@pytest.mark.parametrize("ends", ["killed", "finished"])
def test_visualdl_shows_one_curve_over_any_number_of_starts(folder, starts, ends, caplog):
    """One file, whose reader gives every step once and in order; a killed start had gone two steps further."""
    for start in range(starts):
        out = opened(folder, first_step=3 * start)
        for step in range(3 * start + 1, 3 * start + (6 if ends == "killed" else 4)):
            out.training(step, 0, {"generator/loss": step / 4}, {"encoder": 0.5}, TIMING)
            out.record(step, {"validation/psnr": float(step)})
            out.picture(step, np.full((8, 8, 3), step / 20, np.float32))
        out.visual.flush() if ends == "killed" else out.close()
    last = 3 * starts + (2 if ends == "killed" else 0)
    opened(folder, first_step=last).close()  # a finished run is resumed
    (file,) = (folder / "visualdl").iterdir()
    reader = LogReader(file_path=str(file))
    steps = list(range(1, last + 1))
    assert [(item.id, item.value) for item in reader.get_data("scalar", "generator/loss")] == [
        (n, n / 4) for n in steps
    ]
    assert [item.id for item in reader.get_data("scalar", "validation/psnr")] == steps
    assert [item.id for item in reader.get_data("image", "preview")] == steps[-run_log.SHOWN_PREVIEWS :]
    assert [record["step"] for record in records(folder)] == sorted(steps * 2)


def test_a_damaged_record_is_left_out_with_a_line(folder, capsys):
    lines = ['{"step": 1, "a": 1.0}', '{"step": 2, "a": "x"}', "[]", '{"step": 3, "a": NaN}', '{"step": 4']
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    opened(folder, first_step=9).close()
    assert [record["step"] for record in records(folder)] == [1, 3]
    assert f"{folder / 'metrics.jsonl'}:2: is damaged; 2 such lines are left out" in capsys.readouterr().out
