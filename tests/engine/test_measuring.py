import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from engine.measuring import Limit, Row, Timing, convolution_gflop, dense_gflop, measure, table, weighted


class Mixed(nn.Layer):
    """A convolution that halves, a filter a channel, a transposed convolution, a linear layer."""

    def __init__(self):
        super().__init__()
        self.down, self.filter = nn.Conv2D(2, 4, 3, stride=2, padding=1), nn.Conv2D(4, 4, 3, padding=1, groups=4)
        self.up, self.linear = nn.Conv2DTranspose(4, 3, 2, stride=2), nn.Linear(3 * 8 * 8, 5)

    def forward(self, x):
        x = F.conv2d(x, self.down.weight, self.down.bias, stride=2, padding=1)
        x = F.conv2d(x, self.filter.weight, padding=1, groups=4)
        x = F.conv2d_transpose(x, self.up.weight, stride=2)
        return F.linear(x.flatten(1), self.linear.weight, self.linear.bias)


def test_work_of_dense_layers_only():
    functions = F.conv2d, F.conv2d_transpose, F.linear
    down, up, linear = 4 * 2 * 9 * 16, 4 * 3 * 4 * 16, 192 * 5
    assert dense_gflop(Mixed(), [1, 2, 8, 8]) == pytest.approx(2e-9 * (down + up + linear))
    assert dense_gflop(Mixed(), [3, 2, 8, 8]) == pytest.approx(3 * 2e-9 * (down + up + linear))
    assert (F.conv2d, F.conv2d_transpose, F.linear) == functions


def test_measure_takes_the_limit_before_every_repeat():
    events, speeds = [], iter([5.0, 1.0, 3.0])

    class Scripted:
        def sample(self):
            events.append("limit")
            return next(speeds)

    timing = measure(Scripted(), lambda: events.append("work"), repeats=3, warm_up=1)
    assert events == ["work"] + ["limit", "work"] * 3
    assert (timing.limit, timing.best_limit) == (3.0, 5.0)
    assert isinstance(timing, Timing) and 0 < timing.best_seconds <= timing.seconds


def test_limit_uses_the_threads_it_is_given(monkeypatch):
    seen = []
    monkeypatch.setattr(paddle.base.core, "set_num_threads", seen.append)
    assert Limit(threads=1, size=64).sample() > 0
    assert seen == [1] * 4


def test_work_of_convolution_layers():
    """3 -> 8 channels of 3x3 at 10 x 12 places, then 8 -> 4 of 1x1 at 5 x 6; anything else does not count."""
    network = nn.Sequential(nn.Conv2D(3, 8, 3, padding=1), nn.MaxPool2D(2), nn.Conv2D(8, 4, 1))
    operations = 2 * (3 * 8 * 9 * 10 * 12 + 8 * 4 * 5 * 6)
    assert convolution_gflop(network, [2, 3, 10, 12]) == pytest.approx(2e-9 * operations)
    assert convolution_gflop(network, [1, 3, 10, 12]) == pytest.approx(1e-9 * operations)


def test_shares_and_table():
    row = Row("inference", "net", Timing(0.5, 100.0, 0.25, 120.0), gflop=20.0, note="n")
    assert row.shares() == pytest.approx((0.4, 20 / 0.25 / 120))
    assert table([row]).splitlines()[-1] == "| inference | net | 500.0 (250.0) | 20.0 | 40% (67%) | 50.0 | n |"
    unknown = Row("renderer", "photo", Timing(0.5, 100.0, 0.25, 120.0))
    assert unknown.shares() is None and unknown.cells()[3:5] == ["-", "-"]


def test_mean_of_steps_that_occur_unequally_often():
    plain, lazy = Timing(1.0, 100.0, 0.5, 120.0), Timing(3.0, 80.0, 2.5, 100.0)
    assert weighted([(plain, 0.75), (lazy, 0.25)]) == Timing(1.5, 95.0, 1.0, 115.0)
