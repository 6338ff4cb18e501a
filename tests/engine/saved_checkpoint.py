"""A checkpoint whose arrays all tell its step, written and checked."""

import numpy as np

from engine.training.checkpoint import save_checkpoint


def save(run, step, value=None, keep=1):
    """A checkpoint of two networks, one of them averaged, all of whose arrays tell the step, or `value`."""
    value = step if value is None else value
    networks = {name: {"a.weight": np.full((2, 3), value, "f4"), "n": np.array(value)} for name in ("g", "d")}
    ema = {"g": {"a.weight": np.full((2, 3), value + 0.5, "f4"), "n": np.array(value)}}
    state = {"optimizer/g/moment": np.full(3, value / 3, "f8"), "state/path": np.array(value, "f4")}
    return save_checkpoint(run, step, networks, ema, state, {"config": {"x": [1, None]}, "value": value}, keep)


def check(checkpoint, value):
    """Everything in a Checkpoint is what `save` wrote with this value."""
    assert checkpoint.meta == {"config": {"x": [1, None]}, "value": value}
    assert list(checkpoint.networks) == ["g", "d"] and list(checkpoint.ema) == ["g"]
    for arrays, weight in ((checkpoint.networks["g"], value), (checkpoint.networks["d"], value),
                           (checkpoint.ema["g"], value + 0.5)):  # fmt: skip
        np.testing.assert_array_equal(arrays["a.weight"], np.full((2, 3), weight, "f4"), strict=True)
        np.testing.assert_array_equal(arrays["n"], np.array(value), strict=True)
    moment, path = checkpoint.train_state["optimizer/g/moment"], checkpoint.train_state["state/path"]
    np.testing.assert_array_equal(moment, np.full(3, value / 3, "f8"), strict=True)
    np.testing.assert_array_equal(path, np.array(value, "f4"), strict=True)


def names(run):
    return sorted(path.name for path in run.iterdir())
