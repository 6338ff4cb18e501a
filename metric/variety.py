"""Variety of a translation's styles: several translations of one picture, compared with each other.

Source: Huang et al. 2018 (MUNIT), section 5.3: diversity as the mean LPIPS of pairs of translations of one input.
Differs: the texture distance beside it needs no weights.
"""

from itertools import combinations

import numpy as np

from engine.images import to_hwc
from metric.domains import made_domains
from metric.texture_distance import texture_features

VARIANTS = "variants_of_"


class Variety:
    """Set metric of `variants_of_<domain>` [N, k, 3, H, W], k translations of each of N pictures.

    `<domain>_l1`: mean absolute difference of two variants' pixels. `<domain>_texture`: mean absolute difference of
    their texture features, each in units of its deviation among the domain's real pictures; two independent pictures of
    a normal distribution differ by 1.13. `<domain>_lpips`: mean LPIPS. All are 0 where the style does nothing.

    Source: see the module.
    """

    def __init__(self, lpips=None):
        """`lpips`: a `metric.lpips.LPIPSDistance`, or None to leave LPIPS out."""
        self.lpips, self.found, self.features, self.real = lpips, {}, {}, {}

    def update(self, pictures):
        """Compare the variants of a batch."""
        for domain in made_domains(pictures):
            variants = np.moveaxis(np.asarray(pictures[VARIANTS + domain], np.float32), 1, 0)
            pairs = list(combinations(range(len(variants)), 2))
            self._add(f"{domain}_l1", [np.abs(variants[i] - variants[j]).mean((1, 2, 3)) for i, j in pairs])
            if self.lpips:
                embedded = [self.lpips.embed(to_hwc(each)) for each in variants]
                self._add(f"{domain}_lpips", [self.lpips.between(embedded[i], embedded[j]) for i, j in pairs])
            features = np.stack([texture_features(each) for each in variants])
            self.features.setdefault(domain, []).append(
                np.concatenate([np.abs(features[i] - features[j]) for i, j in pairs])
            )
            self.real.setdefault(domain, []).append(texture_features(pictures[domain]))

    def _add(self, name, values):
        self.found.setdefault(name, []).append(np.concatenate(values))

    def result(self):
        """{"caricature_l1": ..., "caricature_texture": ..., "caricature_lpips": ...}, means over pairs and pictures."""
        scores = {name: float(np.concatenate(parts).mean()) for name, parts in self.found.items()}
        for domain, parts in self.features.items():
            deviation = np.concatenate(self.real[domain]).std(0) + 1e-9
            scores[f"{domain}_texture"] = float((np.concatenate(parts) / deviation).mean())
        return scores
