"""Which oneDNN primitives the exported graphs run: none by the definition ("ref"), which takes many times as long."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHILD = """
import sys, tempfile
from pathlib import Path
import engine
from deploy.export import describe, save, seeded_inputs, write_contract
from deploy.predictor import Predictor
from engine import config
from engine.system import build_system

name, *changes = sys.argv[1:]
changes = [(*change.split("="), "test") for change in changes]
system = build_system(config.load(Path("configs") / f"{name}.yaml", changes))
for exported in system.inference(system.networks).values():
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "inference"
        save(exported, base, legacy=False)
        write_contract(base, describe(exported, base))
        predictor, arrays = Predictor(base.with_suffix(".json")), seeded_inputs(exported.inputs, 1, 0)
        predictor.run(arrays)  # constants are folded in the first run
        print("begin", flush=True)
        predictor.run(arrays)
        print("end", flush=True)
"""
GRAPHS = [
    ["gpen_lite"],
    ["gfpgan_lite"],
    ["gfpgan_lite", "recipe.form=clean"],
    ["partialconv_lite"],
    ["landmark_lite"],
    ["satnet_lite"],
    ["sphereface_lite"],
    ["landmark_predictor_lite"],
]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", GRAPHS, ids=" ".join)
def test_no_exported_graph_runs_a_reference_primitive(arguments):
    """But for `concat`, whose reference is one reorder for every part: what joins maps of two layouts."""
    environment = {**os.environ, "ONEDNN_VERBOSE": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CHILD, *arguments]
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert found.returncode == 0, found.stderr
    runs = [part.split("end\n")[0] for part in found.stdout.split("begin\n")[1:]]
    primitives = [
        line.split(",exec,")[1].split(",")[1:3] for run in runs for line in run.splitlines() if ",exec," in line
    ]
    assert len(primitives) > 5
    assert [kind for kind, form in primitives if form.startswith("ref") and kind != "concat"] == []
