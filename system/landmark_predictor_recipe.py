"""The typed recipe of the landmark predictor's YAML files.

Source: Yang et al. 2019 (LaFIn), src/models.py.
"""

from pydantic import Field

from engine.settings import Settings


class LandmarkPredictorRecipe(Settings):
    """`input_size`: side in pixels the network sees; `covered_probability`: part of the faces that get their hole.

    Differs: officially every face has its hole; a predictor that also judges whole faces has to see some.
    """

    width: float = Field(gt=0)
    input_size: int = Field(gt=0)
    covered_probability: float = Field(ge=0, le=1)
