"""One door for weights, by the scripts: shipped networks in the form of others' checkpoints give the same pictures."""

import argparse
import collections
import datetime
import pickle
from pathlib import Path

import numpy as np
import pytest

from engine import config
from engine.images import write_image
from engine.system import build_system
from engine.weights.networks import load_networks
from engine.weights.official_keys import to_official
from tests.script_calls import ROOT, call, draw_faces, told

NETWORKS = {  # a lite configuration's networks, and the places where others' files keep them
    "gpen": {"generator": "g_ema/module."},
    "gfpgan": {"generator": "params_ema/"},
    "partialconv": {"generator": "state_dict/generator."},
    "sphereface": {"recognizer": "net_g/"},
    "satnet": {"caricature_generator": "a/module.", "photo_generator": "b/module."},
}


class Module:
    """What the pickle of a torch.nn.Module has."""

    def __init__(self, **parameters):
        self.training, self._parameters, self._buffers, self._modules = True, parameters, {}, {}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """{configuration: file}: official layouts behind wrappers, with objects that are no arrays beside them."""
    folder, found = tmp_path_factory.mktemp("theirs"), {}
    for name, networks in NETWORKS.items():
        system = build_system(config.load(ROOT / f"configs/{name}_lite.yaml", []))
        load_networks(system, ROOT / f"weights/lite/{name}_lite.pdparams", tuple(networks))
        content = {"path": Path("x"), "date": datetime.date(2020, 1, 2), "slice": slice(1, 2), "lr": np.float64(1)}
        content |= {"args": argparse.Namespace(folder=Path("x")), "net": Module(w=np.zeros(3, "f4"))}
        for network, place in networks.items():
            layer, (top, _, start) = system.networks[network], place.partition("/")
            arrays = to_official(layer, {key: tensor.numpy() for key, tensor in layer.state_dict().items()})
            content[top] = collections.OrderedDict((start + key, array) for key, array in arrays.items())
            if top.endswith("_ema"):
                content[top.removesuffix("_ema")] = {start + key: 0 * array for key, array in arrays.items()}
        found[name] = folder / f"{name}.pth"
        found[name].write_bytes(pickle.dumps(content, 2))
    return found


def results(script, name, weights, folder, *words):
    """Bytes of the files a script writes; of what it prints where it writes none."""
    printed = told(script, "-c", f"configs/{name}_lite.yaml", "--pretrained", weights, *words, folder)
    pictures = {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}
    return pictures or [line for line in printed.splitlines() if "\t" in line]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_predict_makes_the_same_of_both_forms(files, name, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = ["--image_dir", draw_faces(tmp_path / "in", 1, size=64)]
    if name == "partialconv":
        white = np.zeros((64, 64, 3), np.float32)
        white[20:40, 24:50] = 1
        write_image(tmp_path / "mask.png", white)
        words += ["--mask", tmp_path / "mask.png"]
    shipped = ROOT / f"weights/lite/{name}_lite.pdparams"
    theirs, ours = (
        results("predict", name, weights, tmp_path / weights.stem, *words, "--output_dir")
        for weights in (files[name], shipped)
    )
    assert theirs == ours and theirs


@pytest.mark.slow
def test_the_other_scripts_take_them_and_say_what_they_took(files, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    draw_faces(tmp_path / "faces", 2, size=64)
    common = ["-c", "configs/gpen_lite.yaml", "--pretrained", files["gpen"]]
    for script, words in (
        ("test", ["--data_dir", tmp_path / "faces", "--result_dir", tmp_path / "test"]),
        ("export_model", ["--save_inference_dir", tmp_path / "exported"]),
        ("train", ["--iters=0", "--output_dir", tmp_path / "run"]),
    ):
        assert "generator from [g_ema/module.], the averaged copy" in told(script, *common, *words), script
    result = call("predict", "-c", "configs/gfpgan_lite.yaml", "-w", files["gpen"], "--image_dir", tmp_path / "faces")
    assert result.returncode == 2 and "it holds GPEN generator at g_ema/module." in result.stderr
