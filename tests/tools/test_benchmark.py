import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.benchmark import Row, table
from tools.machine_limit import Timing

ROOT = Path(__file__).parents[2]


def test_shares_and_table():
    row = Row("inference", "net", Timing(0.5, 100.0, 0.25, 120.0), gflop=20.0, note="n")
    assert row.shares() == pytest.approx((0.4, 20 / 0.25 / 120))
    assert table([row]).splitlines()[-1] == "| inference | net | 500.0 (250.0) | 20.0 | 40% (67%) | 50.0 | n |"
    unknown = Row("renderer", "photo", Timing(0.5, 100.0, 0.25, 120.0))
    assert unknown.shares() is None and unknown.cells()[3:5] == ["-", "-"]


@pytest.mark.slow
def test_one_group_prints_and_writes(tmp_path):
    words = ["--only", "renderer", "--repeats", "1", "--json", str(tmp_path / "b.json")]
    result = subprocess.run([sys.executable, "tools/benchmark.py", *words], cwd=ROOT, capture_output=True, text=True,
                            check=True)  # fmt: skip
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["photo, 256 px", "caricature, 256 px"]
    assert all(0 < row["timing"]["best_seconds"] < 5 and row["timing"]["limit"] > 0 for row in rows)
    assert "| renderer | photo, 256 px |" in result.stdout
