"""Every YAML predicts, scores and exports in a folder without weights/, from a file of the generator alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine import config as configuration
from engine.errors import InputError
from engine.files import read_yaml
from engine.images import face_box, write_image
from engine.system import build_system
from engine.training.trainer import Trainer
from engine.weights.files import write_weights
from tests.script_calls import ROOT, call, draw_faces

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
OF_LOSSES = ("weight", "missing", "mode", "landmark", "decoder")  # overrides that would hide what training needs
LOSSES = {
    "gpen_512": "model_ir_se50",
    "partialconv_256": "vgg16",
    "satnet_224": "sphereface_webcaricature",
    "gfpgan_512": "StyleGAN2",
}


def overrides(path):
    """The system's smallest sizes and a few drawn pictures, the losses as they are."""
    content = read_yaml(path)
    system = configuration.import_class(content["system"], ("system.",), "system")
    found = {key: value for key, value in system.smoke.items() if not any(word in key for word in OF_LOSSES)}
    found |= {"data.num_workers": 0, "data.batch_size": 2}
    for split in ("train", "validation"):
        if "root" in content["data"][split]:
            found |= {f"data.{split}.root": None, f"data.{split}.synthetic": {"identities": [0, 2], "variants": 1}}
    return found


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def generator_alone(path, words):
    """A file of the networks that are there before training is prepared, flat where it is one."""
    system = build_system(configuration.load(path, [(key, value, key) for key, value in words.items()]))
    networks = {name: network for name, network in system.networks.items() if network.parameters()}
    arrays = {
        f"{name}/{key}" if len(networks) > 1 else key: value.numpy()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    write_weights("generator.pdparams", arrays)
    return system


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_predict_test_and_export(path, inside):
    words = overrides(path)
    generator_alone(path, words)
    draw_faces(Path("faces"), 1)
    write_image(Path("mask.png"), np.repeat(face_box((48, 48)), 3, axis=2))
    common = ["-c", path, "--pretrained", "generator.pdparams"]
    settings = ["-o", *(f"{key}={json.dumps(value)}" for key, value in words.items())]
    mask = ["--mask", "mask.png"] if path.stem.startswith("partialconv") else []
    for script, more in (
        ("predict", ["--image_dir", "faces", "--output_dir", "predicted", *mask]),
        ("test", ["--result_dir", "scores"]),
        ("export_model", ["--save_inference_dir", "exported"]),
    ):
        done = call(script, *common, *more, *settings)
        assert done.returncode == 0, f"{script}: {done.stderr[-1500:]}"
    assert list(Path("exported").rglob("inference.json")) and Path("scores/scores.json").is_file()
    assert not Path("weights").exists()


@pytest.mark.parametrize("name", LOSSES)
def test_training_still_asks_for_them(name, inside):
    """The same configurations stop at training, with the file's name: the test above is not hollow."""
    path = ROOT / "configs" / f"{name}.yaml"
    system = generator_alone(path, overrides(path))
    with pytest.raises(InputError, match=LOSSES[name]):
        system.prepare_training()


def test_training_goes_on_where_construction_ended(inside):
    """Critics get the weights that one uninterrupted draw gives, whatever was built in between."""
    path = ROOT / "configs" / "gpen_lite.yaml"
    config = configuration.load(path, [(key, value, key) for key, value in overrides(path).items()])
    first, second = build_system(config), build_system(config)
    for system in (first, second):
        Trainer(config, system, inside, batches=None)
    one, two = (system.networks["discriminator"].state_dict() for system in (first, second))
    assert all(np.array_equal(value.numpy(), two[key].numpy()) for key, value in one.items())
    names = [p.name for network in first.networks.values() for p in network.parameters()]
    assert len(set(names)) == len(names)
