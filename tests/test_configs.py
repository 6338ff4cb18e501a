"""Every YAML in configs/: it loads, trains, resumes bit-equal, exports what it predicts. Found by their names alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_loader.batches import TrainingBatches
from deploy.contract import DynamicGraph
from deploy.export import export, seeded_inputs
from deploy.predictor import Predictor
from engine import config as configuration
from engine import onednn
from engine.files import read_yaml
from engine.system import build_dataset, build_system, prepare_training
from engine.training import checkpoint
from engine.training.trainer import Trainer

CONFIGS = sorted(Path("configs").glob("*.yaml"))


def smallest(path, tmp_path, **more):
    """The configuration with its system's smoke overrides, procedural or drawn data, and two steps."""
    system = configuration.import_class(read_yaml(path)["system"], ("system.",), "system")
    overrides = {
        **system.smoke,
        "data.num_workers": 0,
        "data.batch_size": 2,
        "train.steps": 2,
        "train.log_every": 1,
        "train.save_every": 1,
        "train.preview_every": 0,
        "train.validate_every": 0,
        "output.dir": str(tmp_path),
        **more,
    }
    for split in ("train", "validation"):
        if "root" in (read_yaml(path)["data"][split]):
            overrides[f"data.{split}.root"] = None
            overrides[f"data.{split}.synthetic"] = {"identities": [0, 4], "variants": 1}
    return configuration.load(path, [(key, value, key) for key, value in overrides.items()])


def trained(config, folder, resume_from=None):
    folder.mkdir(exist_ok=True)
    dataset = build_dataset(config.data.train, config.seed, training=True)
    batches = TrainingBatches(dataset, config.seed, config.data.batch_size, num_workers=0)
    trainer = Trainer(config, build_system(config), folder, batches)
    if resume_from:
        trainer.resume(resume_from)
    trainer.run()
    return trainer


def test_there_are_configurations():
    assert len(CONFIGS) >= 6


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_loads_and_says_how_it_is_run(path):
    configuration.load(path)
    header = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert any(f"python train.py -c configs/{path.name}" in line for line in header[:5])


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_trains_resumes_and_exports(path, tmp_path):
    config = smallest(path, tmp_path / "run")
    trainer = trained(config, tmp_path / "whole")
    files = {file.name: file.read_bytes() for file in (tmp_path / "whole" / "step_0000002").iterdir()}
    trained(config, tmp_path / "parts", tmp_path / "whole" / "step_0000001")
    for name, content in files.items():
        if name != "meta.json":  # it holds the commit and the window, compared below
            assert (tmp_path / "parts" / "step_0000002" / name).read_bytes() == content, name
    whole, parts = (checkpoint.load_checkpoint(tmp_path / part / "step_0000002") for part in ("whole", "parts"))
    assert whole.meta == parts.meta
    first = checkpoint.load_checkpoint(tmp_path / "whole" / "step_0000001")
    for name, network in trainer.system.networks.items():  # two steps changed every network that has weights
        before, after = first.networks[name], whole.networks[name]
        assert not network.parameters() or any(not np.array_equal(before[key], after[key]) for key in after)

    networks = trainer.evaluated_networks()
    for network in networks.values():
        network.eval()
    for graph, exported in trainer.system.inference(networks).items():
        differences = export(exported, tmp_path / "exported" / graph)
        assert max(differences.values()) <= 1e-4
        arrays = seeded_inputs(exported.inputs, 2, seed=5)
        static = Predictor(tmp_path / "exported" / graph).run(arrays)
        for name, array in DynamicGraph(exported).run(arrays).items():
            np.testing.assert_allclose(static[name], array, atol=1e-4)
            assert np.ptp(array) > 0


def test_every_key_of_a_recipe_is_read():
    """A field nobody reads would be a setting that does nothing."""
    for path in CONFIGS:
        module = read_yaml(path)["system"].rpartition(".")[0].replace(".", "/")
        source = Path(f"{module}.py").read_text(encoding="utf-8")
        for key in type(configuration.load(path).recipe).model_fields:
            assert f".{key}" in source, f"{path}: recipe.{key} is read nowhere in {module}.py"


ONE_OF_EACH_SYSTEM = list({read_yaml(path)["system"]: path for path in CONFIGS}.values())


WITH_WHOLE_CONVOLUTIONS = [path for path in ONE_OF_EACH_SYSTEM if path.stem != "landmark_predictor_lite"]


@pytest.mark.parametrize("path", WITH_WHOLE_CONVOLUTIONS, ids=lambda path: path.stem)
def test_training_by_onednn_is_the_same_training(path, tmp_path, monkeypatch):
    """Every convolution by oneDNN, and none: the losses of the first step and of the step after an update.

    Adam and Adadelta make a step of rounding where a gradient is zero, as that of a bias before a normalisation is:
    there the second step says nothing. The landmark system's critic moves before its losses are taken, so its step is
    made small.
    """
    config, losses = smallest(path, tmp_path), []
    if path.stem == "landmark_lite":
        config = configuration.replaced(config, {"optimizers.discriminator.lr": 1e-6})
    for smallest_work in (0, float("inf")):
        monkeypatch.setattr(onednn, "SMALLEST", smallest_work)
        monkeypatch.setattr(onednn, "FEWEST_PLACES", 1)
        before = onednn.state.runs
        trained(config, tmp_path / str(smallest_work))
        assert (onednn.state.runs > before) == (smallest_work == 0)
        lines = (tmp_path / str(smallest_work) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines]
        losses.append([{key: value for key, value in line.items() if "/" in key} for line in found])
    steps = zip(*losses, (5e-5, 1e-4), strict=True)
    many = 2 if path.stem in ("gfpgan_lite", "gpen_lite", "sphereface_lite") else 1
    for one, other, tolerance in list(steps)[:many]:
        assert one
        assert one == pytest.approx(other, rel=tolerance, abs=tolerance * 1e-2)


@pytest.mark.parametrize("path", ONE_OF_EACH_SYSTEM, ids=lambda path: path.stem)
def test_random_seed_makes_the_weights(path, tmp_path):
    config = smallest(path, tmp_path)
    one, two, other = (build_system(each) for each in (config, config, config.model_copy(update={"seed": 1})))
    for system in (one, two, other):
        prepare_training(system)
    for name, network in one.networks.items():
        if not network.parameters():
            continue
        key = next(key for key, value in network.named_parameters() if np.ptp(value.numpy()) > 0)
        values = [system.networks[name].state_dict()[key].numpy() for system in (one, two, other)]
        np.testing.assert_array_equal(values[0], values[1])
        assert not np.array_equal(values[0], values[2])
