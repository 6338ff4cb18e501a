import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from data_loader import degrade as steps
from data_loader.blur_kernels import gaussian_kernel, random_kernel, random_kind
from data_loader.degrade import DegradationRanges, degrade
from engine.images import to_uint8

NOTHING = {  # a pipeline that changes (almost) nothing
    "blur": {"kinds": {"iso": 1.0}, "size": 3, "sigma": (0.01, 0.01), "rotation": (0, 0)},
    "scale": (1, 1),
    "noise": (0, 0),
    "jpeg_quality": (100, 100),
    "rounds_before_enlarging": True,
}
GPEN = {
    "blur": {"kinds": {"iso": 0.5, "aniso": 0.5}, "size": 41, "sigma": (0.1, 10), "rotation": (-3.1416, 3.1416)},
    "scale": (0.8, 8),
    "noise": (0, 20),
    "jpeg_quality": (60, 100),
    "rounds_before_enlarging": True,
}
COLOUR = {
    "shift_probability": 0, "shift": 20, "grey_probability": 0, "jitter_probability": 0,
    "brightness": (0.5, 1.5), "contrast": (0.5, 1.5), "saturation": (0, 1.5), "hue": (-0.1, 0.1),
}  # fmt: skip


def smooth_picture(size=64):
    y, x = np.mgrid[:size, :size] / size
    return np.stack([x, y, 1 - x], -1).astype(np.float32)


def run(image, seed=0, **changes):
    return degrade(image, DegradationRanges(**{**NOTHING, **changes}), np.random.default_rng(seed))


def test_red_stays_red_through_the_whole_pipeline():
    red = np.zeros((48, 48, 3), np.float32) + np.float32([1, 0, 0])
    degraded = degrade(red, DegradationRanges(**GPEN), np.random.default_rng(0))
    assert degraded.shape == red.shape and degraded.dtype == np.float32
    assert degraded[..., 0].mean() > 0.9 and degraded[..., 1:].mean() < 0.1


def test_pipeline_that_does_nothing_returns_the_picture():
    assert np.abs(run(smooth_picture()) - smooth_picture()).max() < 0.03


