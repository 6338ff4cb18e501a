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
from engine.images import resize
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
    """Correlate each channel with the kernel [k, k], borders reflected about the edge pixel."""
    passes = separated(kernel)
    if passes is None:
        return correlate(image, kernel)
    return cv2.filter2D(cv2.filter2D(image, -1, passes[0]), -1, passes[1])


def separated(kernel):
    """Kernels [k, 1] and [1, k] whose product the kernel is, as a round Gaussian's, or None."""
    passes = kernel.sum(1, keepdims=True), kernel.sum(0, keepdims=True)
    return passes if np.abs(passes[0] * passes[1] - kernel).max() < 1e-9 else None


def correlate(image, kernel):
    """`blur` with any kernel, by Fourier transforms of whole planes: half the time of cv2.filter2D's, of blocks.

    They are computed in place, because fresh memory would cost as much as the transforms.
    """
    (height, width), k = image.shape[:2], len(kernel)
    full_height, full_width = (cv2.getOptimalDFTSize(side + k - 1) for side in (height, width))
    margins = (k // 2, full_height - height - k // 2, k // 2, full_width - width - k // 2)
    spectrum, plane = np.zeros((full_height, full_width), np.float32), np.empty((full_height, full_width), np.float32)
    spectrum[:k, :k] = kernel
    cv2.dft(spectrum, spectrum, nonzeroRows=k)
    result = np.empty_like(image)
    for channel in range(image.shape[2]):
        cv2.copyMakeBorder(cv2.extractChannel(image, channel), *margins, cv2.BORDER_REFLECT_101, plane)
        cv2.dft(plane, plane)
        cv2.mulSpectrums(plane, spectrum, 0, plane, conjB=True)
        cv2.dft(plane, plane, cv2.DFT_INVERSE | cv2.DFT_SCALE, nonzeroRows=height)
        cv2.insertChannel(plane[:height, :width], result, channel)
    return result


def reduced_size(image, scale):
    """(height, width) divided by the scale, floored, at least 1."""
    return tuple(max(1, int(side // scale)) for side in image.shape[:2])


def reduce(image, scale):
    """Shrink to `reduced_size`, bilinear without antialiasing."""
    return resize(image, reduced_size(image, scale), "linear")


def blur_and_reduce(image, kernel, scale):
    """`reduce(blur(image, kernel), scale)`; of two passes the second has only the rows that are left."""
    passes = separated(kernel)
    if passes is None:
        return reduce(correlate(image, kernel), scale)
    height, width = reduced_size(image, scale)
    image = resize(cv2.filter2D(image, -1, passes[0]), (height, image.shape[1]), "linear")
    return resize(cv2.filter2D(image, -1, passes[1]), (height, width), "linear")


def add_noise(image, noise, sigma):
    """Add standard normal `noise` (the image's shape) times sigma / 255, clipped."""
    return np.clip(image + noise * np.float32(sigma / 255), 0, 1)


def jpeg(image, quality):
    """The image after JPEG of that whole-numbered quality, chroma halved (4:2:0); its values are 8-bit levels."""
    bgr = cv2.cvtColor(_bytes(image), cv2.COLOR_RGB2BGR)
    _, stream = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _levels(cv2.cvtColor(cv2.imdecode(stream, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def rounded(image):
    """Rounded to 8-bit levels, still [0, 1] float32."""
    return _levels(_bytes(image))


def _bytes(image):
    """`engine.images.to_uint8` of [H, W, 3] float32, in one pass of OpenCV."""
    return cv2.addWeighted(image, 255, image, 0, 0, dtype=cv2.CV_8U)


def _levels(image):
    """Bytes as [0, 1] float32."""
    image = image.astype(np.float32)
    image /= 255
    return image


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
    degraded = blur_and_reduce(image, kernel, rng.uniform(*ranges.scale))
    sigma = rng.uniform(*ranges.noise)
    degraded = add_noise(degraded, rng.normal(size=degraded.shape).astype(np.float32), sigma)
    degraded = jpeg(degraded, int(rng.uniform(*ranges.jpeg_quality)))
    degraded = resize(degraded, size, ranges.enlarge_kernel)
    if ranges.colour is not None:
        degraded = change_colour(degraded, ranges.colour, rng)
    return degraded if ranges.rounds_before_enlarging else rounded(degraded)
