"""One optimizer step: gradients of one group never leak into another, numbers are torch's, state survives."""

import numpy as np
import paddle
import pytest

from engine.run_config import OptimizerConfig
from engine.training.ema import EMA
from engine.training.updater import Updater, learning_rate

ADAM = OptimizerConfig(kind="adam", lr=0.1, beta1=0.0, beta2=0.99, epsilon=1e-8)


@pytest.fixture
def pair():
    paddle.seed(1)
    one, two = paddle.nn.Linear(3, 3), paddle.nn.Linear(3, 3)
    return one, two, Updater({"one": ADAM, "two": ADAM}, {"one": one.parameters(), "two": two.parameters()})


def test_only_the_named_group_moves_and_nothing_leaks(pair):
    one, two, update = pair
    x = paddle.rand([4, 3])
    before = two.weight.numpy().copy()
    update("one", two(one(x)).square().mean())
    np.testing.assert_array_equal(two.weight.numpy(), before)
    alone = paddle.nn.Linear(3, 3)
    alone.set_state_dict(two.state_dict())
    reference = Updater({"two": ADAM}, {"two": alone.parameters()})
    target = paddle.rand([4, 3])
    update("two", (two(x) - target).square().mean())
    reference("two", (alone(x) - target).square().mean())
    np.testing.assert_array_equal(two.weight.numpy(), alone.weight.numpy())


def test_two_groups_step_from_one_loss(pair):
    one, two, update = pair
    before = one.weight.numpy().copy(), two.weight.numpy().copy()
    update(("one", "two"), two(one(paddle.rand([4, 3]))).square().mean())
    assert np.abs(one.weight.numpy() - before[0]).max() > 1e-3
    assert np.abs(two.weight.numpy() - before[1]).max() > 1e-3


def test_the_step_goes_downhill_by_the_learning_rate(pair):
    one, _, update = pair
    before = one.bias.numpy().copy()
    update("one", one(paddle.zeros([1, 3])).sum())
    np.testing.assert_allclose(one.bias.numpy(), before - 0.1, rtol=1e-5)  # Adam's first step is -lr * sign


def test_adadelta_is_torchs():
    layer = paddle.nn.Linear(1, 1, bias_attr=False)
    layer.weight.set_value(paddle.to_tensor([[2.0]]))
    config = OptimizerConfig(kind="adadelta", lr=1.0, rho=0.9, epsilon=1e-6)
    update = Updater({"it": config}, {"it": layer.parameters()})
    value, square, delta = 2.0, 0.0, 0.0
    for _ in range(3):
        update("it", layer(paddle.ones([1, 1])).square().sum())
        gradient = 2 * value
        square = 0.9 * square + 0.1 * gradient**2
        change = np.sqrt(delta + 1e-6) / np.sqrt(square + 1e-6) * gradient
        delta = 0.9 * delta + 0.1 * change**2
        value -= change
        assert layer.weight.item() == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("kind", ["momentum", "adam"])
def test_momentum_and_weight_decay_are_torchs(kind):
    """Weight decay is added to the gradient; momentum accumulates the gradient undamped."""
    layer = paddle.nn.Linear(1, 1, bias_attr=False)
    layer.weight.set_value(paddle.to_tensor([[2.0]]))
    config = OptimizerConfig(kind=kind, lr=0.1, momentum=0.9, beta1=0.5, beta2=0.9, weight_decay=0.3)
    update = Updater({"it": config}, {"it": layer.parameters()})
    value, first, second = 2.0, 0.0, 0.0
    for step in range(1, 4):
        update("it", layer(paddle.ones([1, 1])).square().sum())
        gradient = 2 * value + 0.3 * value
        if kind == "momentum":
            first = 0.9 * first + gradient
            value -= 0.1 * first
        else:
            first, second = 0.5 * first + 0.5 * gradient, 0.9 * second + 0.1 * gradient**2
            value -= 0.1 * (first / (1 - 0.5**step)) / (np.sqrt(second / (1 - 0.9**step)) + 1e-8)
        assert layer.weight.item() == pytest.approx(value, rel=1e-5)


def test_parameters_without_gradient_stay(pair):
    one, two, update = pair
    before = two.weight.numpy().copy()
    update(("one", "two"), one(paddle.rand([2, 3])).sum())
    np.testing.assert_array_equal(two.weight.numpy(), before)


