"""Frechet distance of two sets of pictures by mean and covariance of their features (FID), streamed.

A set becomes a `FeatureStatistics`: features are added batch by batch and forgotten, so memory does not depend on the
number of pictures. With fewer pictures than features (2048) the covariance is singular and the distance biased upwards:
it is still defined, and comparable only between sets of equal size; `metric.kid` has no such bias.

Source: Heusel et al. 2017, eq. (6); mseitzer/pytorch-fid fid_score.py (definitions, format of saved statistics).
Differs: the trace of the root of the product is the sum of the singular values of the product of the two roots, which
are the roots of the eigenvalues of the product: real and accurate for singular covariances too, without the 1e-6 that
the reference adds when its matrix root fails.
"""

import numpy as np

from engine.errors import InputError
from engine.files import read_arrays, replacing

TOGETHER = 256  # vectors that are added to the products at once


class FeatureStatistics:
    """Mean and covariance of feature vectors that arrive in batches; float64, D * D numbers whatever the count."""

    def __init__(self):
        """Empty."""
        self.count, self.origin, self.sum, self.products = 0, None, None, None
        self.waiting = []

    def update(self, features):
        """Add [N, D] features."""
        features = np.asarray(features, np.float64)
        self.count += len(features)
        self.waiting.append(features)
        if sum(map(len, self.waiting)) >= TOGETHER:
            self._add_waiting()

    def _add_waiting(self):
        """Many vectors at a time: one product of D * D numbers costs as much for one as for a hundred."""
        features, self.waiting = np.concatenate(self.waiting), []
        if self.origin is None:
            self.origin = features.mean(axis=0)  # sums are taken around it: no cancellation in the covariance
            self.sum, self.products = np.zeros_like(self.origin), np.zeros((len(self.origin), len(self.origin)))
        centred = features - self.origin
        self.sum += centred.sum(axis=0)
        self.products += centred.T @ centred

    def result(self):
        """-> (mean [D], covariance [D, D] divided by count - 1).

        Raises:
            InputError: fewer than two vectors.
        """
        if self.count < 2:
            raise InputError(f"a covariance needs 2 pictures or more; found {self.count}")
        if self.waiting:
            self._add_waiting()
        offset = self.sum / self.count
        covariance = (self.products - self.count * np.outer(offset, offset)) / (self.count - 1)
        return self.origin + offset, covariance


def frechet_distance(mean, covariance, other_mean, other_covariance):
    """Squared Frechet distance of two normal distributions: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    Args:
        mean, other_mean: [D].
        covariance, other_covariance: [D, D], symmetric, not negative; may be singular.

    Returns:
        float, 0 or more up to rounding.

    Raises:
        InputError: a number is NaN or infinite.
    """
    if not all(np.isfinite(each).all() for each in (mean, covariance, other_mean, other_covariance)):
        raise InputError("FID: NaN or infinite features; expected finite ones")
    difference = np.asarray(mean, np.float64) - np.asarray(other_mean, np.float64)
    traces = np.trace(covariance) + np.trace(other_covariance)
    product = _root(covariance).T @ _root(other_covariance)
    return float(difference @ difference + traces - 2 * np.linalg.svd(product, compute_uv=False).sum())


def _root(covariance):
    """[D, rank] matrix R with R R' = covariance, from its eigenvalues; those within rounding of zero are left out."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
    kept = values > max(values[-1], 0) * len(values) * np.finfo(np.float64).eps
    return vectors[:, kept] * np.sqrt(values[kept])


def save_statistics(path, statistics, facts):
    """Write a set's statistics as .npz: `mu` and `sigma` as pytorch-fid reads them, `n` and the other facts as text.

    Args:
        path: file, written whole or not at all.
        statistics: FeatureStatistics.
        facts: name -> str, what the features depend on ("resize", "weights", ...).
    """
    mean, covariance = statistics.result()
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(
            file,
            mu=mean,
            sigma=covariance,
            n=np.int64(statistics.count),
            **{f"fact_{name}": np.array(str(value)) for name, value in facts.items()},
        )


def load_statistics(path):
    """Statistics of a .npz file.

    Returns:
        (mean [D], covariance [D, D], facts): facts is name -> str, with "n" if the file tells; those that pytorch-fid
        wrote have none.

    Raises:
        InputError: no such file, a damaged one, or one without a fitting `mu` and `sigma`.
    """
    arrays = read_arrays(path, "saved FID statistics (.npz with mu and sigma)")
    if not {"mu", "sigma"} <= arrays.keys():
        raise InputError(f"{path}: no saved FID statistics; found {sorted(arrays)[:4]}, expected mu and sigma")
    facts = {name.removeprefix("fact_"): str(arrays[name]) for name in arrays if name not in ("mu", "sigma")}
    return *checked_statistics(path, arrays["mu"], arrays["sigma"]), facts


def checked_statistics(path, mean, covariance):
    """(mean [D], covariance [D, D]) in float64. InputError, naming the file, for other shapes, NaN or infinities."""
    if not all(np.issubdtype(each.dtype, np.number) for each in (mean, covariance)):
        raise InputError(f"{path}: statistics of {mean.dtype} and {covariance.dtype}; expected numbers")
    mean, covariance = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise InputError(f"{path}: mean {mean.shape} and covariance {covariance.shape}; expected [D] and [D, D]")
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise InputError(f"{path}: statistics with NaN or infinite values; expected finite ones")
    return mean, covariance
