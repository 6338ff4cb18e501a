"""Training from pretrained weights: a flat generator's, those of our own runs, GPEN's checkpoint."""

import numpy as np
import paddle
import pytest

from engine import config
from engine.system import build_system, prepare_training
from engine.weights.files import read_weights
from tests.script_calls import LITE, ROOT, SMALLEST, call


@pytest.fixture(scope="module")
def networks():
    """The networks as they start, and three told apart by their values under the names in a GPEN checkpoint."""
    overrides = [(*word.split("=", 1), word) for word in SMALLEST]
    system = build_system(config.load(ROOT / "configs/gpen_lite.yaml", overrides))
    prepare_training(system)
    state = {
        name: {key: tensor.numpy() for key, tensor in network.state_dict().items()}
        for name, network in system.networks.items()
    }
    shifted = {
        entry: {key: array + np.float32(offset) for key, array in state[name].items()}
        for entry, name, offset in (("g", "generator", 1), ("g_ema", "generator", 2), ("d", "discriminator", 3))
    }
    return state, shifted


KINDS = {"flat generator": ["generator"], "latest": ["generator", "discriminator"],
         "GPEN": ["generator", "discriminator"]}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_pretrained(networks, tmp_path, kind):
    state, shifted = networks
    content = {"flat generator": shifted["g_ema"], "GPEN": shifted, "latest": {
        **{f"generator/{key}": array for key, array in shifted["g_ema"].items()},
        **{f"discriminator/{key}": array for key, array in shifted["d"].items()}}}[kind]  # fmt: skip
    paddle.save(content, str(tmp_path / "W.pdparams"))
    words = ["--iters=0", "--pretrained", tmp_path / "W.pdparams", "--output_dir", tmp_path / "run"]
    result = call("train", *LITE, *words)
    assert result.returncode == 0, result.stderr
    assert ("; from scratch: discriminator\n" in result.stdout) == (kind == "flat generator")
    found = read_weights(tmp_path / "run" / "latest.pdparams")
    wanted = {"generator": shifted["g_ema"], "discriminator": shifted["d"] if "discriminator" in KINDS[kind]
              else state["discriminator"]}  # fmt: skip
    assert found.keys() == {f"{name}/{key}" for name in wanted for key in wanted[name]}
    for name, arrays in wanted.items():
        for key, array in arrays.items():
            np.testing.assert_array_equal(found[f"{name}/{key}"], array)
