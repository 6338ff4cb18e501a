"""The typed recipe of SphereFace's YAML files.

Source: Liu et al. 2017.
"""

from typing import Annotated

from pydantic import Field

from engine.settings import Settings

Side = Annotated[int, Field(gt=0)]


class SphereFaceRecipe(Settings):
    """Sizes, the margin and how it is eased in.

    `trained_from`: first stage of convolutions that is trained; 1 is everything, 4 the fine-tuning's choice.
    `flip_average`: embeddings are sums over the picture and its mirror image.
    `threshold`: cosine from which two faces are taken for one person's; null: not known.
    """

    image_size: tuple[Side, Side]
    width: float = Field(default=1.0, gt=0)
    embedding_size: int = Field(default=512, gt=0)
    num_classes: int = Field(gt=1)
    margin: int = Field(ge=1, le=5)
    annealing_base: float = Field(ge=0)
    annealing_gamma: float = Field(ge=0)
    annealing_floor: float = Field(ge=0)
    trained_from: int = Field(default=1, ge=1, le=5)
    flip_average: bool = False
    threshold: float | None = Field(default=None, ge=-1, le=1)