def test_a_step_that_reaches_all_counts_for_parameters_without_a_gradient():
    """Adam's count and moments move by a gradient of 0, as torch's do where a loss adds 0 times something."""
    one, two = paddle.nn.Linear(1, 1, bias_attr=False), paddle.nn.Linear(1, 1, bias_attr=False)
    two.weight.set_value(paddle.to_tensor([[2.0]]))
    config = OptimizerConfig(kind="adam", lr=0.1, beta1=0.5, beta2=0.9, epsilon=1e-8)
    update = Updater({"it": config}, {"it": one.parameters() + two.parameters()})
    value, first, second = 2.0, 0.0, 0.0
    for step, gradient in enumerate((3.0, 0.0, 3.0), 1):
        loss = one(paddle.ones([1, 1])).sum() + (3 * two(paddle.ones([1, 1])).sum() if gradient else 0.0)
        update("it", loss, reaches_all=True)
        first, second = 0.5 * first + 0.5 * gradient, 0.9 * second + 0.1 * gradient**2
        value -= 0.1 * (first / (1 - 0.5**step)) / (np.sqrt(second / (1 - 0.9**step)) + 1e-8)
        assert two.weight.item() == pytest.approx(value, rel=1e-5)


def test_learning_rate_is_a_function_of_the_step():
    config = OptimizerConfig(kind="adam", lr=1.0, milestones=(10, 20), gamma=0.5)
    assert [learning_rate(config, step) for step in (0, 9, 10, 19, 20, 99)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(("kind", "end"), [("linear", 0.0), ("linear_seed", 1 - 50 / 450)])
def test_linear_decay_and_the_seeds_form_of_it(kind, end):
    decay = {"kind": kind, "start": 400, "steps": 450}
    config = OptimizerConfig(kind="adam", lr=2.0, decay=decay, milestones=(425,), gamma=0.5)
    assert [learning_rate(config, step) for step in (0, 400)] == [2, 2]
    assert learning_rate(config, 450) == pytest.approx(1.0 * end)
    assert learning_rate(config, 425) == pytest.approx(1.0 * (1 + end) / 2)
    assert learning_rate(config, 10_000) == 0
    with pytest.raises(ValueError, match="expected more than start"):
        OptimizerConfig(kind="adam", lr=2.0, decay=decay | {"steps": 400})


def test_state_survives_a_round_trip(pair):
    one, _, update = pair
    x = paddle.rand([4, 3])
    update("one", one(x).square().mean())
    saved, weights = update.state(), {k: v.numpy().copy() for k, v in one.state_dict().items()}
    update("one", one(x).square().mean())
    wanted = one.weight.numpy().copy()

    again = paddle.nn.Linear(3, 3)  # other parameter names
    again.set_state_dict(weights)
    other = Updater({"one": ADAM}, {"one": again.parameters()})
    other.load_state({key: array for key, array in saved.items() if key.startswith("one/")})
    other("one", again(x).square().mean())
    np.testing.assert_array_equal(again.weight.numpy(), wanted)


def test_gradients_are_clipped_by_their_global_norm():
    layer = paddle.nn.Linear(1, 2, bias_attr=False)
    start = layer.weight.numpy().copy()
    config = OptimizerConfig(kind="adadelta", lr=1.0, rho=0.0, epsilon=1e6, clip_norm=1.0)
    update = Updater({"it": config}, {"it": layer.parameters()})
    update("it", (layer(paddle.ones([1, 1])) * paddle.to_tensor([30.0, 40.0])).sum())
    np.testing.assert_allclose(start - layer.weight.numpy(), [[0.6, 0.8]], rtol=1e-4)  # epsilon makes it plain descent


def test_average_moves_towards_the_parameters():
    layer = paddle.nn.Linear(1, 1)
    layer.weight.set_value(paddle.to_tensor([[1.0]]))
    layer.register_buffer("counter", paddle.to_tensor([1.0]))
    ema = EMA({"it": layer}, decay=0.75)
    layer.weight.set_value(paddle.to_tensor([[5.0]]))
    layer.counter.set_value(paddle.to_tensor([7.0]))
    ema.update({"it": layer})
    assert ema.networks["it"].weight.item() == pytest.approx(0.75 * 1 + 0.25 * 5)
    assert ema.networks["it"].counter.item() == 7
    ema.update({"it": layer})
    assert ema.networks["it"].weight.item() == pytest.approx(0.75 * 2 + 0.25 * 5)
    assert layer.weight.item() == 5


def test_loss_scale_survives(pair, monkeypatch):
    """On a CPU Paddle's scaler is disabled and keeps no state: the fields of an enabled one are set by hand."""
    saved = {
        "scale": np.array([512.0], np.float32),
        "incr_ratio": 2.0,
        "decr_ratio": 0.5,
        "incr_every_n_steps": 7,
        "decr_every_n_nan_or_inf": 1,
        "incr_count": 3,
        "decr_count": 0,
        "use_dynamic_loss_scaling": True,
    }
    update, restored = pair[2], {}
    monkeypatch.setattr(update.scaler, "state_dict", lambda: saved)
    monkeypatch.setattr(update.scaler, "load_state_dict", restored.update)
    update.load_state(update.state())
    assert restored.pop("scale").tolist() == [512.0]
    assert restored == {key: value for key, value in saved.items() if key != "scale"}
