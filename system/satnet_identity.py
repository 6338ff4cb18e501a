"""SATNet's recognition network: its file, and its use as identity term and as measure.

Source: yujiachen-y/experiments_on_face_photo2drawing codes/SATNet/trainer.py at a612e62.
"""

import numpy as np
import paddle

from engine.images import to_signed
from engine.weights.files import read_loss_weights, read_weights
from engine.weights.networks import load_layers
from loss.face_identity import TranslationIdentity, face_for_recognition
from model.sphereface.network import AngleLinear, Sphere20a


def identity_loss(settings):
    """The TranslationIdentity of IdentitySettings, or None where its file is missing and may be.

    Raises:
        InputError: the file is missing and `when_missing` is "stop", or does not fit.
    """
    arrays = read_loss_weights(settings.network, "identity", settings.when_missing, "recipe.identity.mode: none")
    if arrays is None:
        return None
    classifier = AngleLinear(settings.embedding_size, settings.num_classes) if settings.mode in ("kd", "cls") else None
    network = _recognizer(settings, arrays, classifier)
    return TranslationIdentity(
        network, settings.image_size, settings.mode, settings.threshold, settings.temperature, classifier
    )


def identity_embedder(settings):
    """[N, 3, H, W] in [0, 1] -> embeddings [N, D], by the network of IdentitySettings.

    Raises:
        InputError: its file is missing or does not fit.
    """
    network = _recognizer(settings, read_weights(settings.network))
    network.eval()

    def embed(image):
        with paddle.no_grad():
            face = face_for_recognition(to_signed(paddle.to_tensor(np.asarray(image))), settings.image_size)
            return network.embedding(face).numpy()

    return embed


def _recognizer(settings, arrays, classifier=None):
    """A Sphere20a with a file's weights, which also fill the classifier, if there is one."""
    network = Sphere20a(settings.image_size, settings.width, settings.embedding_size)
    layers = {"recognizer": network, "classifier": classifier}
    load_layers({name: layer for name, layer in layers.items() if layer is not None}, arrays, settings.network)
    return network
