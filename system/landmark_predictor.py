"""The landmark predictor of masked-face inpainting, trained on its own: 68 points of a face with a hole in it.

Source: Yang et al. 2019 (LaFIn); reference code: YaN9-Y/lafin src/models.py (LandmarkDetectorModel), src/lafin.py.
"""

import paddle

from engine.images import composite
from engine.ports import Exported, Port
from engine.system import System
from loss.landmark import landmark_map, predictor_loss
from metric.landmarks import LandmarkError
from metric.scorer import SetScorer
from model.landmark_predictor.exported import PointsInPixels, pixels, units
from model.landmark_predictor.network import LaFInPredictor, cover, predict
from system.landmark_predictor_recipe import LandmarkPredictorRecipe

DOT = 0.02  # of the side: how large a point is drawn
FAINT = 0.01  # of the usual spread: the last layer at the start of training


class LandmarkPredictor(System):
    """A network from a picture to 68 points.

    Source: src/models.py, LandmarkDetectorModel.process.
    """

    Config = LandmarkPredictorRecipe
    static = ("predictor",)
    shown = ("masked", "predicted")
    smoke = {
        "recipe.width": 0.1,
        "recipe.input_size": 32,
        **{f"data.{split}.image_size": 32 for split in ("train", "validation")},
    }

    def __init__(self, config):
        """Build the network."""
        self.config = config
        self.predictor = LaFInPredictor(config.width)
        self.networks, self.state = {"predictor": self.predictor}, {}

    def prepare_training(self):
        """Start the last layer near 0, so that training starts at one shape for all faces."""
        last = self.predictor.fc_landmark.weight
        last.set_value(last * FAINT)
        self.trainable = {"predictor": self.predictor.parameters()}

    def train_step(self, batch, step, update):
        """One step on the length of the error vector, in pixels of the network's input."""
        size = self.config.input_size
        covered = (paddle.rand([batch["mask"].shape[0], 1, 1, 1]) < self.config.covered_probability).astype("float32")
        predicted = predict(self.predictor, cover(batch["image"], batch["mask"] * covered), size)
        loss = predictor_loss(predicted * size, units(batch["landmarks"], batch["image"].shape[3]) * size)
        update("predictor", loss)
        return {"predictor/loss": loss.detach()}

    def generate(self, batch, networks):
        """{"masked", "predicted": the picture with its points, "predicted_landmarks" [N, 68, 2] in its pixels}."""
        masked = cover(batch["image"], batch["mask"])
        points = predict(networks["predictor"], masked, self.config.input_size)
        return {
            "masked": masked,
            "predicted": drawn(batch["image"], points),
            "predicted_landmarks": pixels(points, masked.shape[3]),
        }

    def measures(self):
        """ "landmarks": the normalised mean error, beside that of the mean shape."""
        return {"landmarks": lambda weights: SetScorer("landmarks", LandmarkError)}

    def inference(self, networks):
        """One graph: face, hole white, to points in pixels of that face at `input_size`."""
        size, network = self.config.input_size, networks["predictor"]

        def reference(image):
            return pixels(network(image), size)

        return {
            "": Exported(
                layer=PointsInPixels(network, size),
                inputs=[Port("image", (-1, 3, size, size))],
                outputs=[Port("landmarks", (-1, 68, 2), kind="points", range=(0.0, float(size)))],
                reference=reference,
            )
        }


def drawn(image, points):
    """The picture with a green dot at every point. Source: ours."""
    reach = max(0, round(DOT * image.shape[3] / 2))
    dots = paddle.nn.functional.max_pool2d(landmark_map(points, image.shape[2:]), 2 * reach + 1, 1, reach)
    return composite(paddle.to_tensor([0.0, 1.0, 0.0]).reshape([1, 3, 1, 1]), image, dots)
