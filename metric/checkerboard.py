"""Checkerboards in made pictures: energy at the grids of the up-sampling steps, against real pictures.

A decoder that doubles the size twice can leave patterns that alternate every pixel, every 2 and every 4 pixels: periods
of 2, 4 and 8 pixels, the Nyquist frequency, its half and its quarter.

Source: the artefact: Odena et al. 2016 (Deconvolution and Checkerboard Artifacts); the measure is ours.
"""

import numpy as np

from metric.domains import MADE, made_domains

PERIODS = (2, 4, 8)  # pixels
LOBE, RING = 1, 2  # bins: the window spreads a frequency over the lobe; the ring round it is what is there anyway


def power_spectrum(images):
    """Sum of the power spectra of pictures and channels, means removed, under a Hann window.

    Args:
        images: [N, 3, H, W]; the centre is taken, with sides that are multiples of 8.

    Returns:
        [H', W'] float64; bin [i, j] is i / H' by j / W' periods a pixel.

    Source: Welch 1967 (the window).
    """
    images = np.asarray(images, np.float64)
    sides = [side // max(PERIODS) * max(PERIODS) for side in images.shape[2:]]
    top, left = ((have - want) // 2 for have, want in zip(images.shape[2:], sides, strict=True))
    images = images[:, :, top : top + sides[0], left : left + sides[1]]
    window = np.outer(*(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side) for side in sides))
    images = images - (images * window).sum((2, 3), keepdims=True) / window.sum()
    return (np.abs(np.fft.fft2(images * window)) ** 2).sum((0, 1))


def lattice_energy(power, period):
    """Energy of the patterns of one period: stripes either way and the checkerboard.

    Args:
        power: [H, W] of `power_spectrum`.
        period: pixels; divides H and W.

    Returns:
        (mean power at those frequencies, the same over the mean power round them); the second is about 1 where nothing
        stands out, whatever the contrast and the noise of the pictures.

    Source: ours.
    """
    rows, columns = (side // period for side in power.shape)
    points = [(rows, 0), (0, columns), (rows, columns), (rows, -columns)]
    reach = np.arange(-RING, RING + 1)
    patches = np.stack([power[np.ix_((i + reach) % power.shape[0], (j + reach) % power.shape[1])] for i, j in points])
    is_lobe = (np.abs(reach)[:, None] <= LOBE) & (np.abs(reach)[None] <= LOBE)
    energy, around = patches[:, is_lobe].mean(), patches[:, ~is_lobe].mean()
    return energy, energy / (around + 1e-12)


class Checkerboard:
    """Set metric: made pictures over real ones of the domain; 1 is as much as there should be.

    `<domain>_2px`, `_4px`, `_8px` are ratios of energies, which contrast, blur and noise change too; `..._peak` those
    of how far the grid's frequencies stand out of their surroundings, which a checkerboard alone raises.

    Source: ours; see the module.
    """

    def __init__(self):
        """Nothing seen yet."""
        self.power = {}

    def update(self, pictures):
        """Add the spectra of a batch, as many made pictures as real ones; no picture is kept."""
        for domain in made_domains(pictures):
            for name in (MADE + domain, domain):
                self.power[name] = self.power.get(name, 0) + power_spectrum(pictures[name])

    def result(self):
        """{"caricature_2px": ratio, "caricature_2px_peak": ratio, ...}."""
        scores = {}
        for domain in made_domains(self.power):
            for period in PERIODS:
                made, real = (lattice_energy(self.power[name], period) for name in (MADE + domain, domain))
                scores[f"{domain}_{period}px"] = float(made[0] / (real[0] + 1e-12))
                scores[f"{domain}_{period}px_peak"] = float(made[1] / (real[1] + 1e-12))
        return scores
