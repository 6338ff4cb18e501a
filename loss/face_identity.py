"""Identity terms of face translation: a frozen recognition network compares a made face with the face it is made from.

All are means over the samples, and the gradient flows into the made face alone.

Source: yujiachen-y/experiments_on_face_photo2drawing codes/SATNet/trainer.py, revisions fda981f to a612e62 (hinge),
a3f7be8 (feature map), 7a8a309 (classes); Hinton et al. 2015 (kd).
"""

import paddle
import paddle.nn.functional as F

from model.shared.constant import as_constant
from model.shared.normalization import mean_of_all
from model.sphereface.network import network_input


def similarity(one, other):
    """Cosine similarity of every sample's embedding: 1 for the same direction.

    Args:
        one, other: [N, D].

    Returns:
        [N] in [-1, 1].

    Source: a612e62 trainer.py, cosdistance, which its name calls a distance.
    Differs: a sample at a time; the reference sums products and norms over the batch, which is right for one sample.
    """
    norms = one.norm(axis=1) * other.norm(axis=1)
    return (one * other).sum(axis=1) / (norms + 1e-8)


def hinge(made, source, threshold):
    """mean max(0, threshold - similarity): nothing is asked of faces that are alike enough.

    Source: a612e62 trainer.py, threshold 0.2875.
    """
    return F.relu(threshold - similarity(made, source)).mean()


def cosine(made, source):
    """mean (1 - similarity). Source: the plain form of `hinge`."""
    return (1.0 - similarity(made, source)).mean()


def feature_distance(made, source):
    """Mean squared distance of instance-normalised maps [N, C, H, W]. Source: a3f7be8 trainer.py."""
    distance = F.instance_norm(made, eps=1e-5) - F.instance_norm(source, eps=1e-5)
    return mean_of_all(distance * distance)


def distillation(made_logits, source_logits, temperature):
    """T^2 KL(softmax(source / T) || softmax(made / T)), mean over the samples; logits [N, classes].

    Source: Hinton et al. 2015, section 2; the reference names the idea and has no code for it.
    """
    wanted = F.softmax(source_logits / temperature, axis=1)
    difference = F.log_softmax(source_logits / temperature, axis=1) - F.log_softmax(made_logits / temperature, axis=1)
    return temperature**2 * (wanted * difference).sum(axis=1).mean()


def classification(made_logits, labels):
    """Cross-entropy with the source's identity, mean over the samples that have one (label >= 0); 0 without any.

    Args:
        made_logits: [N, classes].
        labels: int64 [N], -1 where the identity is not known.

    Source: 5923e48 trainer.py.
    """
    return masked_mean(F.cross_entropy(made_logits, labels.clip(min=0), reduction="none").reshape([-1]), labels >= 0)


def masked_mean(values, chosen):
    """Mean of values [N] where `chosen` [N] is true; 0, with a gradient of 0, where nothing is. Source: ours."""
    weight = chosen.astype(values.dtype)
    return (values * weight).sum() / weight.sum().clip(min=1.0)


def face_for_recognition(image, size):
    """[N, 3, H, W] at the recognition network's (height, width).

    Twice the size is reduced as the reference does it (mean of 3 x 3, stride 2, padding left out of it), a larger
    picture by area, a smaller one is enlarged bilinearly.

    Source: a612e62 trainer.py; areas and enlarging are ours.
    """
    height, width = image.shape[2:]
    if (height, width) == tuple(size):
        return image
    if (height, width) == (2 * size[0], 2 * size[1]):
        return F.avg_pool2d(image, 3, stride=2, padding=1, exclusive=True)
    if height > size[0]:
        return F.adaptive_avg_pool2d(image, size)
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False)


class TranslationIdentity:
    """One of the identity terms on a frozen recognition network, which sits inside and is in no checkpoint.

    Source: see the module.
    """

    def __init__(self, network, size, mode, threshold=0.2875, temperature=4.0, classifier=None):
        """Freeze both layers.

        Args:
            network: a Sphere20a, or another layer with its `embedding` and `features`.
            size: (height, width) it takes.
            mode: "hinge", "cosine", "feature", "kd" or "cls".
            threshold: of "hinge". temperature: of "kd".
            classifier: layer, embedding -> (|x| cos of every class, ...), for "kd" and "cls".
        """
        self.network, self.size, self.mode = network, tuple(size), mode
        self.threshold, self.temperature, self.classifier = threshold, temperature, classifier
        for layer in filter(None, (network, classifier)):
            as_constant(layer)

    def embedding(self, image):
        """[N, 3, H, W] in [-1, 1] -> [N, D]."""
        return self.network.embedding(face_for_recognition(image, self.size))

    def logits(self, image):
        """[N, 3, H, W] in [-1, 1] -> |x| cos of every class, [N, classes]."""
        return self.classifier(self.embedding(image))[0]

    def same_person(self, made, real, chosen):
        """mean (1 - similarity) to a real face of the same person, over the samples that are `chosen` [N]."""
        with paddle.no_grad():
            wanted = self.embedding(real)
        return masked_mean(1.0 - similarity(self.embedding(made), wanted), chosen)

    def __call__(self, made, source, labels):
        """Scalar; `made` and `source` [N, 3, H, W] in [-1, 1], `labels` [N] of the source for "cls"."""
        if self.mode == "cls":
            return classification(self.logits(made), labels)
        compute = {"feature": self._features, "kd": self.logits}.get(self.mode, self.embedding)
        with paddle.no_grad():
            wanted = compute(source)
        found = compute(made)
        if self.mode == "hinge":
            return hinge(found, wanted, self.threshold)
        if self.mode == "kd":
            return distillation(found, wanted, self.temperature)
        return {"cosine": cosine, "feature": feature_distance}[self.mode](found, wanted)

    def _features(self, image):
        return self.network.features(network_input(face_for_recognition(image, self.size)))


def same_person(labels):
    """[N] bool: samples whose photo and caricature show one known person. Source: ours."""
    return (labels["photo"] == labels["caricature"]) & (labels["photo"] >= 0)
