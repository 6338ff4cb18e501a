import numpy as np
import pytest
from pydantic import ValidationError

from data_loader.blur_kernels import KernelRanges, gaussian_kernel, random_kernel, random_kind
from tests.parity.data import sinc_kernel

ALL_KINDS = ("iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso")


def ranges(**changes):
    settings = {"kinds": {"iso": 0.5, "aniso": 0.5}, "size": 21, "sigma": (0.1, 10), "rotation": (-3.14, 3.14)}
    return KernelRanges(**{**settings, **changes})


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_random_kernels_sum_to_one_and_are_point_symmetric(kind):
    rng = np.random.default_rng(0)
    for _ in range(20):
        kernel = random_kernel(kind, ranges(), rng)
        assert kernel.shape == (21, 21) and kernel.min() >= 0
        assert abs(kernel.sum() - 1) < 1e-12 and np.allclose(kernel, kernel[::-1, ::-1])


def test_rotation_turns_x_towards_y():
    kernel = gaussian_kernel(21, 6, 1, np.pi / 4)  # rows grow downwards, so the long axis falls to the right
    assert kernel[14, 14] > 100 * kernel[6, 14]
    level = gaussian_kernel(21, 6, 1, 0)
    assert level[10, 16] > 100 * level[16, 10]


def test_gaussian_has_the_variance_it_is_given():
    kernel, x = gaussian_kernel(41, 3, 2, 0), np.arange(41) - 20
    assert (kernel.sum(0) * x**2).sum() == pytest.approx(9, rel=1e-3)
    assert (kernel.sum(1) * x**2).sum() == pytest.approx(4, rel=1e-3)


def test_tiny_sigma_is_no_blur():
    assert gaussian_kernel(41, 0.1, 0.1, 0)[20, 20] == pytest.approx(1)


def test_sinc_passes_low_and_stops_high_frequencies():
    kernel, x = sinc_kernel(41, np.pi / 2, pad_to=45), np.arange(45) - 22
    assert kernel.shape == (45, 45) and not kernel[:2].any() and kernel[22, 22] == kernel.max()
    low, high = ((kernel.sum(0) * np.cos(frequency * x)).sum() for frequency in (np.pi / 4, 3 * np.pi / 4))
    assert low == pytest.approx(1, abs=0.1) and high == pytest.approx(0, abs=0.1)


def test_kinds_come_with_their_probabilities():
    rng, settings = np.random.default_rng(1), ranges(kinds={"iso": 0.2, "aniso": 0.0, "plateau_iso": 0.8})
    drawn = [random_kind(settings, rng) for _ in range(2000)]
    assert "aniso" not in drawn and drawn.count("iso") / 2000 == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kinds": {"iso": 0.5}}, "sum to 1"),
        ({"kinds": {"round": 1.0}}, "aniso"),
        ({"size": 20}, "is 20; expected an odd number"),
        ({"sigma": (10, 0.1)}, r"is \[10.0, 0.1\]; expected \[low, high\]"),
    ],
)
def test_bad_settings_are_named(changes, words):
    with pytest.raises(ValidationError, match=words):
        ranges(**changes)
