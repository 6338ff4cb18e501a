"""Kernel distance of two sets of pictures (KID): an unbiased estimate for sets of any size.

Source: Binkowski et al. 2018, section 4 and eq. (4); Gretton et al. 2012, lemma 6.
Differs: the reference averages the estimate over 100 random subsets of 1000 features; here it is taken once over all
features, or over a uniform sample of `Sample.capacity` of them, so that memory is bounded. Both have the same mean.
"""

import numpy as np

from engine.errors import InputError

ROWS = 1024  # of a kernel matrix at a time


class Sample:
    """A uniform random sample of at most `capacity` vectors out of a stream; all of them while there are no more.

    Source: Vitter 1985, algorithm R.
    """

    def __init__(self, capacity=5000, seed=0):
        """`seed` of the draw."""
        self.capacity, self.rng = capacity, np.random.default_rng(seed)
        self.count, self.kept = 0, []

    def update(self, features):
        """Add [N, D] features."""
        for vector in np.asarray(features, np.float32):
            self.count += 1
            if len(self.kept) < self.capacity:
                self.kept.append(vector.copy())
                continue
            place = self.rng.integers(self.count)
            if place < self.capacity:
                self.kept[place] = vector.copy()

    def result(self):
        """[min(count, capacity), D] float32."""
        return np.stack(self.kept)


def kernel_distance(features, other_features):
    """Unbiased squared maximum mean discrepancy with the kernel (x . y / D + 1)^3.

    Args:
        features, other_features: [N, D] and [M, D].

    Returns:
        float; around 0, also below, for two samples of one distribution.

    Raises:
        InputError: a set of fewer than two vectors.
    """
    first, second = (np.asarray(each, np.float64) for each in (features, other_features))
    if min(len(first), len(second)) < 2:
        raise InputError(f"KID needs 2 pictures or more in each set; found {len(first)} and {len(second)}")
    within = sum(_mean_kernel_of_pairs(each) for each in (first, second))
    return float(within - 2 * _kernel_sum(first, second) / (len(first) * len(second)))


def _mean_kernel_of_pairs(features):
    """Mean of the kernel over pairs of different vectors of one set."""
    own = ((features * features).sum(axis=1) / features.shape[1] + 1) ** 3
    return (_kernel_sum(features, features) - own.sum()) / (len(features) * (len(features) - 1))


def _kernel_sum(first, second):
    """Sum of the kernel over all pairs of vectors of two sets."""
    blocks = (first[start : start + ROWS] for start in range(0, len(first), ROWS))
    return sum(((block @ second.T / first.shape[1] + 1) ** 3).sum() for block in blocks)
