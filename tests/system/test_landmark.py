"""Landmark inpainting: which phase moves what, landmarks that reach the generator, crops, files to start from."""

import numpy as np
import paddle
import pytest

from engine import config as configuration
from engine.errors import InputError
from engine.training.updater import Updater
from engine.weights.files import write_weights
from model.landmark.keys import official_discriminator_keys
from model.landmark.network import CompletionNetwork, crop_around
from model.landmark_predictor.network import LaFInPredictor
from system.landmark import LandmarkInpainting, mean_pixel

SIZE = 32


@pytest.fixture(scope="module")
def predictor_file(tmp_path_factory):
    paddle.seed(5)
    path = tmp_path_factory.mktemp("landmark") / "predictor.pdparams"
    arrays = {f"predictor/{key}": value.numpy() for key, value in LaFInPredictor(0.1).state_dict().items()}
    arrays["predictor/fc_landmark.weight"] *= 1000  # so that pictures differ by whole pixels
    write_weights(path, arrays)
    return path


@pytest.fixture
def inpainting(predictor_file):
    def build(**changes):
        recipe = {
            key.partition(".")[2]: value for key, value in LandmarkInpainting.smoke.items() if key.startswith("recipe.")
        }
        recipe |= {
            "adversarial_weight": 4e-4,
            "landmark_weight": 0.1,
            "elsewhere_weight": 0.1,
            "landmark_size": SIZE,
            "landmark_width": 0.1,
            "landmark_network": predictor_file,
        }
        paddle.seed(1)
        it = LandmarkInpainting(LandmarkInpainting.Config(**recipe | changes))
        it.prepare_training()
        return it

    return build


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    mask = np.zeros((2, 1, SIZE, SIZE), np.float32)
    mask[0, :, 16:, 8:24] = 1
    mask[1, :, 4:20, 12:28] = 1
    return {
        "image": paddle.to_tensor(rng.uniform(0, 1, (2, 3, SIZE, SIZE)).astype(np.float32)),
        "mask": paddle.to_tensor(mask),
        "name": ["a", "b"],
    }


def arrays_of(network):
    return {key: value.numpy().copy() for key, value in network.state_dict().items()}


def moved(system, batch, step):
    """Names of networks of which any array, batch statistics included, changes in one step."""
    update = Updater(configuration.load("configs/landmark_lite.yaml").optimizers, system.trainable)
    before = {name: arrays_of(network) for name, network in system.networks.items()}
    system.train_step(batch, step, update)
    return {
        name
        for name, network in system.networks.items()
        if any(not np.array_equal(before[name][key], value) for key, value in arrays_of(network).items())
    }


def test_phases_move_what_they_should(inpainting, batch):
    """The second phase leaves the completion network as it is, its batch statistics included."""
    system = inpainting(phase_steps=(1, 1, 1))
    assert moved(system, batch, 0) == {"completion"}
    assert moved(system, batch, 1) == {"discriminator"}
    assert system.completion.training
    assert moved(system, batch, 2) == {"completion", "discriminator"}


def landmark_gradient(system, batch):
    """Gradient of the landmark term alone at the generator's last layer."""
    terms = system.completion_terms(
        system.complete(system.completion, batch["image"], batch["mask"]), batch["image"], batch["mask"]
    )
    if "landmark" not in terms:
        return np.zeros(1)
    terms["landmark"].backward()
    return system.completion.conv17.weight.grad.numpy()


@pytest.mark.parametrize("form", ["coordinates", "heatmap"])
@pytest.mark.parametrize("mode", ["loss", "both"])
def test_landmark_loss_reaches_the_generator(inpainting, batch, mode, form):
    assert np.abs(landmark_gradient(inpainting(landmark=mode, landmark_form=form), batch)).max() > 0


def test_the_original_form_has_no_gradient(inpainting, batch):
    """landmark: numpy changes the critic's printed loss and not one gradient."""

    def steps(mode):
        system = inpainting(landmark=mode)
        update = Updater(configuration.load("configs/landmark_lite.yaml").optimizers, system.trainable)
        scalars = system.train_step(batch, 0, update)
        return scalars["discriminator/loss"].item(), arrays_of(system.completion), arrays_of(system.discriminator)

    none, numpy = steps("none"), steps("numpy")
    assert numpy[0] > none[0]
    for one, two in zip(none[1:], numpy[1:], strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], two[key])


def test_predictor_is_frozen(inpainting, batch):
    system = inpainting(landmark="loss")
    before = arrays_of(system.predictor)
    moved(system, batch, 0)
    for key, value in arrays_of(system.predictor).items():
        np.testing.assert_array_equal(value, before[key])


def test_terms_are_weighted(inpainting, batch):
    system = inpainting(landmark="loss", phase_steps=(0, 0, 1))
    update = Updater(configuration.load("configs/landmark_lite.yaml").optimizers, system.trainable)
    scalars = {key: value.item() for key, value in system.train_step(batch, 0, update).items()}
    expected = (
        scalars["completion/hole"] + 4e-4 * scalars["completion/adversarial"] + 0.1 * scalars["completion/landmark"]
    )
    assert scalars["completion/loss"] == pytest.approx(expected, rel=1e-5)


