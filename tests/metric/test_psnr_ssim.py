import math

import numpy as np
import pytest
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from engine.errors import InputError
from metric.pixel import l1, mse, relative_l1
from metric.psnr_ssim import finite_mean, luma, psnr, ssim, ssim_uniform

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (40, 56, 3), np.uint8)
NOISY = np.clip(IMAGE + RNG.normal(0, 20, IMAGE.shape), 0, 255).astype(np.uint8)


def test_identical_images():
    assert psnr(IMAGE, IMAGE) == math.inf and ssim(IMAGE, IMAGE) == pytest.approx(1, abs=1e-12)


def test_psnr_of_a_known_error():
    black = np.zeros((4, 4, 3), np.float32)
    assert psnr(black, black + 0.1) == pytest.approx(20, abs=1e-5)
    assert psnr(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)) == 0


def test_uint8_and_unit_range_agree_and_order_does_not_matter():
    for metric in (psnr, ssim):
        assert metric(IMAGE, NOISY) == pytest.approx(metric(IMAGE / 255, NOISY / 255), rel=1e-9)
        assert metric(IMAGE, NOISY) == pytest.approx(metric(NOISY, IMAGE), rel=1e-12)


def test_border_is_left_out():
    spoilt = IMAGE.copy()
    spoilt[:4] = spoilt[-4:] = spoilt[:, :4] = spoilt[:, -4:] = 0
    assert psnr(spoilt, IMAGE, crop_border=4) == math.inf > psnr(spoilt, IMAGE, crop_border=3)


def test_luma_weights_follow_rgb():
    assert luma(np.float32([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]]))[0, :, 0] * 255 == pytest.approx(
        [81.481, 144.553, 40.966, 235], abs=1e-3
    )
    black, blue, red = np.zeros((4, 4, 3), np.float32), np.float32([0, 0, 0.5]), np.float32([0.5, 0, 0])
    assert psnr(black, black + blue, on_luma=True) > psnr(black, black + red, on_luma=True)


def test_ssim_agrees_with_scikit_image():
    theirs = structural_similarity(
        IMAGE, NOISY, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(IMAGE, NOISY) == pytest.approx(theirs, rel=1e-6)


def test_unequal_or_small_images_are_refused():
    with pytest.raises(InputError, match=r"shapes \(40, 56, 3\) and \(40, 55, 3\)"):
        psnr(IMAGE, IMAGE[:, :-1])
    with pytest.raises(InputError, match="less than 11 pixels remain"):
        ssim(IMAGE, IMAGE, crop_border=15)


def test_uniform_window_agrees_with_scikit_image():
    grey = [rgb2gray(image) for image in (IMAGE, NOISY)]
    for window in (7, 31):
        theirs = structural_similarity(*grey, win_size=window, data_range=1)
        assert ssim_uniform(IMAGE, NOISY, window) == pytest.approx(theirs, rel=1e-6)
    with pytest.raises(InputError, match="less than 51 pixels remain"):
        ssim_uniform(IMAGE, NOISY)


@pytest.mark.parametrize("metric", [psnr, ssim, l1, mse, relative_l1])
def test_another_range_than_0_to_1_is_an_error(metric):
    """Not a number of another scale: [-1, 1], floats up to 255, NaN; either picture."""
    right = np.random.default_rng(0).random((12, 12, 3)).astype(np.float32)
    assert np.isfinite(metric(right, right[::-1] * np.float32(1 + 1e-6)))  # rounding is no other range
    nan = right.copy()
    nan[0, 0, 0] = np.nan
    for wrong in (2 * right - 1, 255 * right, nan, (255 * right).astype(np.int64)):
        for pair in ((wrong, right), (right, wrong)):
            with pytest.raises(InputError, match=r"expected \[0, 1\], or uint8"):
                metric(*pair)


def test_mean_of_the_finite_ones():
    assert finite_mean([30, np.inf, 20]) == 25 and finite_mean([np.inf, np.inf]) == np.inf
    assert np.isnan(finite_mean([1, np.nan]))
