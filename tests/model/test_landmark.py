"""Published files under this project's names: GLCIC's, the landmark project's phase_3 files, LaFIn's, our own."""

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.weights.files import read_weights, write_torch, write_weights
from engine.weights.networks import load_networks, trained_networks
from engine.weights.official_keys import to_official
from model.landmark.network import CompletionNetwork, ContextDiscriminator
from model.landmark_predictor.network import LaFInPredictor
from system.landmark import LandmarkInpainting
from system.landmark_predictor import LandmarkPredictor

WIDTH = 0.0625


def arrays_of(network):
    return {key: value.numpy().copy() for key, value in network.state_dict().items()}


def official(network):
    """A network's arrays as torch.save has them, counters of batch normalisation included."""
    arrays = to_official(network, arrays_of(network))
    counters = {key.replace("running_mean", "num_batches_tracked"): np.array(3) for key in arrays if "mean" in key}
    return arrays | counters


def in_the_projects_words(arrays):
    """GLCIC's discriminator as the landmark project saves it: other names, and [global, local] in the last layer."""
    names = {"model_ld.": "model_local_discriminator.", "model_gd.": "model_global_discriminator."}
    renamed = {}
    for key, array in arrays.items():
        for old, new in names.items():
            key = key.replace(old, new)
        renamed[key] = array
    half = renamed["linear1.weight"].shape[1] // 2
    weight = renamed["linear1.weight"]
    return renamed | {"linear1.weight": np.concatenate([weight[:, half:], weight[:, :half]], axis=1)}


@pytest.fixture
def inpainting():
    return system()


def system(is_prepared=True, **changes):
    recipe = {key.partition(".")[2]: value for key, value in LandmarkInpainting.smoke.items() if "recipe." in key}
    recipe |= {"adversarial_weight": 4e-4, "landmark_weight": 0.1, "elsewhere_weight": 0.1}
    paddle.seed(1)
    it = LandmarkInpainting(LandmarkInpainting.Config(**recipe | changes))
    if is_prepared:
        it.prepare_training()
    return it


@pytest.fixture
def networks():
    """A completion network and a discriminator of other weights than the system's."""
    paddle.seed(7)
    return CompletionNetwork(WIDTH), ContextDiscriminator((16, 16), (32, 32), WIDTH)


def same(network, other):
    return all(np.array_equal(value, arrays_of(other)[key]) for key, value in arrays_of(network).items())


@pytest.mark.parametrize("name", ["model_cn", "phase_3_model_generator_epoch64"])
def test_completion_networks(inpainting, networks, tmp_path, name):
    write_torch(tmp_path / name, official(networks[0]))
    assert load_networks(inpainting, tmp_path / name) == ["completion"]
    assert same(inpainting.completion, networks[0])


def test_discriminators_give_the_same_verdict(inpainting, networks, tmp_path):
    """The landmark project's file has the branches' features the other way round."""
    arrays = official(networks[1])
    write_torch(tmp_path / "model_cd", arrays)
    write_torch(tmp_path / "phase_3_model_discriminator_epoch64", in_the_projects_words(arrays))
    assert not np.array_equal(in_the_projects_words(arrays)["linear1.weight"], arrays["linear1.weight"])
    rng = np.random.default_rng(0)
    pictures = [paddle.to_tensor(rng.uniform(size=(2, 3, side, side)).astype("float32")) for side in (16, 32)]
    for name in ("model_cd", "phase_3_model_discriminator_epoch64"):
        with paddle.no_grad():
            inpainting.discriminator.linear1.weight.zero_()
        assert load_networks(inpainting, tmp_path / name) == ["discriminator"]
        for network in (networks[1], inpainting.discriminator):
            network.eval()
        np.testing.assert_allclose(inpainting.discriminator(*pictures), networks[1](*pictures), atol=1e-6)


def test_the_places2_discriminator_has_a_sixth_convolution_for_the_whole_picture():
    network = ContextDiscriminator((32, 32), (64, 128), WIDTH, arc="places2")
    keys = arrays_of(network)
    assert {"model_gd.conv6.weight", "model_gd.bn6._mean", "model_gd.linear7.weight", "model_ld.linear6.weight"} <= {
        *keys
    }
    assert "model_gd.linear6.weight" not in keys and "model_ld.conv6.weight" not in keys
    assert keys["model_gd.linear7.weight"].shape[0] == keys["model_gd.conv6.weight"].shape[0] * 1 * 2
    assert network(paddle.rand([2, 3, 32, 32]), paddle.rand([2, 3, 64, 128])).shape == [2, 1]


def test_files_to_start_from(networks, tmp_path):
    """recipe.model_G and model_D take the same files as --pretrained."""
    write_torch(tmp_path / "g", official(networks[0]))
    write_torch(tmp_path / "d", in_the_projects_words(official(networks[1])))
    it = system(model_G=tmp_path / "g", model_D=tmp_path / "d")
    assert same(it.completion, networks[0]) and same(it.discriminator, networks[1])


def test_our_own_files_pass(inpainting, networks, tmp_path):
    arrays = {f"completion/{key}": value for key, value in arrays_of(networks[0]).items()}
    write_weights(tmp_path / "own.pdparams", arrays | {"fill/mean_pixel": np.full((1, 3, 1, 1), 0.25, np.float32)})
    assert load_networks(inpainting, tmp_path / "own.pdparams") == ["completion", "fill"]
    assert same(inpainting.completion, networks[0])
    np.testing.assert_allclose(inpainting.fill.mean_pixel.numpy(), 0.25)


def test_a_discriminator_alone_fills_nothing(networks, tmp_path):
    write_torch(tmp_path / "model_cd", official(networks[1]))
    with pytest.raises(InputError, match="model_cd: .*completion"):
        trained_networks(system(False), tmp_path / "model_cd", "configs/landmark.yaml")


def test_another_size_is_named(inpainting, tmp_path):
    write_torch(tmp_path / "model_cn", official(CompletionNetwork(2 * WIDTH)))
    with pytest.raises(InputError, match="weights of another size"):
        load_networks(inpainting, tmp_path / "model_cn")


@pytest.mark.parametrize("form", ["landmark_detector.pth", "bare", "own"])
def test_landmark_predictors(tmp_path, form):
    """LaFIn's file holds the step number beside the network; inpainting and the predictor's own system read it."""
    paddle.seed(3)
    network = LaFInPredictor(0.1)
    if form == "own":
        write_weights(tmp_path / form, {f"predictor/{key}": value for key, value in arrays_of(network).items()})
    else:
        prefix = "detector/" if form == "landmark_detector.pth" else ""
        write_torch(tmp_path / form, {f"{prefix}{key}": value for key, value in official(network).items()})
    it = LandmarkPredictor(LandmarkPredictor.Config(width=0.1, input_size=32, covered_probability=1.0))
    assert load_networks(it, tmp_path / form) == ["predictor"]
    assert same(it.predictor, network)
    assert read_weights(tmp_path / form)


def test_inpainting_reads_lafins_predictor(tmp_path):
    paddle.seed(3)
    network = LaFInPredictor(0.1)
    write_torch(tmp_path / "landmark_detector.pth", {f"detector/{key}": v for key, v in official(network).items()})
    found = {"landmark_network": tmp_path / "landmark_detector.pth", "landmark_width": 0.1}
    assert same(system(landmark="loss", **found).predictor, network)
    assert system(False, landmark="loss", **found).predictor is None
    assert same(system(False, landmark="both", **found).predictor, network)
