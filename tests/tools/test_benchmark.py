import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_one_group_prints_and_writes(tmp_path):
    words = ["--only", "renderer", "--repeats", "1", "--json", str(tmp_path / "b.json")]
    result = subprocess.run([sys.executable, "tools/benchmark.py", *words], cwd=ROOT, capture_output=True, text=True,
                            check=True)  # fmt: skip
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["photo, 256 px", "caricature, 256 px"]
    assert all(0 < row["timing"]["best_seconds"] < 5 and row["timing"]["limit"] > 0 for row in rows)
    assert "| renderer | photo, 256 px |" in result.stdout
