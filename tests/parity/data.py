"""Our values for the golden families of data and pixel metrics.

The golden pictures of degradation and metrics are BGR, ours RGB: they are flipped on the way in and out.
"""

import numpy as np
from scipy.special import j1

from data_loader import blur_kernels, colour, degrade
from data_loader.blur_kernels import KernelRanges, random_kernel
from engine.images import resize, to_chw, to_hwc
from metric.psnr_ssim import luma, psnr, ssim

GFPGAN_SIGMA = (0.1, 10.0)
KINDS = ("iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso")


def sinc_kernel(size, cutoff, pad_to=0):
    """Ideal circular low-pass filter J1(cutoff r) cutoff / (2 pi r), zero-padded to [pad_to, pad_to] where larger.

    Args:
        cutoff: in radians a pixel; pi passes everything along the axes.
    """
    radius = np.sqrt(blur_kernels.elliptic_distance(size, 1, 1, 0))
    radius[size // 2, size // 2] = 1  # stands in for 0; the limit is written below
    kernel = cutoff * j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * np.pi)
    return np.pad(blur_kernels.normalized(kernel), max(0, pad_to - size) // 2)


def blur_kernel_values(config, inputs, weights):
    """Every kernel form with the case's parameters, and as drawn with GFP-GAN's ranges after seeding."""
    size, sigma_x, beta = config["ks"], config["sx"], config["beta"]
    values = {"out:sinc": sinc_kernel(size, config["cutoff"], pad_to=size + 4)}
    for kind in KINDS:
        is_round = not kind.endswith("aniso")
        sigma_y, rotation = (sigma_x, 0.0) if is_round else (config["sy"], config["theta"])
        form = blur_kernels.plateau_kernel if kind.startswith("plateau") else blur_kernels.gaussian_kernel
        shape = 1.0 if kind in ("iso", "aniso") else beta
        values[f"out:{kind}"] = form(size, sigma_x, sigma_y, rotation, shape)
        ranges = KernelRanges(kinds={kind: 1}, size=size, sigma=GFPGAN_SIGMA, rotation=(-np.pi, np.pi))
        values[f"out:random_{kind}"] = random_kernel(kind, ranges, np.random.RandomState(config["rs"]))
    return values


def degradation_values(config, inputs, weights):
    """Each step of the pipeline with fixed parameters; `lq` rounds at the end (GFP-GAN), `lq_gpen` before enlarging."""
    sigma_y, rotation = (config["sx"], 0.0) if config["iso"] else (config["sy"], config["theta"])
    kernel = blur_kernels.gaussian_kernel(config["ks"], config["sx"], sigma_y, rotation)
    image, noise = inputs["in:gt"][..., ::-1], inputs["in:noise"][..., ::-1]
    size = image.shape[:2]
    blurred = degrade.blur(np.ascontiguousarray(image), kernel)
    small = degrade.reduce(blurred, config["scale"])
    noisy = degrade.add_noise(small, noise, config["sigma"])
    compressed = degrade.jpeg(noisy, config["quality"])
    values = {
        "after_blur": blurred,
        "after_down": small,
        "after_noise": noisy,
        "after_jpeg": compressed,
        "up_without_jpeg": resize(noisy, size, "linear"),
        "lq": degrade.rounded(resize(compressed, size, "linear")),
        "lq_gpen": resize(degrade.rounded(compressed), size, "linear"),
    }
    return {f"out:{name}": value[..., ::-1] for name, value in values.items()}


def colour_values(config, inputs, weights):
    """The four adjustments and both greys; the family's other keys belong to losses."""
    pictures = to_hwc(inputs["in:x"])

    def each(change, *arguments):
        return to_chw(np.stack([change(picture, *arguments) for picture in pictures]))

    return {
        "out:brightness": each(colour.adjust_brightness, config["br"]),
        "out:contrast": each(colour.adjust_contrast, config["co"]),
        "out:saturation": each(colour.adjust_saturation, config["sa"]),
        "out:hue": each(colour.adjust_hue, config["hu"]),
        "out:gray": each(colour.grey, colour.TORCHVISION_GREY_WEIGHTS),
        "out:cv_bgr2gray": colour.grey(pictures[0])[..., 0],
    }


def metric_values(config, inputs, weights):
    """PSNR and SSIM with border 0 and 4, on RGB and on Y, of 8-bit and of [0, 1] images."""
    pair = [inputs["in:a"][..., ::-1], inputs["in:b"][..., ::-1]]
    values = {"out:y_of_a": 255 * luma(pair[0])}
    for name, metric in (("psnr", psnr), ("ssim", ssim)):
        for border in (0, 4):
            for on_luma in (False, True):
                values[f"out:{name}_{border}_{int(on_luma)}"] = np.float64(metric(*pair, border, on_luma))
    unit = [image.astype(np.float32) / 255 for image in pair]
    values["out:psnr_pt_rgb01_0_0"] = np.array([psnr(*unit)])
    values["out:ssim_pt_rgb01_4_1"] = np.array([ssim(*unit, 4, True)])
    return values


CASES = {
    "blur_kernels": blur_kernel_values,
    "gfpgan_degradation": degradation_values,
    "color_ops": colour_values,
    "metrics_psnr_ssim": metric_values,
}
