"""A-Softmax: cross-entropy in which the angle to the true class counts m-fold, eased in by an annealed weight.

Source: Liu et al. 2017 (SphereFace), equation (7) and appendix (annealing); reference code: clcarwin/sphereface_pytorch
net_sphere.py, AngleLoss, with its focal exponent 0.
"""

import paddle.nn.functional as F


def annealing(step, base=1500.0, gamma=0.1, floor=5.0):
    """Weight of the plain cosine beside the widened one: max(floor, base / (1 + gamma * (step + 1))); step from 0."""
    return max(floor, base / (1 + gamma * (step + 1)))


def angular_softmax(cosine, psi, labels, weight):
    """Scalar loss, mean over the batch.

    Args:
        cosine: [N, C], |x| cos(theta).
        psi: [N, C], |x| psi(theta).
        labels: [N], int64.
        weight: lambda of `annealing`; the true class's logit is (lambda cosine + psi) / (1 + lambda).
    """
    truth = F.one_hot(labels, cosine.shape[1])
    logits = cosine + truth * (psi - cosine) / (1 + weight)
    return F.cross_entropy(logits, labels)


def class_accuracy(cosine, labels):
    """Share of the batch whose nearest class is the true one, float32 scalar."""
    return (cosine.argmax(axis=1) == labels).astype("float32").mean()
