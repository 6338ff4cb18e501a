"""LaFIn in published files: its landmark predictor, and its other networks, which are only recognised.

Source: the state_dicts of YaN9-Y/lafin src/networks.py and src/models.py, BaseModel.save.
"""

from engine.weights.known import Network
from engine.weights.shapes import width

ABSENT = "this network is not part of the project"


def landmark_predictor(arrays):
    """LaFIn's landmark predictor: width and number of points."""
    return {"width": width(arrays, "features.0.0.weight") / 32, "num_points": width(arrays, "fc_landmark.bias") // 2}


NETWORKS = (
    Network(
        "lafin_landmarks", "LaFIn landmark predictor", "model.landmark_predictor.network.LaFInPredictor",
        ("conv1_after_mbnet.weight", "fc_landmark.weight"), landmark_predictor, {"width": 0.125},
    ),
    Network(
        "lafin_generator", "LaFIn inpainting generator", "",
        ("encoder1.1.weight", "fushion1.0.weight", "auto_attn.query_conv.weight"), note=ABSENT,
    ),
    Network(
        "lafin_discriminator", "LaFIn discriminator", "",
        ("conv1.0.weight_orig", "conv5.0.weight_orig", "auto_attn.query_conv.weight"), note=ABSENT,
    ),
)  # fmt: skip
