"""The typed recipe of the landmark network's YAML files, and its project's own command line.

There `predict.py MODEL CONFIG.json RESULT_DIR` means flags.

Source: predict.py and train.py of that project (and of the GLCIC port it is from).
"""

import reprlib
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from engine.cli import Dialect, OwnFlag
from engine.errors import InputError
from engine.flags import choice
from engine.settings import Settings


def original_settings(path):
    """Mean pixel and size of the pictures from the landmark project's (or GLCIC's) config.json.

    Returns:
        {dotted key: value}; the critic's crop is half the picture.

    Raises:
        InputError: the file is another one.
    """
    from engine.files import read_json

    content = read_json(path, "a config.json", 2**20)
    mean = content.get("mpv") if isinstance(content, dict) else None
    if not (
        isinstance(mean, list)
        and len(mean) == 3
        and all(isinstance(value, (int, float)) and 0 <= value <= 1 for value in mean)
    ):
        raise InputError(f"{path}: mpv is {reprlib.repr(mean)}; expected the mean pixel, three numbers in [0, 1]")
    size = content.get("input_generator_size")
    if not (size is None or (isinstance(size, int) and 1 < size < 2**16)):
        raise InputError(f"{path}: input_generator_size is {reprlib.repr(size)}; expected a number of pixels")
    sizes = {"recipe.image_size": size, "recipe.local_size": size // 2} if size else {}
    return {"recipe.mean_pixel": mean, **sizes}


ORIGINAL = OwnFlag("config.json of the landmark project or of GLCIC", metavar="FILE", settings=original_settings)
MODE = OwnFlag(
    "the project's words for --stacks: stack is each, cat is all",
    choice("stack", "cat"),
    metavar="stack|cat",
    means={"stack": {"stacks": "each"}, "cat": {"stacks": "all"}}.get,
)
DIALECTS = {
    "predict": Dialect(
        {"original_config": ORIGINAL, "mode": MODE},
        places=("pretrained", "original_config", "output_dir"),
        implied={"image_dir": "images/test", "mode": "stack"},
    ),
    "export_model": Dialect({"original_config": ORIGINAL}),
}


class LandmarkInpaintingRecipe(Settings):
    """Networks, phases and weights.

    `phase1` to `phase3` are counted in `phase_unit`; `phase_steps` and `mean_pixel` are found from the training
    set where they are not given. `local_size`: side of the critic's crop around the hole. `elsewhere_weight`:
    weight of landmarks outside the hole. `model_G`, `model_D`: weights to start from, official files included.
    """

    dialects: ClassVar = DIALECTS

    width: float = Field(gt=0)
    image_size: int = Field(gt=0)
    local_size: int = Field(gt=0)
    phase_unit: Literal["epochs", "steps"]
    phase1: int = Field(ge=0)
    phase2: int = Field(ge=0)
    phase3: int = Field(ge=0)
    phase_steps: tuple[int, int, int] | None = None
    mean_pixel: tuple[float, float, float] | None = None
    adversarial_weight: float = Field(ge=0)
    landmark: Literal["none", "loss", "conditioning", "both", "numpy"]
    landmark_form: Literal["coordinates", "heatmap"] = "coordinates"
    landmark_weight: float = Field(ge=0)
    elsewhere_weight: float = Field(ge=0, le=1)
    landmark_network: Path = Path("weights/lite/landmark_predictor_lite.pdparams")
    landmark_width: float = Field(default=0.5, gt=0)
    landmark_size: int = Field(default=64, gt=0)
    model_G: Path | None = None
    model_D: Path | None = None
