"""Profiler options and the trace of a stretch of steps."""

import json

import pytest

from engine.errors import ConfigError
from engine.training.profile import ProfiledBatches, read_options


def test_options_are_read():
    text = "batch_range=[10,20];state=GPU;tracer_option=Default;profile_path=model.profile"
    assert read_options(text) == (10, 20, "GPU", "model.profile")
    assert read_options("") == (10, 20, "All", "model.profile")


@pytest.mark.parametrize(
    "text, message",
    [
        ("range=[1,2]", "unknown key 'range'"),
        ("batch_range=[5,5]", r"batch_range \[5,5\]: expected"),
        ("state=NPU", "state 'NPU': expected one of CPU, GPU, All"),
    ],
)
def test_wrong_options_are_named(text, message):
    with pytest.raises(ConfigError, match=message):
        read_options(text)


class Numbers:
    """Stands for training batches: the step numbers."""

    def epoch(self, step):
        return step // 3

    def iterate(self, first, last):
        yield from range(first, last)


def test_batches_come_through_and_the_trace_is_written(tmp_path):
    batches = ProfiledBatches(Numbers(), "batch_range=[1,3];state=CPU;profile_path=a/trace.json", tmp_path)
    assert list(batches.iterate(2, 7)) == [2, 3, 4, 5, 6] and batches.epoch(4) == 1
    assert json.loads((tmp_path / "a" / "trace.json").read_text())["traceEvents"] is not None
