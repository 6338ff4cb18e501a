"""The relativistic loss: its value on constants, and which player wants what."""

import paddle
import pytest

from loss.relativistic import relativistic_discriminator, relativistic_generator


def test_values_on_constants():
    real, fake = paddle.full([2, 3], 2.0), paddle.full([2, 3], 0.5)
    assert float(relativistic_discriminator(real, fake)) == pytest.approx(((1.5 - 1) ** 2 + (-1.5 + 1) ** 2) / 2)
    assert float(relativistic_generator(real, fake)) == pytest.approx(((1.5 + 1) ** 2 + (-1.5 - 1) ** 2) / 2)


def test_means_are_of_the_other_set():
    real, fake = paddle.to_tensor([1.0, 3.0]), paddle.to_tensor([0.0, 4.0])
    wanted = ((1 - 2 - 1) ** 2 + (3 - 2 - 1) ** 2 + (0 - 2 + 1) ** 2 + (4 - 2 + 1) ** 2) / 4
    assert float(relativistic_discriminator(real, fake)) == pytest.approx(wanted)
    assert float(relativistic_generator(real, fake)) == pytest.approx(
        ((1 - 2 + 1) ** 2 + (3 - 2 + 1) ** 2 + (0 - 2 - 1) ** 2 + (4 - 2 - 1) ** 2) / 4
    )


@pytest.mark.parametrize(("loss", "sign"), [(relativistic_discriminator, 1), (relativistic_generator, -1)])
def test_players_pull_in_opposite_directions(loss, sign):
    fake = paddle.zeros([4])
    fake.stop_gradient = False
    loss(paddle.zeros([4]), fake).backward()
    assert float((fake.grad * sign).min()) > 0
