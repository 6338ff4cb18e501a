"""Comparison with recorded results: what agrees, what differs, and that comparing nothing is an error."""

import pytest

from engine.errors import InputError
from test_tipc.compare_results import main

METRICS = "Metric psnr: 23.1000\nMetric ssim: 0.7500\n"
TABBED = "a.png\t[0.5, 0.25, 0.125]\nb.png\t[0.1, 0.2, 0.3]\n"


def compare(tmp_path, recorded, log):
    (tmp_path / "gt_fp32.txt").write_text(recorded)
    (tmp_path / "run_fp32.log").write_text(log)
    return main([f"--gt_file={tmp_path}/gt_*.txt", f"--log_file={tmp_path}/run_*.log"])


@pytest.mark.parametrize(
    "recorded, log, status",
    [
        (METRICS, "some text: here\n" + METRICS, 0),
        (TABBED, "starting\n" + TABBED, 0),
        (METRICS, METRICS.replace("23.1", "23.3"), 1),
        (METRICS, METRICS.replace("23.1000", "nan"), 1),
        (TABBED, TABBED.replace("0.25", "0.26"), 1),
        (TABBED, TABBED.replace(", 0.3]", "]"), 1),
        (TABBED, TABBED.splitlines()[0], 1),
        (METRICS, "", 1),
        (METRICS, METRICS.replace("23.1", "23.1001"), 0),
    ],
)
def test_status(tmp_path, recorded, log, status):
    assert compare(tmp_path, recorded, log) == status


def test_the_reason_is_told(tmp_path, capsys):
    compare(tmp_path, METRICS, METRICS.replace("23.1000", "25.0"))
    assert "Metric psnr: 25, recorded was 23.1" in capsys.readouterr().out


@pytest.mark.parametrize("recorded, message", [("", "holds no result"), ("text only\n", "holds no result")])
def test_an_empty_record_compares_nothing(tmp_path, recorded, message):
    with pytest.raises(InputError, match=message):
        compare(tmp_path, recorded, METRICS)


def test_a_pattern_without_match_compares_nothing(tmp_path):
    (tmp_path / "gt.txt").write_text(METRICS)
    with pytest.raises(InputError, match="--log_file .*none.* matches no file"):
        main([f"--gt_file={tmp_path}/gt.txt", f"--log_file={tmp_path}/none*.log"])
