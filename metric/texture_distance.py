"""Distance of two sets of pictures in colour and texture: a substitute for FID that needs no weights.

Source: ours, after Heusel et al. 2017 (the Frechet distance of two normal distributions) and Dowson and Landau 1982.
"""

import numpy as np

from metric.domains import MADE, compared_sets, made_domains
from metric.fid import frechet_distance

LEVELS = 3  # full, half and quarter size
OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]], np.float32)  # light, red-green, blue


def texture_features(images):
    """39 numbers per picture: means of the light and colour channels; at three sizes their contrast and fine detail.

    Args:
        images: [N, 3, H, W] RGB in [0, 1].

    Returns:
        [N, 39] float64: 3 means, then for each size deviation, mean |d/dx|, mean |d/dy|, mean |second difference|.

    Source: ours.
    """
    maps = np.einsum("oc,nchw->nohw", OPPONENT, np.asarray(images, np.float32))
    found = [maps.mean((2, 3))]
    for _ in range(LEVELS):
        dx, dy = np.diff(maps, axis=3), np.diff(maps, axis=2)
        edges = np.abs(np.diff(dx, axis=3)).mean((2, 3)) + np.abs(np.diff(dy, axis=2)).mean((2, 3))
        found += [maps.std((2, 3)), np.abs(dx).mean((2, 3)), np.abs(dy).mean((2, 3)), edges]
        height, width = (side // 2 * 2 for side in maps.shape[2:])
        maps = maps[:, :, :height, :width]
        maps = (maps[:, :, ::2, ::2] + maps[:, :, 1::2, ::2] + maps[:, :, ::2, 1::2] + maps[:, :, 1::2, 1::2]) / 4
    return np.concatenate(found, 1).astype(np.float64)


def statistics(features):
    """(mean [D], covariance [D, D]) of [N, D], for metric.fid.frechet_distance. Source: Heusel et al. 2017."""
    return features.mean(0), np.cov(features, rowvar=False)


class TextureDistance:
    """Frechet distance of texture features, made pictures `to_<domain>` against the real ones `<domain>`.

    Features are divided by their deviation in the real set, so a distance of 39 is one deviation in every feature.
    `<domain>_untranslated` is the other domain's distance, what a translation that does nothing would get.

    Source: ours; no FID, which compares features of an Inception network (`metric.inception_distance`).
    """

    def __init__(self):
        """Start empty."""
        self.features = {}

    def update(self, pictures):
        """Take a batch with what was made of it."""
        for domain in made_domains(pictures):
            for name in (MADE + domain, domain):
                self.features.setdefault(name, []).append(texture_features(pictures[name]))

    def result(self):
        """{domain: distance, domain_untranslated: distance}."""
        sets = {name: np.concatenate(parts) for name, parts in self.features.items()}
        scales = {name: features.std(0) + 1e-9 for name, features in sets.items()}
        return {
            score: frechet_distance(
                *statistics(sets[name] / scales[domain]), *statistics(sets[domain] / scales[domain])
            )
            for score, (name, domain) in compared_sets(made_domains(sets)).items()
        }
