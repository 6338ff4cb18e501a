import numpy as np
import paddle
import pytest

from engine.errors import InputError
from metric.identity import DegFeatures, IRSE50Features, cosine, degrees, grey_input

RNG = np.random.default_rng(0)


def test_known_angles():
    first = np.array([[1.0, 0], [2, 0], [1, 0], [1, 1]])
    second = np.array([[5.0, 0], [0, 3], [-4, 0], [1, 0]])
    np.testing.assert_allclose(cosine(first, second), [1, 0, -1, np.sqrt(0.5)], atol=1e-12)
    np.testing.assert_allclose(degrees(first, second), [0, 90, 180, 45], atol=1e-6)


def test_equal_features_are_zero_degrees_and_counted():
    features = RNG.normal(size=(500, 512)).astype(np.float32)
    found = degrees(features, features)
    assert np.isfinite(found).all() and found.max() < 1e-3


def test_grey_input_weighs_rgb_and_takes_the_whole_picture():
    pure = np.zeros((3, 256, 256, 3), np.uint8)
    for channel in range(3):
        pure[channel, ..., channel] = 255
    found = grey_input(pure)
    assert found.shape == (3, 1, 128, 128) and found.dtype == np.float32
    np.testing.assert_allclose((found[:, 0, 5, 5] * 127.5 + 127.5) / 255, [0.299, 0.587, 0.114], atol=0.003)
    half = np.zeros((1, 256, 256, 3), np.uint8)
    half[:, :128] = 255
    np.testing.assert_array_equal(grey_input(half)[0, 0, :, 0], [1] * 64 + [-1] * 64)


class Seen(paddle.nn.Layer):
    """Keeps what it is shown."""

    def forward(self, image):
        self.image = image.numpy()
        return image.flatten(1)


@pytest.mark.parametrize("kind, shape", [(IRSE50Features, (2, 3, 112, 112)), (DegFeatures, (2, 1, 128, 128))])
def test_networks_see_signed_inputs(kind, shape):
    network = Seen()
    pictures = np.full((2, 256, 256, 3), 255, np.uint8)
    pictures[1] = 0
    features = kind(network)(pictures)
    assert network.image.shape == shape
    np.testing.assert_allclose(network.image[0], 1, atol=1e-6)
    np.testing.assert_allclose(network.image[1], -1, atol=1e-6)
    assert features.shape[0] == 2


def test_only_square_pictures_are_aligned_faces():
    with pytest.raises(InputError, match="40 x 48: identity needs aligned faces"):
        IRSE50Features(Seen())(np.zeros((1, 40, 48, 3), np.uint8))


def test_the_inner_face_is_what_ir_se50_sees():
    network, pictures = Seen(), np.zeros((1, 256, 256, 3), np.uint8)
    pictures[:, 35:223, 32:220, 0] = 255  # red, in the crop alone
    IRSE50Features(network)(pictures)
    np.testing.assert_allclose(network.image[0, 0], 1, atol=1e-6)
    np.testing.assert_allclose(network.image[0, 1:], -1, atol=1e-6)
