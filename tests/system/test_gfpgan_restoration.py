"""What GFP-GAN makes of a picture: its range and size, its noise, its exported forms."""

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.images import from_signed, to_signed
from system.gfpgan import GENERATORS
from tests.system.small_gfpgan import BATCH, SIMPLE, SIZE, gfpgan, pictures


def test_noise_is_drawn_in_training_and_stored_in_evaluation():
    it, batch = gfpgan(**SIMPLE), pictures()
    for key, parameter in it.generator.named_parameters():
        if ".style_conv" in key and parameter.shape == [1]:
            parameter.set_value(paddle.full([1], 0.5))
    degraded = to_signed(batch["degraded"])
    assert np.abs((it.generator(degraded)[0] - it.generator(degraded)[0]).numpy()).max() > 1e-3
    it.generator.eval()
    first = it.generate(batch, it.networks)["restored"].numpy()
    np.testing.assert_array_equal(first, it.generate(batch, it.networks)["restored"].numpy())
    noises = it.generator.stylegan_decoder.noises
    noises.noise6.set_value(noises.noise6 + 1.0)
    assert np.abs(it.generate(batch, it.networks)["restored"].numpy() - first).max() > 1e-3


def test_generate_takes_and_gives_0_to_1():
    it, batch = gfpgan(**SIMPLE), pictures()
    it.generator.eval()
    batch["degraded"] = batch["degraded"] * 4 - 1  # far out, so that something is clipped
    found = it.generate(batch, it.networks)["restored"].numpy()
    linear = from_signed(it.generator(to_signed(batch["degraded"]))[0]).numpy()
    np.testing.assert_allclose(found, linear.clip(0, 1), atol=1e-6)
    assert found.shape == (BATCH, 3, SIZE, SIZE)


@pytest.mark.parametrize("form", GENERATORS)
def test_exported_form_computes_generate(form):
    it, batch = gfpgan(form=form, **SIMPLE), pictures()
    it.generator.eval()
    exported = it.inference(it.networks)[""]
    wanted = it.generate(batch, it.networks)["restored"].numpy()
    with paddle.no_grad():
        np.testing.assert_allclose(exported.built()(batch["degraded"]).numpy(), wanted, atol=1e-5)
        np.testing.assert_array_equal(exported.reference(batch["degraded"]).numpy(), wanted)
    assert 0.01 < wanted.std()


def test_pictures_of_another_size_are_one_line():
    with pytest.raises(InputError, match=r"pictures are 16 x 16, the network takes 32 x 32; data.\*.image_size"):
        gfpgan(**SIMPLE).network_input(paddle.zeros([1, 3, 16, 16]))
