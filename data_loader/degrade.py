"""Degrade a clean face: blur, reduce, noise, JPEG, enlarge, and for GFP-GAN a change of colour.

The steps are deterministic functions of explicit parameters; `degrade` draws those parameters and applies the steps.
Images are [H, W, 3] RGB float32 in [0, 1].

Source: Yang et al. 2021 (GPEN) and Wang et al. 2021 (GFP-GAN), their paragraphs on synthetic training pairs; reference
code GPEN training/data_loader/dataset_face.py, GFPGAN gfpgan/data/ffhq_degradation_dataset.py (both work in BGR).
"""

from math import inf

import cv2
import numpy as np

from data_loader import colour
from data_loader.blur_kernels import KernelRanges, random_kernel, random_kind
from data_loader.folder import ResizeKernel
from data_loader.ranges import range_within
from engine.images import resize, to_uint8
from engine.settings import Settings


class ColourRanges(Settings):
    """Colour changes of the degraded image only (GFP-GAN). `shift` is the largest one, in levels of 255."""

    shift_probability: float
    shift: float
    grey_probability: float
    jitter_probability: float
    brightness: range_within(0, inf)
    contrast: range_within(0, inf)
    saturation: range_within(0, inf)
    hue: range_within(-0.5, 0.5)


class DegradationRanges(Settings):
    """Every number of the pipeline.

    `scale` is how many times smaller the image becomes (below 1: larger), `noise` the standard deviation in levels of
    255. GPEN rounds to 8 bits before enlarging (`rounds_before_enlarging: true`), GFP-GAN at the very end. Both enlarge
    by "linear"; another `enlarge_kernel` is for comparisons, such as a bicubic baseline.
    """

    blur: KernelRanges
    scale: range_within(1e-2, inf)
    noise: range_within(0, 255)
    jpeg_quality: range_within(1, 100)
    rounds_before_enlarging: bool
    enlarge_kernel: ResizeKernel = "linear"
    colour: ColourRanges | None = None

    def degraded(self, image, rng):
        """`degrade` with these numbers."""
        return degrade(image, self, rng)


def blur(image, kernel):
    """Correlate each channel with the kernel [k, k], borders reflected about the edge pixel.

    A kernel that is the outer product of its marginal sums (a round Gaussian) is applied as two passes of k taps.
    """
    rows, columns = kernel.sum(1), kernel.sum(0)
    if np.abs(np.outer(rows, columns) - kernel).max() < 1e-9:
        return cv2.sepFilter2D(image, -1, columns, rows)
    return cv2.filter2D(image, -1, kernel)


def reduce(image, scale):
    """Shrink height and width to floor(size / scale), at least 1, bilinear without antialiasing."""
    height, width = image.shape[:2]
    return resize(image, (max(1, int(height // scale)), max(1, int(width // scale))), "linear")


def add_noise(image, noise, sigma):
    """Add standard normal `noise` (the image's shape) times sigma / 255, clipped."""
    return np.clip(image + noise * np.float32(sigma / 255), 0, 1)


def jpeg(image, quality):
    """The image after JPEG of that whole-numbered quality, chroma halved (4:2:0)."""
    bgr = np.ascontiguousarray(to_uint8(image)[..., ::-1])
    _, stream = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return cv2.imdecode(stream, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255


def rounded(image):
    """Rounded to 8-bit levels, still [0, 1] float32."""
    return to_uint8(image).astype(np.float32) / 255


def change_colour(image, ranges, rng):
    """GFP-GAN's colour changes: a shift of the channels, grey, and the four adjustments in random order."""
    if rng.uniform() < ranges.shift_probability:
        image = colour.shift_channels(image, rng.uniform(-ranges.shift, ranges.shift, 3) / 255)
    if rng.uniform() < ranges.grey_probability:
        image = colour.grey_rgb(image)
    if rng.uniform() < ranges.jitter_probability:
        adjustments = (
            (colour.adjust_brightness, ranges.brightness),
            (colour.adjust_contrast, ranges.contrast),
            (colour.adjust_saturation, ranges.saturation),
            (colour.adjust_hue, ranges.hue),
        )
        for chosen in rng.permutation(len(adjustments)):
            adjust, factors = adjustments[chosen]
            image = adjust(image, rng.uniform(*factors))
    return image


def degrade(image, ranges, rng):
    """A degraded copy of the same size.

    Args:
        ranges: DegradationRanges.
        rng: numpy Generator or RandomState; draws follow the official order.

    Differs: the official code draws the kernel kind from `random` and the order of the jitter from torch.
    """
    size = image.shape[:2]
    kernel = random_kernel(random_kind(ranges.blur, rng), ranges.blur, rng)
    degraded = reduce(blur(image, kernel), rng.uniform(*ranges.scale))
    sigma = rng.uniform(*ranges.noise)
    degraded = add_noise(degraded, rng.normal(size=degraded.shape).astype(np.float32), sigma)
    degraded = jpeg(degraded, int(rng.uniform(*ranges.jpeg_quality)))
    if ranges.rounds_before_enlarging:
        degraded = rounded(degraded)
    degraded = resize(degraded, size, ranges.enlarge_kernel)
    if ranges.colour is not None:
        degraded = change_colour(degraded, ranges.colour, rng)
    return degraded if ranges.rounds_before_enlarging else rounded(degraded)