def test_conditioning_starts_as_the_four_channel_network(inpainting, batch, tmp_path):
    """A file of the plain network loads into the conditioned one, which then gives the same picture."""
    plain = inpainting()
    write_weights(tmp_path / "model_cn.pdparams", arrays_of(plain.completion))
    conditioned = inpainting(landmark="conditioning", model_G=tmp_path / "model_cn.pdparams")
    for system in (plain, conditioned):
        system.completion.eval()
    pictures = [
        system.complete(system.completion, batch["image"], batch["mask"]).numpy() for system in (plain, conditioned)
    ]
    np.testing.assert_allclose(pictures[0], pictures[1], atol=1e-6)
    weight = arrays_of(conditioned.completion)["conv1.weight"]
    weight[:, 4] = 1.0
    conditioned.completion.conv1.weight.set_value(weight)
    changed = conditioned.complete(conditioned.completion, batch["image"], batch["mask"]).numpy()
    assert np.abs(changed - pictures[0]).max() > 1e-4


def test_crops_lie_around_the_hole(batch):
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    where = paddle.to_tensor(np.broadcast_to(np.stack([rows, columns]), (2, 2, SIZE, SIZE)).copy())
    crops = crop_around(where, batch["mask"], 16).numpy()
    np.testing.assert_array_equal(crops[0, :, 0, 0], [16, 8])
    np.testing.assert_array_equal(crops[1, :, 0, 0], [4, 12])
    np.testing.assert_array_equal(crops[1, :, -1, -1], [19, 27])


def test_crop_stays_inside_the_picture():
    mask = np.zeros((1, 1, SIZE, SIZE), np.float32)
    mask[..., 30:, 0:2] = 1
    rows = paddle.to_tensor(np.mgrid[0:SIZE, 0:SIZE][0][None, None].astype(np.float32))
    np.testing.assert_array_equal(crop_around(rows, paddle.to_tensor(mask), 16).numpy()[0, 0, :, 0], np.arange(16, 32))


def test_what_is_under_the_hole_is_not_seen(inpainting, batch):
    """Only the critic and the loss know the true picture."""
    system = inpainting(landmark="conditioning")
    system.completion.eval()
    one = system.generate(batch, system.networks)["output"].numpy()
    other = batch | {"image": batch["image"] * (1 - batch["mask"])}
    np.testing.assert_array_equal(one, system.generate(other, system.networks)["output"].numpy())


def test_discriminator_of_the_original_project():
    """Renamed, and the halves of the last layer exchanged: there [global, local], here [local, global]."""
    arrays = {"model_local_discriminator.conv1.bias": np.zeros(2), "linear1.weight": np.arange(8.0)[None]}
    found = official_discriminator_keys(arrays)
    assert set(found) == {"model_ld.conv1.bias", "linear1.weight"}
    np.testing.assert_array_equal(found["linear1.weight"], [[4, 5, 6, 7, 0, 1, 2, 3]])
    assert official_discriminator_keys(found) is found


class Pictures:
    """Seven pictures, each of one colour."""

    def __len__(self):
        return 7

    def __getitem__(self, key):
        return {"image": np.full((3, 4, 4), 0.1 * key[1], np.float32)}


def test_settling(predictor_file):
    """Epochs become steps of the data there is: 7 pictures in batches of 2 are 3 steps."""
    config = configuration.load("configs/landmark.yaml", [("data.batch_size", 2, ""), ("recipe.landmark", "none", "")])
    settled = LandmarkInpainting.settle(config, Pictures())
    assert settled.recipe.phase_steps == (24, 6, 120)
    assert settled.train.steps == 150
    np.testing.assert_allclose(settled.recipe.mean_pixel, [0.3] * 3, atol=1e-5)
    again = LandmarkInpainting.settle(settled, None)
    assert again.recipe == settled.recipe
    assert mean_pixel(Pictures()) == pytest.approx([0.3] * 3)


def test_an_unknown_mean_pixel_is_said(inpainting, batch, caplog):
    system = inpainting(mean_pixel=None)
    with caplog.at_level("WARNING", logger="kintsugi"):
        masked = system.generate(batch, system.networks)["masked"].numpy()
    assert "mean pixel: not in the weights file; CelebA's [0.5061, 0.4254, 0.3828] is used" in caplog.text
    hole = np.broadcast_to(batch["mask"].numpy() == 1, masked.shape)
    np.testing.assert_allclose(masked[:, 1][hole[:, 1]], 0.4254, atol=1e-6)


def test_missing_predictor_is_named(inpainting, tmp_path):
    with pytest.raises(InputError, match="predictor.pdparams: missing; recipe.landmark: loss needs it"):
        inpainting(landmark="loss", landmark_network=tmp_path / "predictor.pdparams")


def test_official_size():
    """6,072,131 parameters at full width, batch statistics left out."""
    count = sum(
        int(np.prod(value.shape))
        for key, value in CompletionNetwork().state_dict().items()
        if not key.endswith(("_mean", "_variance"))
    )
    assert count == 6_072_131
