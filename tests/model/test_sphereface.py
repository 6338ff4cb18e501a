"""sphere20a: sizes, the released keys, what the input and the angles are; the golden case through tools/parity.py."""

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.weights.networks import find, load_layers
from model.sphereface.network import AngleLinear, Sphere20a, network_input


def small(**changes):
    paddle.seed(4)
    return Sphere20a(**{"image_size": (28, 24), "width": 1 / 32, "embedding_size": 6} | changes)


def released(network, classifier, prefix=""):
    """The arrays of a released checkpoint with this network's values: torch's names and layout."""
    arrays = {}
    for key, value in network.state_dict().items():
        array = value.numpy()
        arrays[prefix + key.replace("_weight", "weight")] = array.T if key == "fc5.weight" else array
    return arrays | {f"{prefix}fc6.weight": classifier.weight.numpy()}


@pytest.mark.slow
def test_parameter_counts_of_the_released_networks():
    count = sum(parameter.size for parameter in Sphere20a().parameters())
    assert count + 512 * 10574 == 28_084_544 and count + 512 * 227 == 22_786_880


def test_shapes():
    network = small()
    image = paddle.rand([2, 3, 28, 24])
    assert network.embedding(image).shape == [2, 6] and network.features(image).shape == [2, 16, 2, 2]
    names = [name for name, _ in network.named_sublayers()]
    assert sum(name.startswith("conv") for name in names) == sum(name.startswith("relu") for name in names) == 20


def test_input_is_bgr_of_grey_levels():
    image = paddle.to_tensor(np.float32([0, 0.5, 1]).reshape(1, 3, 1, 1) * 2 - 1)
    found = network_input(image).numpy().ravel()
    np.testing.assert_allclose(found, [(255 - 127.5) / 128, 0, (0 - 127.5) / 128], atol=1e-6)
    network = small()
    image = paddle.rand([1, 3, 28, 24])
    swapped = network(paddle.flip(image, [1]) * 127.5 / 128).numpy()
    np.testing.assert_allclose(network.embedding(image).numpy(), swapped, atol=1e-6)


def test_residual_pairs_add_what_they_compute():
    """With every residual convolution at zero only the four strided convolutions are left."""
    network = small()
    x = paddle.rand([1, 3, 28, 24])
    for name, parameter in network.named_parameters():
        if name.startswith("conv") and not name.split(".")[0].endswith("_1"):
            parameter.set_value(paddle.zeros_like(parameter))
    wanted = x
    for stage in range(1, 5):
        wanted = getattr(network, f"relu{stage}_1")(getattr(network, f"conv{stage}_1")(wanted))
    np.testing.assert_allclose(network.features(x).numpy(), wanted.numpy(), atol=1e-6)


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_psi_falls_from_1_over_the_half_circle(m):
    classifier = AngleLinear(2, 1, m)
    classifier.weight.set_value(paddle.to_tensor([[2.0], [0.0]]))  # used at unit length
    angles = np.linspace(0.01, np.pi - 0.01, 200)
    x = 3 * np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    cosine, psi = (y.numpy()[:, 0] for y in classifier(paddle.to_tensor(x)))
    np.testing.assert_allclose(cosine, 3 * np.cos(angles), atol=1e-5)
    k = np.floor(m * angles / np.pi)
    np.testing.assert_allclose(psi, 3 * ((-1) ** k * np.cos(m * angles) - 2 * k), atol=2e-3)
    assert (np.diff(psi) < 1e-4).all() and (psi <= cosine + 1e-4).all()


def test_class_weights_start_at_unit_length():
    weight = AngleLinear(5, 7).weight.numpy()
    np.testing.assert_allclose(np.linalg.norm(weight, axis=0), np.ones(7), atol=1e-6)
    assert weight.min() < -0.2 and weight.max() > 0.2


@pytest.mark.parametrize("prefix", ["", "module.", "state_dict/", "state_dict/module."])
def test_released_and_seed_checkpoints_load(prefix):
    source, target, classes, other = small(), small(), AngleLinear(6, 4), AngleLinear(6, 4)
    for parameter in source.parameters():
        parameter.set_value(paddle.rand(parameter.shape))
    load_layers({"recognizer": target, "classifier": other}, released(source, classes, prefix), "file")
    np.testing.assert_array_equal(other.weight.numpy(), classes.weight.numpy())
    x = paddle.rand([2, 3, 28, 24])
    np.testing.assert_array_equal(target(x).numpy(), source(x).numpy())


def test_a_classifier_of_other_people_is_left_out():
    arrays = released(small(), AngleLinear(6, 10574))
    assert list(find({"recognizer": small(), "classifier": AngleLinear(6, 227)}, arrays, "file")) == ["recognizer"]
    load_layers({"recognizer": small()}, arrays, "file")


def test_own_files_are_strict_and_foreign_keys_are_named():
    own = {"recognizer/conv1_1.weight": np.zeros(1), "classifier/weight": np.zeros((6, 9))}
    with pytest.raises(InputError, match=r"file: weights of another size: weight is \[6, 9\] in the file, \[6, 4\]"):
        load_layers({"classifier": AngleLinear(6, 4)}, own, "file")
    with pytest.raises(InputError, match="conv1_1.weight is \\[1\\] in the file"):
        load_layers({"recognizer": small()}, own, "file")
    extra = released(small(), AngleLinear(6, 4)) | {"fc7.weight": np.zeros(1)}
    with pytest.raises(InputError, match="fc7.weight is \\[1\\] in the file, missing in the network"):
        load_layers({"recognizer": small()}, extra, "file")
