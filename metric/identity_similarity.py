"""Measure whether a made face is still the person of its source. Cosines of a face recognition network's embeddings.

Source: the seed's trainer.py at a612e62 (made against its own source); Huo et al. 2018 (area under the curve).
"""

import numpy as np

from metric.domains import MADE, made_domains
from metric.verification import area_under_curve

SAME = 1 - 1e-6  # cosine of two sources from which they are one picture


class IdentitySimilarity:
    """Set metric of a translation between two domains.

    `<domain>`: mean cosine of a picture made for the domain and its source. `<domain>_others`: the same with the other
    sources of the set, those of the same person left out. `<domain>_auc`: probability that the own source is the more
    similar. `real_pairs`: mean cosine of real pictures of one person in both domains, where the set has such pairs.

    A network that training itself asked for identity knows too well: judge such a run with another one.

    Source: see the module.
    """

    def __init__(self, embed):
        """`embed`: [N, 3, H, W] RGB in [0, 1], a tensor -> array [N, D]."""
        self.embed, self.vectors, self.labels = embed, {}, {}

    def update(self, pictures):
        """Add the embeddings of a batch; no picture is kept. Identities: `identity`, `caricature_identity`, [N]."""
        for domain in made_domains(pictures):
            for name in (MADE + domain, domain):
                found = np.asarray(self.embed(pictures[name]), np.float64)
                self.vectors.setdefault(name, []).append(found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-8))
        for name in ("identity", "caricature_identity"):
            self.labels.setdefault(name, []).append(np.asarray(pictures[name]))

    def result(self):
        """The scores; see the class."""
        vectors = {name: np.concatenate(parts) for name, parts in self.vectors.items()}
        photo, caricature = (np.concatenate(self.labels[name]) for name in ("identity", "caricature_identity"))
        people, scores = {"photo": photo, "caricature": caricature}, {}
        for domain in made_domains(vectors):
            source = next(name for name in people if name != domain)
            cosines = vectors[MADE + domain] @ vectors[source].T
            known = people[source] >= 0
            same = (people[source][:, None] == people[source][None]) & known[:, None]
            same |= vectors[source] @ vectors[source].T > SAME
            own, others = np.diag(cosines), cosines[~same]
            scores[domain] = float(own.mean())
            if len(others):
                scores |= {f"{domain}_others": float(others.mean()), f"{domain}_auc": area_under_curve(own, others)}
        paired = (photo == caricature) & (photo >= 0)
        if paired.any():
            scores["real_pairs"] = float((vectors["photo"] * vectors["caricature"]).sum(1)[paired].mean())
        return scores
