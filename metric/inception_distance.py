"""FID of a translation: the pictures made for a domain against the real pictures of that domain.

Source: Heusel et al. 2017; the seed's dltools/fid_trainer.py (ba against the caricatures, ab against the photos).
Differs: pictures in memory, in [0, 1]; the seed wrote networks' [-1, 1] to JPEG files, which cut off the dark half.
"""

import numpy as np

from engine.images import to_hwc
from metric.domains import MADE, compared_sets, made_domains
from metric.fid import FeatureStatistics, frechet_distance


class InceptionDistance:
    """Set metric: `<domain>` and, of the other domain's pictures as they are, `<domain>_untranslated`.

    Source: see the module.
    """

    def __init__(self, features):
        """`features`: [N, H, W, 3] RGB in [0, 1] -> [N, D], a `metric.inception_features.InceptionFeatures`."""
        self.features, self.sets = features, {}

    def update(self, pictures):
        """Add the features of a batch; no picture is kept."""
        for domain in made_domains(pictures):
            for name in (MADE + domain, domain):
                images = to_hwc(np.asarray(pictures[name], np.float32))
                self.sets.setdefault(name, FeatureStatistics()).update(self.features(images))

    def result(self):
        """{domain: FID, domain_untranslated: FID}. InputError with fewer than two pictures."""
        found = {name: statistics.result() for name, statistics in self.sets.items()}
        return {
            score: frechet_distance(*found[name], *found[domain])
            for score, (name, domain) in compared_sets(made_domains(found)).items()
        }
