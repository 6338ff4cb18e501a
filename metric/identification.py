"""Identify faces: how often the right person of a gallery is the nearest to a probe, or among the nearest.

Source: the landmark inpainting project, table 3 (Top-1 and Top-5 of face identification); Phillips et al. 2000 (FERET)
for probe, gallery and rank.
"""

import numpy as np

from engine.errors import InputError


class Gallery:
    """Known pictures of people.

    A person is as near as the nearest of the own pictures; nearness is the cosine of embeddings.
    """

    def __init__(self, vectors, people):
        """`vectors` [M, D], `people` [M] labels. InputError where it is empty."""
        if not len(vectors):
            raise InputError("gallery: holds no picture; expected other pictures of the probes' people")
        self.vectors, self.people = unit(vectors), np.asarray(people)
        self.names = np.unique(self.people)

    def ranks(self, vectors, people):
        """Rank of the right person for every probe: 1 is the nearest.

        Args:
            vectors: [N, D].
            people: [N] labels.

        Returns:
            [N] int; people as near as the right one count as nearer, so that equal vectors prove nothing.

        Raises:
            InputError: the gallery lacks a probe's person.
        """
        people = np.asarray(people)
        if missing := sorted(set(people.tolist()) - set(self.names.tolist())):
            raise InputError(f"gallery: no picture of {missing[0]}; expected one of every probe's person")
        cosines = unit(vectors) @ self.vectors.T
        nearness = np.stack([cosines[:, self.people == name].max(axis=1) for name in self.names], axis=1)
        right = nearness[np.arange(len(people)), np.searchsorted(self.names, people)]
        return (nearness >= right[:, None]).sum(axis=1)


def unit(vectors):
    """[N, D] -> rows of length 1, float64."""
    vectors = np.asarray(vectors, np.float64)
    return vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12)


def top(ranks, count):
    """Share of the probes whose person is among the `count` nearest, 0 to 1."""
    return float(np.mean(np.asarray(ranks) <= count))


class ArcFaceFeatures:
    """InsightFace's recognition networks as an ONNX file, through onnxruntime.

    Source: Deng et al. 2019 (ArcFace); reference code: deepinsight/insightface python-package,
    model_zoo/arcface_onnx.py (input (RGB - 127.5) / 127.5, faces aligned to 112 x 112).
    """

    def __init__(self, session):
        """`session`: onnxruntime.InferenceSession."""
        self.session = session

    def __call__(self, crops):
        """[N, 112, 112, 3] in [0, 1], aligned -> [N, D]."""
        blob = (np.moveaxis(np.float32(crops), -1, 1) * 255 - 127.5) / 127.5
        name = self.session.get_inputs()[0].name
        return np.concatenate([self.session.run(None, {name: np.ascontiguousarray(each[None])})[0] for each in blob])
