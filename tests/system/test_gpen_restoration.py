"""What GPEN makes of a picture: its range and size, its exported form."""

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.images import from_signed, to_signed
from tests.system.small_gpen import BATCH, SIZE, gpen, pictures, updater


def test_generate_takes_and_gives_0_to_1():
    it, batch = gpen(), pictures()
    batch["degraded"] = batch["degraded"] * 4 - 1  # far out, so that something is clipped
    found = it.generate(batch, it.networks)["restored"].numpy()
    linear = from_signed(it.generator(to_signed(batch["degraded"]))).numpy()
    np.testing.assert_allclose(found, linear.clip(0, 1), atol=1e-6)
    assert found.shape == (BATCH, 3, SIZE, SIZE)
    assert set(it.scored) <= {"degraded", "restored"} and set(it.shown) == {"degraded", "restored", "image"}


def test_smaller_input_size():
    it = gpen(size=16, in_size=8)
    batch = pictures(size=16)
    small = it.network_input(batch["degraded"])
    assert small.shape == [BATCH, 3, 8, 8]
    np.testing.assert_allclose(
        small[:, :, 0, 0].numpy(), 2 * batch["degraded"][:, :, :2, :2].mean([2, 3]).numpy() - 1, atol=1e-6
    )
    assert all(np.isfinite(float(value)) for value in it.train_step(batch, 0, updater(it)).values())
    assert it.generate(batch, it.networks)["restored"].shape == [BATCH, 3, 16, 16]
    exported = it.inference(it.networks)[""]
    assert (exported.inputs[0].shape, exported.outputs[0].shape) == ((-1, 3, 8, 8), (-1, 3, 16, 16))


def test_exported_form_computes_generate():
    it, batch = gpen(), pictures()
    exported = it.inference(it.networks)[""]
    wanted = it.generate(batch, it.networks)["restored"].numpy()
    with paddle.no_grad():
        np.testing.assert_allclose(exported.built()(batch["degraded"]).numpy(), wanted, atol=1e-5)
        np.testing.assert_array_equal(exported.reference(batch["degraded"]).numpy(), wanted)


def test_pictures_of_another_size_are_one_line():
    it = gpen()
    with pytest.raises(InputError, match=r"pictures are 16 x 16, the network takes 8 x 8; data.\*.image_size must be"):
        it.network_input(paddle.zeros([1, 3, 16, 16]))
