"""SphereFace in published files: the network, and the angular classifier, which is fc6 in its file.

Source: the state_dict of clcarwin/sphereface_pytorch net_sphere.py, sphere20a.
"""

from engine.weights.known import Network
from engine.weights.shapes import width

PUBLISHED_SIZE = (112, 96)


def sphere20a(arrays):
    """SphereFace: factor of the channels, size of the embedding and of the picture, where they are not as published."""
    channels, embedding = width(arrays, "conv1_1.weight") / 64, width(arrays, "fc5.bias")
    inputs = width(arrays, "fc5.weight") * width(arrays, "fc5.weight", 1) // embedding
    area = inputs // width(arrays, "conv4_3.weight")  # pixels of the last feature; their product is all that counts
    across = max(side for side in range(1, int(max(area, 1) ** 0.5) + 1) if area % side == 0)
    size = (16 * area // across, 16 * across)
    return (
        ({} if channels == 1 else {"width": channels})
        | ({} if embedding == 512 else {"embedding_size": embedding})
        | ({} if size == PUBLISHED_SIZE else {"image_size": size})
    )


NETWORKS = (
    Network(
        "sphere20a", "SphereFace, 20 layers", "model.sphereface.network.Sphere20a",
        ("conv1_1.weight", "conv3_9.weight", "conv4_3.weight", "fc5.weight"), sphere20a,
        {"width": 1 / 16, "embedding_size": 8, "image_size": (32, 16)}, dropped=r"fc6\.weight",
        beside={"classifier": lambda arrays: {"weight": arrays["fc6.weight"]} if "fc6.weight" in arrays else None},
    ),
)  # fmt: skip
