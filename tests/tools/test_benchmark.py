import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.other_engines import graph_rows
from engine.measuring import Timing, in_turns
from tests.deploy.exported_toy import toy

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


def test_functions_are_timed_in_turns(monkeypatch):
    monkeypatch.setattr("engine.measuring.PAUSE", 0.0)
    calls = []
    found = in_turns(SimpleNamespace(sample=lambda: 7.0), {name: partial(calls.append, name) for name in "ab"}, 3)
    assert calls == ["a", "b"] * 5  # two of them warm up
    assert found.keys() == {"a", "b"}
    assert isinstance(found["a"], Timing) and found["a"].limit == 7.0


def test_a_graph_runs_in_every_engine_that_is_installed():
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    names = [row.name for row in graph_rows(toy(), "toy", 16, 1)]
    assert names[:2] == ["toy Paddle Inference", "toy ONNX Runtime"]
