import json
import math
from pathlib import Path

import paddle
import pytest

from loss.adversarial import (
    discriminator_logistic,
    discriminator_loss,
    generator_logistic,
    generator_loss,
    relativistic_discriminator,
    relativistic_generator,
)
from tests.parity import case_lines

GOLDEN = Path(__file__).parents[1] / "assets" / "golden"


def test_both_sides_count_at_every_scale():
    real, fake = [paddle.full([2, 1], 3.0), paddle.zeros([1, 1])], [paddle.full([2, 1], 2.0), paddle.ones([1, 1])]
    assert float(discriminator_loss("lsgan", real, fake)) == pytest.approx((3 - 1) ** 2 + 2**2 + 1 + 1)
    assert float(generator_loss("lsgan", fake)) == pytest.approx((2 - 1) ** 2 + 0)


def test_every_kind_is_the_official_one():
    meta = json.loads((GOLDEN / "meta.json").read_text())["cases"]["gan_losses_0"]
    lines = list(case_lines(GOLDEN, "gan_losses_0", meta))
    assert len(lines) == 20 and all(line["ok"] for line in lines)


def test_undecided_logits_cost_ln_2_each():
    zero = paddle.zeros([3, 1])
    assert float(discriminator_logistic(zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(generator_logistic(zero)) == pytest.approx(math.log(2))


def test_signs():
    high, low = paddle.full([2, 1], 5.0), paddle.full([2, 1], -5.0)
    assert float(discriminator_logistic(high, low)) < 0.1 < 9 < float(discriminator_logistic(low, high))
    assert float(generator_logistic(high)) < 0.1 < 4 < float(generator_logistic(low))


def test_relativistic_values_on_constants():
    real, fake = paddle.full([2, 3], 2.0), paddle.full([2, 3], 0.5)
    assert float(relativistic_discriminator(real, fake)) == pytest.approx(((1.5 - 1) ** 2 + (-1.5 + 1) ** 2) / 2)
    assert float(relativistic_generator(real, fake)) == pytest.approx(((1.5 + 1) ** 2 + (-1.5 - 1) ** 2) / 2)


def test_relativistic_means_are_of_the_other_set():
    real, fake = paddle.to_tensor([1.0, 3.0]), paddle.to_tensor([0.0, 4.0])
    wanted = ((1 - 2 - 1) ** 2 + (3 - 2 - 1) ** 2 + (0 - 2 + 1) ** 2 + (4 - 2 + 1) ** 2) / 4
    assert float(relativistic_discriminator(real, fake)) == pytest.approx(wanted)
    assert float(relativistic_generator(real, fake)) == pytest.approx(
        ((1 - 2 + 1) ** 2 + (3 - 2 + 1) ** 2 + (0 - 2 - 1) ** 2 + (4 - 2 - 1) ** 2) / 4
    )


@pytest.mark.parametrize(("loss", "sign"), [(relativistic_discriminator, 1), (relativistic_generator, -1)])
def test_relativistic_players_pull_in_opposite_directions(loss, sign):
    fake = paddle.zeros([4])
    fake.stop_gradient = False
    loss(paddle.zeros([4]), fake).backward()
    assert float((fake.grad * sign).min()) > 0
