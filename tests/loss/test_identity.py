import numpy as np
import paddle
import pytest
from paddle import nn

from loss.identity import GreyIdentityLoss, IdentityLoss, face_crop, gray_for_identity


class MeanColour(nn.Layer):
    """A stand-in recognition network: the direction of the mean colour."""

    def __init__(self):
        super().__init__()
        self.gain = self.create_parameter([1], default_initializer=nn.initializer.Constant(1.0))

    def forward(self, face):
        colour = face.mean(axis=[2, 3]) * self.gain
        return colour / (colour * colour).sum(axis=1, keepdim=True).sqrt()


def picture(*colour):
    return paddle.to_tensor(np.tile(np.float32(colour).reshape(1, 3, 1, 1), (2, 1, 64, 64)))


def test_same_face_costs_nothing_and_the_opposite_costs_two():
    loss = IdentityLoss(MeanColour())
    red = picture(1, 0, 0)
    assert float(loss(red, red)) == pytest.approx(0, abs=1e-6)
    assert float(loss(picture(0, 1, 0), red)) == pytest.approx(1)
    assert float(loss(-red, red)) == pytest.approx(2)


def test_gradient_reaches_the_output_alone():
    backbone = MeanColour()
    loss, output, target = IdentityLoss(backbone), picture(1, 1, 0), picture(1, 0, 0)
    output.stop_gradient = target.stop_gradient = False
    loss(output, target).backward()
    assert output.grad is not None and target.grad is None and backbone.gain.grad is None
    assert not backbone.training
    assert float(output.grad[:, 0].sum()) < 0 < float(output.grad[:, 1].sum())  # more red, less green


@pytest.mark.parametrize("size, factor", [(256, 1), (512, 2)])
def test_crop_is_the_official_one(size, factor):
    rows = paddle.arange(size, dtype="float32").reshape([1, 1, size, 1]).expand([1, 3, size, size])
    columns = paddle.arange(size, dtype="float32").reshape([1, 1, 1, size]).expand([1, 3, size, size])
    assert face_crop(rows).shape == [1, 3, 112, 112]
    middle = (35 + 256 - 33) / 2 * factor - 0.5, (32 + 256 - 36) / 2 * factor - 0.5
    assert float(face_crop(rows).mean()) == pytest.approx(middle[0], abs=0.05)
    assert float(face_crop(columns).mean()) == pytest.approx(middle[1], abs=0.05)
    assert float(face_crop(rows).min()) >= 35 * factor and float(face_crop(columns).max()) < (256 - 36) * factor


def test_small_images_are_cropped_in_proportion():
    assert face_crop(paddle.zeros([1, 3, 64, 64])).shape == [1, 3, 112, 112]


def test_grey_weighs_green_most():
    grey = [float(gray_for_identity(picture(*colour), 16).mean()) for colour in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    assert grey == pytest.approx([0.2989, 0.587, 0.114], rel=1e-5)
    assert gray_for_identity(picture(1, 1, 1)).shape == [2, 1, 128, 128]


class Mean(nn.Layer):
    """A stand-in for ArcFace: the mean grey, not normalised."""

    def __init__(self):
        super().__init__()
        self.gain = self.create_parameter([1], default_initializer=nn.initializer.Constant(2.0))

    def forward(self, face):
        assert face.shape[1:] == [1, 128, 128]
        return face.mean(axis=[2, 3]) * self.gain


def test_grey_identity_loss_is_the_distance_of_features():
    backbone, output, target = Mean(), picture(1, 1, 1), picture(0, 1, 0)
    output.stop_gradient = target.stop_gradient = False
    loss = GreyIdentityLoss(backbone)(output, target)
    assert float(loss) == pytest.approx(2 * (0.2989 + 0.1140), rel=1e-3)
    loss.backward()
    assert float(output.grad.sum()) > 0 and target.grad is None and backbone.gain.grad is None
    assert not backbone.training
