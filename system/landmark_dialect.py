"""The command line of the landmark inpainting project, in which `predict.py MODEL CONFIG.json RESULT_DIR` means flags.

Source: predict.py and train.py of that project (and of the GLCIC port it is from).
"""

import reprlib

from engine.data_files import read_json
from engine.dialect import Dialect, OwnFlag
from engine.errors import InputError
from engine.flags import choice


def original_settings(path):
    """Mean pixel and size of the pictures from the landmark project's (or GLCIC's) config.json.

    Returns:
        {dotted key: value}; the critic's crop is half the picture.

    Raises:
        InputError: the file is another one.
    """
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
