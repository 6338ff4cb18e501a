"""Verify faces: how well a score tells pairs of one person from pairs of two.

Scores are cosines of embeddings; figures are means over folds with their spread (population standard deviation).

Source: Huo et al. 2018 (WebCaricature: TAR at FAR 0.1 % and 1 %, AUC, ten folds); Liu et al. 2017 (SphereFace, LFW
accuracy); reference code of the definitions: experiments_on_face_photo2drawing sphereface/wc_eval.py.
"""

import numpy as np

from engine.errors import InputError

FALSE_RATES = {"tar_far_0.1": 1e-3, "tar_far_1": 1e-2}  # name -> false acceptance rate; names in percent
FEW_PAIRS = 10  # wrongly accepted pairs below which a TAR says little
THRESHOLDS = np.arange(-200, 201) / 200


def cosines(first, second):
    """Cosine of every row of [N, D] with the same row of [N, D]; a zero row gives 0."""
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(axis=1) / (norms + 1e-5)


def acceptance_rate(positive, negative, false_rate):
    """TAR at FAR: share of the positive scores above the smallest threshold that at most `false_rate` negatives pass.

    Differs: the seed's threshold is a negative that passes itself, see `seed_acceptance_rate`.

    Raises:
        InputError: no pair of one kind, or a score is NaN.
    """
    check_scores(positive, negative)
    allowed = int(len(negative) * false_rate + 1e-9)  # of n x rate negatives, whatever the rounding of the product
    return float(np.mean(positive > np.sort(negative)[len(negative) - 1 - allowed]))


def seed_acceptance_rate(positive, negative, false_rate):
    """The seed's rule: share of the positive scores at or above a negative one, which passes too: one or two too many.

    Source: sphereface/wc_eval.py.
    """
    check_scores(positive, negative)
    rank = int(len(negative) - 1 - len(negative) * false_rate)
    return float(np.mean(positive >= np.sort(negative)[max(rank, 0)]))


def check_scores(positive, negative):
    """InputError where there is no pair of one person, none of two, or a score that is no number. Source: ours."""
    for sort, scores in (("one person", positive), ("two people", negative)):
        if not len(scores):
            raise InputError(f"verification: no pair of {sort}; expected pairs of both sorts")
        if np.isnan(scores).any():
            raise InputError(f"verification: NaN among the scores of pairs of {sort}; expected numbers")


def area_under_curve(positive, negative):
    """Probability that a positive score exceeds a negative one.

    Differs: a tie counts one half; the reference counts it fully, which gives a constant score an area of 1.
    InputError as of `acceptance_rate`.
    """
    check_scores(positive, negative)
    ordered = np.sort(negative)
    below, not_above = np.searchsorted(ordered, positive, "left"), np.searchsorted(ordered, positive, "right")
    return float(np.mean(below + not_above) / 2 / len(negative))


def best_threshold(positive, negative):
    """The threshold of THRESHOLDS with the highest accuracy; the largest of several."""
    right = (positive[None] >= THRESHOLDS[:, None]).sum(1) + (negative[None] < THRESHOLDS[:, None]).sum(1)
    return float(THRESHOLDS[len(right) - 1 - np.argmax(right[::-1])])


def accuracy(positive, negative, threshold):
    """Share of right decisions, `score >= threshold` meaning one person."""
    return float((np.sum(positive >= threshold) + np.sum(negative < threshold)) / (len(positive) + len(negative)))


def fold_figures(folds, accepted=acceptance_rate):
    """The figures of every fold.

    Args:
        folds: list of (positive scores, negative scores), each an array.
        accepted: `acceptance_rate` or `seed_acceptance_rate`.

    Returns:
        name -> list with one number a fold: tar_far_0.1, tar_far_1, auc, and accuracy at the threshold that is best
        on the other folds, and that threshold (absent with a single fold).
    """
    figures = {name: [accepted(*fold, rate) for fold in folds] for name, rate in FALSE_RATES.items()}
    figures["auc"] = [area_under_curve(*fold) for fold in folds]
    for i, fold in enumerate(folds) if len(folds) > 1 else ():
        others = [scores for j, scores in enumerate(folds) if j != i]
        positive, negative = (np.concatenate(parts) for parts in zip(*others, strict=True))
        figures.setdefault("threshold", []).append(best_threshold(positive, negative))
        figures.setdefault("accuracy", []).append(accuracy(*fold, figures["threshold"][-1]))
    return figures


def summary(figures):
    """name -> mean over the folds, and name_std -> population standard deviation."""
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    return means | {f"{name}_std": float(np.std(values)) for name, values in figures.items()}


def too_few_pairs(folds):
    """A sentence for every false acceptance rate that rests on fewer than FEW_PAIRS pairs a fold, else nothing."""
    fewest = min(len(negative) for _, negative in folds)
    return [
        f"{name}: {fewest * rate:.3g} wrongly accepted pairs a fold decide it ({fewest} negative pairs)"
        for name, rate in FALSE_RATES.items()
        if fewest * rate < FEW_PAIRS
    ]


def pair_scores(embeddings, identities, is_caricature, cross_modal=True):
    """(positive, negative) cosines of all pairs of one fold: the rule of the unrestricted setting.

    Args:
        embeddings: [N, D].
        identities: [N].
        is_caricature: [N] bool; with `cross_modal` only pairs of a photo with a caricature count.
    """
    unit = embeddings / (np.linalg.norm(embeddings, axis=1, keepdims=True) + 1e-5)
    scores = unit @ unit.T
    same = identities[:, None] == identities[None]
    counts = np.triu(np.ones_like(same), 1)
    if cross_modal:
        counts &= is_caricature[:, None] != is_caricature[None]
    return scores[counts & same], scores[counts & ~same]


class Verification:
    """Set metric: photo-caricature verification with the identities dealt into ten folds, all pairs of a fold.

    Fewer than 20 identities give fewer folds, of two identities at least.
    """

    def __init__(self, accepted=acceptance_rate):
        """`accepted`: see `fold_figures`."""
        self.accepted = accepted
        self.embeddings, self.identities, self.is_caricature = [], [], []

    def update(self, pictures):
        """Take `embedding` [N, D], `identity` [N] and `is_caricature` [N] of a batch."""
        for name, kept in (
            ("embedding", self.embeddings),
            ("identity", self.identities),
            ("is_caricature", self.is_caricature),
        ):
            kept.append(np.asarray(pictures[name]))

    def result(self):
        """tar_far_0.1, tar_far_1, auc, accuracy and their `_std` over the folds.

        Raises:
            InputError: a fold lacks pairs of one person or of two, or an embedding is NaN.
        """
        embeddings, identities, modes = (
            np.concatenate(x) for x in (self.embeddings, self.identities, self.is_caricature)
        )
        people = np.unique(identities)
        folds = []
        for part in np.array_split(people, max(1, min(10, len(people) // 2))):
            chosen = np.isin(identities, part)
            folds.append(pair_scores(embeddings[chosen], identities[chosen], modes[chosen].astype(bool)))
        return summary(fold_figures(folds, self.accepted))