def test_same_generator_same_pixels():
    first, again, other = (
        degrade(smooth_picture(), DegradationRanges(**GPEN), np.random.default_rng(s)) for s in (7, 7, 8)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize(("sigma_y", "rotation"), [(3, 0.0), (1.5, 0.7)])
@pytest.mark.parametrize("size", [9, 41])
def test_blur_correlates_with_reflected_borders(sigma_y, rotation, size):
    kernel, margin = gaussian_kernel(size, 3, sigma_y, rotation), size // 2
    image = np.random.default_rng(0).random((16, 20, 3)).astype(np.float32)
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    assert np.abs(steps.blur(image, kernel) - (windows * kernel).sum((-1, -2))).max() < 1e-5


def test_blur_correlates_with_a_kernel_that_is_not_symmetric():
    kernel = np.random.default_rng(1).random((5, 5))
    image = np.random.default_rng(0).random((16, 20, 3)).astype(np.float32)
    assert np.abs(steps.blur(image, kernel) - cv2.filter2D(image, -1, kernel)).max() < 1e-5


@pytest.mark.parametrize("scale", [0.8, 1, 2.7, 8, 1000])
@pytest.mark.parametrize("rotation", [0.0, 0.7])
def test_a_blur_reduced_at_once_is_the_reduced_blur(rotation, scale):
    kernel = gaussian_kernel(21, 3, 3 if rotation == 0 else 1.5, rotation)
    image = np.random.default_rng(0).random((48, 37, 3)).astype(np.float32)
    wanted = steps.reduce(steps.blur(image, kernel), scale)
    np.testing.assert_allclose(steps.blur_and_reduce(image, kernel, scale), wanted, atol=1e-5)


@pytest.mark.parametrize("last", [False, True])
def test_pictures_are_those_of_the_published_steps(last):
    """Both official loops, with our draws: equal but for pixels that the last digit of float32 rounds the other way."""
    ranges = DegradationRanges(**GPEN | {"rounds_before_enlarging": not last})
    image, differences = cv2.GaussianBlur(np.random.default_rng(0).random((96, 80, 3)).astype(np.float32), None, 2), []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        kernel = random_kernel(random_kind(ranges.blur, rng), ranges.blur, rng)
        scale = rng.uniform(*ranges.scale)
        picture = cv2.resize(cv2.filter2D(image, -1, kernel), (int(80 // scale), int(96 // scale)))
        sigma = rng.uniform(*ranges.noise)
        picture = np.clip(picture + np.float32(rng.normal(size=picture.shape)) * sigma / 255, 0, 1)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(*ranges.jpeg_quality))]
        stream = cv2.imencode(".jpg", np.uint8(np.rint(picture[..., ::-1] * 255)), quality)[1]
        picture = cv2.resize(np.float32(cv2.imdecode(stream, 1)[..., ::-1]) / 255, (80, 96))
        picture = np.float32(np.rint(picture * 255) / 255) if last else picture
        differences.append(np.abs(degrade(image, ranges, np.random.default_rng(seed)) - picture) * 255)
    assert np.mean([difference.max() < 0.01 for difference in differences]) > 0.5
    assert np.mean(differences) < 0.01


def test_reduce_floors_height_and_width_and_keeps_a_pixel():
    image = np.zeros((50, 64, 3), np.float32)
    assert steps.reduce(image, 2.7).shape == (18, 23, 3)
    assert steps.reduce(image, 1000).shape == (1, 1, 3)


def test_noise_has_the_standard_deviation_it_is_given():
    grey = np.full((256, 256, 3), 0.5, np.float32)
    degraded = steps.add_noise(grey, np.random.default_rng(0).normal(size=grey.shape).astype(np.float32), 12)
    assert 255 * (degraded - grey).std() == pytest.approx(12, rel=0.02)
    assert abs(np.corrcoef(degraded[..., 0].ravel(), degraded[..., 1].ravel())[0, 1]) < 0.02  # channels independent


def test_noise_range_reaches_the_picture():
    grey = np.full((128, 128, 3), 0.5, np.float32)
    assert 255 * run(grey, noise=(15, 15)).std() > 8 > 1 > 255 * run(grey).std()


def test_lower_quality_loses_more_and_scale_and_sigma_blur():
    detailed = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    change = [np.abs(steps.jpeg(detailed, quality) - detailed).mean() for quality in (95, 60, 20)]
    assert change[0] < change[1] < change[2]
    plain = run(detailed).std()
    assert run(detailed, scale=(4, 4)).std() < 0.9 * plain
    wide = {**NOTHING["blur"], "size": 21, "sigma": (4, 4)}
    assert run(detailed, blur=wide).std() < 0.2 * plain


def test_rounding_is_last_or_before_enlarging():
    on_grid = lambda image: np.abs(image * 255 - np.rint(image * 255)).max() < 1e-3  # noqa: E731
    assert on_grid(run(smooth_picture(), scale=(3, 3), rounds_before_enlarging=False))
    assert not on_grid(run(smooth_picture(), scale=(3, 3)))


def test_rounding_is_that_of_pictures_that_are_written():
    image = (np.arange(-40, 560, dtype=np.float32) / 2 / 255).reshape(10, 20, 3)  # halves, below 0 and above 1 too
    assert np.array_equal(steps.rounded(image), to_uint8(image).astype(np.float32) / 255)


def test_colour_changes_act_by_their_probabilities():
    picture = smooth_picture()
    plain = run(picture)
    assert np.array_equal(run(picture, colour=COLOUR), plain)
    assert np.ptp(run(picture, colour={**COLOUR, "grey_probability": 1}), axis=-1).max() < 1e-6
    assert not np.allclose(run(picture, colour={**COLOUR, "jitter_probability": 1}), plain, atol=0.02)
    shifted = run(np.full((32, 32, 3), 0.5, np.float32), colour={**COLOUR, "shift_probability": 1})
    offsets = 255 * (shifted.mean((0, 1)) - 0.5)
    assert np.ptp(offsets) > 1 and np.abs(offsets).max() < 21


@pytest.mark.parametrize(("key", "value"), [("scale", (0, 2)), ("noise", (5, 1)), ("jpeg_quality", (60, 101))])
def test_bad_ranges_are_named(key, value):
    with pytest.raises(ValidationError, match=rf"{key}\n.*expected \[low, high\] with"):
        DegradationRanges(**{**NOTHING, key: value})


def test_reduction_is_opencvs_linear_to_the_whole_part_of_the_size():
    """Both published degradations: cv2.resize(..., (int(w // scale), int(h // scale)), INTER_LINEAR), so it aliases."""
    image = np.random.default_rng(0).random((37, 41, 3), np.float32)
    np.testing.assert_array_equal(steps.reduce(image, 2.7), cv2.resize(image, (15, 13), interpolation=cv2.INTER_LINEAR))
