"""SphereFace's training: A-Softmax over the identities; photos and caricatures of a person are one class.

Source: Liu et al. 2017 (SphereFace); clcarwin/sphereface_pytorch train.py; fine-tuning on WebCaricature (convolutions 1
to 3 frozen) after experiments_on_face_photo2drawing sphereface/transfer_learning.py.
"""

from typing import Annotated

import paddle
from pydantic import Field

from engine.errors import InputError
from engine.images import to_signed
from engine.ports import Exported, Port
from engine.system import System
from loss.angular import angular_softmax, annealing, class_accuracy
from metric.scorer import SetScorer
from metric.verification import Verification
from model.sphereface.exported import Embedding
from model.sphereface.network import AngleLinear, Sphere20a
from system.sphereface_recipe import SphereFaceRecipe

Side = Annotated[int, Field(gt=0)]


class SphereFace(System):
    """Face recognition: an aligned face to an embedding whose angles tell people apart. Source: Liu et al. 2017."""

    Config = SphereFaceRecipe
    static = ("recognizer",)
    needed = ("recognizer",)
    smoke = {
        "recipe.image_size": [14, 12],
        "recipe.width": 0.03125,
        "recipe.embedding_size": 8,
        "recipe.num_classes": 4,
        **{
            f"data.{split}.{key}": value
            for split in ("train", "validation")
            for key, value in (("image_size", [14, 12]), ("jitter", 0))
        },
    }

    def __init__(self, config):
        """Build the network; stages before `trained_from` get no gradients."""
        self.config = c = config
        self.recognizer = Sphere20a(c.image_size, c.width, c.embedding_size)
        self.classifier = None
        self.networks, self.state = {"recognizer": self.recognizer}, {}
        for name, parameter in self.recognizer.named_parameters():
            parameter.stop_gradient = self.is_frozen(name)

    def prepare_training(self):
        """Build the classifier."""
        c = self.config
        self.classifier = AngleLinear(c.embedding_size, c.num_classes, c.margin)
        self.networks["classifier"] = self.classifier
        kept = [p for p in self.recognizer.parameters() if not p.stop_gradient]
        self.trainable = {"recognizer": kept + self.classifier.parameters()}

    def is_frozen(self, name):
        """True for the parameters of stages before `trained_from`: "conv1_2.weight" is of stage 1."""
        layer = name.partition(".")[0]
        stage = 5 if layer == "fc5" else int(layer.removeprefix("conv").removeprefix("relu").partition("_")[0])
        return stage < self.config.trained_from

    def train_step(self, batch, step, update):
        """One step on the annealed A-Softmax.

        Source: sphereface_pytorch net_sphere.py, AngleLoss.
        Differs: the annealing follows the step number, so a resumed run goes on with it; the reference counts calls.
        """
        c, labels = self.config, batch["identity"]
        if int(labels.max()) >= c.num_classes:
            raise InputError(f"recipe.num_classes: {c.num_classes}; the data has a person {int(labels.max())}")
        cosine, psi = self.classifier(self.recognizer.embedding(to_signed(batch["image"])))
        weight = annealing(step, c.annealing_base, c.annealing_gamma, c.annealing_floor)
        loss = angular_softmax(cosine, psi, labels, weight)
        update("recognizer", loss)
        return {
            "recognizer/loss": loss.detach(),
            "recognizer/accuracy": class_accuracy(cosine, labels),
            "recognizer/annealing": paddle.to_tensor(float(weight)),
        }

    def embed(self, recognizer, image):
        """[N, 3, H, W] in [0, 1] -> unit vectors [N, embedding_size]; of picture and mirror image where configured."""
        vectors = recognizer.embedding(to_signed(image))
        if self.config.flip_average:
            vectors = vectors + recognizer.embedding(to_signed(paddle.flip(image, axis=[3])))
        return vectors / (vectors.norm(axis=1, keepdim=True) + 1e-8)

    def generate(self, batch, networks):
        """{"embedding": [N, embedding_size]}, unit vectors."""
        return {"embedding": self.embed(networks["recognizer"], batch["image"])}

    def measures(self):
        """ "verification" of photos against caricatures, in ten folds of people."""
        return {"verification": lambda weights: SetScorer("verification", Verification)}

    def inference(self, networks):
        """One graph: aligned face in, unit vector out; the cosine of two is the similarity of the faces."""
        c = self.config
        return {
            "": Exported(
                layer=Embedding(self.embed, networks["recognizer"]),
                inputs=[Port("image", (-1, 3, *c.image_size))],
                outputs=[Port("embedding", (-1, c.embedding_size), kind="vector", range=(-1.0, 1.0))],
                reference=lambda image: self.embed(networks["recognizer"], image),
                fit="crop",
                template="sphereface",
                threshold=c.threshold,
            )
        }
