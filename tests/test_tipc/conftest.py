"""A chain of stand-in scripts in a folder of its own, and configuration files for it."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from engine import images
from engine.weights.files import write_arrays

ROOT = Path(__file__).resolve().parents[2]
DOUBLES = Path(__file__).parent / "doubles"
SHIPPED = ROOT / "test_tipc" / "configs" / "GPEN"


class ChainFolder:
    """A folder with stand-ins of the four scripts, two pictures and starting weights."""

    def __init__(self, folder):
        self.folder = folder
        for script in DOUBLES.glob("*.py"):
            shutil.copy(script, folder / script.name)
        for index in range(2):
            picture = np.random.default_rng(index).uniform(size=(8, 8, 3)).astype(np.float32)
            images.write_image(folder / "pictures" / f"face{index}.png", picture)
        write_arrays(folder / "start.pdparams", {"generator/w": np.arange(3, dtype=np.float32)})

    def write_config(self, dialect="full51", edits=None, text=None):
        """The shipped GPEN file made to fit this folder; `edits` maps line numbers to new lines."""
        name = {"full51": "train_infer_python.txt", "lite32": "train_infer_python_32.txt"}[dialect]
        lines = (SHIPPED / name).read_text().splitlines()
        changed = {3: f"python:{sys.executable}"}
        if dialect == "full51":
            changed |= {
                7: "--iters:lite_train_lite_infer=3",
                9: "--batch_size:lite_train_lite_infer=2",
                10: "--pretrained:null",
                12: "train_infer_img_dir:pictures",
                16: "norm_train:train.py",
                24: "eval:test.py",
                30: "norm_export:export_model.py",
                37: "infer_model:start.pdparams",
                38: "infer_export:export_model.py",
                43: "--cpu_threads:1",
                48: "--image_dir:pictures",
            }
        else:
            changed |= {
                6: "--iters:lite_train_lite_infer=3",
                8: "--batch_size:lite_train_lite_infer=2",
                9: "--pretrained:null",
                14: "norm_train:train.py",
                17: "eval:test.py",
                22: "norm_export:export_model.py",
                27: "inference:infer.py --image_dir=pictures",
            }
        for number, line in (changed | (edits or {})).items():
            lines[number - 1] = line
        path = self.folder / "chain.txt"
        path.write_text("\n".join(lines) + "\n")
        return str(path)


@pytest.fixture
def chain(tmp_path, monkeypatch):
    """A ChainFolder that is the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return ChainFolder(tmp_path)
