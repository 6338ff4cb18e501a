"""The checkerboard measure: which period is meant, against which set, and what is no checkerboard."""

import numpy as np
import pytest

from metric.checkerboard import PERIODS, Checkerboard, lattice_energy, power_spectrum


def smooth(seed, height=56, width=48, count=6):
    """Pictures with a falling spectrum, like faces."""
    random = np.random.default_rng(seed)
    y, x = (np.fft.fftfreq(side)[:, None] for side in (height, width))
    fall = 1 / (0.02 + np.hypot(y, x.T))
    noise = np.fft.ifft2(np.fft.fft2(random.standard_normal((count, 3, height, width))) * fall).real
    return (0.5 + 0.15 * noise / noise.std()).astype(np.float32)


def board(period, height=56, width=48):
    """+-1 in squares of half a period."""
    half = period // 2
    y, x = np.mgrid[:height, :width] // half
    return np.where((y + x) % 2, 1.0, -1.0).astype(np.float32)


def scores(made, real):
    metric = Checkerboard()
    metric.update({"photo": smooth(9), "to_photo": smooth(9), "caricature": real, "to_caricature": made})
    return metric.result()


def test_the_real_pictures_themselves_score_one():
    found = scores(smooth(1), smooth(1))
    assert found == {
        f"{domain}_{period}px{kind}": pytest.approx(1)
        for domain in ("photo", "caricature")
        for period in PERIODS
        for kind in ("", "_peak")
    }


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("turn", [False, True])
def test_a_checkerboard_is_found_at_its_own_period(period, turn):
    """As squares, and as stripes."""
    pattern = board(period)
    if turn:
        pattern = np.broadcast_to(np.where(np.arange(48) // (period // 2) % 2, 1.0, -1.0), (56, 48))
    found = scores(smooth(1) + 0.06 * pattern.astype(np.float32), smooth(2))
    others = [p for p in PERIODS if p != period]
    assert found[f"caricature_{period}px_peak"] > 1.8 and found[f"caricature_{period}px"] > 1.8
    assert all(0.4 < found[f"caricature_{p}px_peak"] < 1.6 for p in others), found
    assert all(0.4 < found[f"photo_{p}px_peak"] < 1.6 for p in PERIODS)


def test_noise_and_blur_change_the_energy_and_no_peak():
    real, random = smooth(2, count=40), np.random.default_rng(0)
    made = smooth(1, count=40)
    noisy = scores((made + 0.1 * random.standard_normal(made.shape)).astype(np.float32), real)
    assert noisy["caricature_2px"] > 2.5 and 0.7 < noisy["caricature_2px_peak"] < 1.4
    dull = scores(0.5 * made, real)
    assert dull["caricature_2px"] == pytest.approx(0.25, rel=0.3) and 0.7 < dull["caricature_2px_peak"] < 1.4


def test_the_energy_of_a_known_board():
    """A board of amplitude a has all its power at (1/2, 1/2): a^2 times the squared sum of the window, a channel."""
    power = power_spectrum(np.broadcast_to(0.3 * board(2, 16, 24), (1, 3, 16, 24)))
    assert power[8, 12] == pytest.approx(3 * (0.3 * (16 / 2) * (24 / 2)) ** 2, rel=1e-5)
    assert power[8, 12] == power.max() and power[0, 0] == pytest.approx(0, abs=1e-9)
    energy, peak = lattice_energy(power, 2)
    assert peak > 1e6 and energy > 100 * lattice_energy(power, 4)[0]


def test_sides_are_cut_to_multiples_of_eight():
    assert power_spectrum(np.zeros((1, 3, 57, 50))).shape == (56, 48)


def test_batches_add_up_whatever_their_size():
    made, real = smooth(1), smooth(2)
    parts = Checkerboard()
    for part in (slice(0, 1), slice(1, 6)):
        parts.update({"caricature": real[part], "to_caricature": made[part]})
    whole = Checkerboard()
    whole.update({"caricature": real, "to_caricature": made})
    assert parts.result() == pytest.approx(whole.result())
