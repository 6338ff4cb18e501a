"""A further model costs three files: network, system, YAML. A toy in a copy of the project runs the whole way."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.script_calls import copy_project

ROOT = Path(__file__).resolve().parents[1]
NETWORK = '''
"""One convolution that adds what is missing.

Source: made up for a test.
"""

from paddle import nn


class Residual(nn.Layer):
    """[N, 3, H, W] in [0, 1] -> [N, 3, H, W]."""

    def __init__(self, width):
        """Two layers of `width` channels."""
        super().__init__()
        self.first, self.last = nn.Conv2D(3, width, 3, padding=1), nn.Conv2D(width, 3, 3, padding=1)

    def forward(self, image):
        """The picture and its correction."""
        return image + self.last(nn.functional.silu(self.first(image)))
'''
SYSTEM = '''
"""A toy restoration: mean squared error and nothing else.

Source: made up for a test.
"""

from engine.settings import Settings
from engine.system import Exported, Port, System
from model.sixth.network import Residual


class Sixth(System):
    """Residual under a squared error."""

    class Config(Settings):
        """Channels."""

        width: int

    scored = ("degraded", "restored")
    shown = ("degraded", "restored", "image")

    def __init__(self, config):
        """Build the network."""
        self.networks, self.state = {"generator": Residual(config.width)}, {}
        self.trainable = {"generator": self.networks["generator"].parameters()}

    def train_step(self, batch, step, update):
        """One step."""
        loss = ((self.networks["generator"](batch["degraded"]) - batch["image"]) ** 2).mean()
        update("generator", loss)
        return {"generator/loss": loss.detach()}

    def generate(self, batch, networks):
        """{"restored": [N, 3, H, W]}."""
        return {"restored": networks["generator"](batch["degraded"]).clip(0, 1)}

    def inference(self, networks):
        """One graph."""
        image, restored = Port("image", (-1, 3, 16, 16)), Port("restored", (-1, 3, 16, 16))
        return {"": Exported(layer=networks["generator"], inputs=[image], outputs=[restored])}
'''
PICTURES = """
    dataset: data_loader.restoration.DegradedFaces
    synthetic: {identities: [0, 4], variants: 1}
    image_size: 16
    degrade_size: 32
    resize_kernel: area
    flip_probability: 0.0
    grey_probability: 0.0
    degradation:
      {blur: {kinds: {iso: 1.0}, size: 5, sigma: [0.5, 1], rotation: [0, 1]}, scale: [1, 2], noise: [0, 5],
       jpeg_quality: [80, 100], rounds_before_enlarging: true}
"""
YAML = f"""# python train.py -c configs/sixth.yaml
system: system.sixth.Sixth
data:
  train: {PICTURES}
  validation: {PICTURES}
  batch_size: 2
  num_workers: 0
optimizers: {{generator: {{kind: adam, lr: 0.001}}}}
recipe: {{width: 4}}
train: {{steps: 2, log_every: 1, save_every: 1, preview_every: 0, validate_every: 2}}
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The project's files, and the three of the toy."""
    folder = tmp_path_factory.mktemp("sixth") / "clone"
    copy_project(folder, lambda name: name.endswith(".py") and not name.startswith("tests/"))
    for name, text in {
        "model/sixth/network.py": NETWORK,
        "system/sixth.py": SYSTEM,
        "configs/sixth.yaml": YAML,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.lstrip(), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_three_files_make_a_model_run(clone):
    def run(script, *words):
        command = [sys.executable, f"{script}.py", *words]
        done = subprocess.run(command, cwd=clone, env=os.environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    config, weights = ("-c", "configs/sixth.yaml"), ("--pretrained", "run/latest.pdparams")
    run("train", *config, "--output_dir", "run")
    records = [json.loads(line) for line in (clone / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert any("generator/loss" in record for record in records)
    run("train", *config, "--output_dir", "run", "--resume", "auto", "--iters", "3")
    run("test", *config, *weights, "--result_dir", "scores")
    scores = json.loads((clone / "scores/scores.json").read_text(encoding="utf-8"))["scores"]
    assert {"psnr/degraded", "psnr/restored"} <= scores.keys()
    (clone / "faces").mkdir()
    shutil.copyfile(clone / "scores/sheet.png", clone / "faces/sheet.png")
    run("predict", *config, *weights, "--image_dir", "faces", "--output_dir", "predicted")
    run("export_model", *config, *weights, "--save_inference_dir", "exported")
    run("infer", "--model_dir", "exported", "--image_dir", "faces", "--output_dir", "inferred")
    for folder in ("predicted", "inferred"):
        assert (clone / folder / "sheet_predict.png").is_file()
