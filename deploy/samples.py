"""One thing to run: its files and what is drawn for it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Sample:
    """One thing to run.

    Attributes:
        name: what it is called in the output, a path relative to the folder it was found in.
        files: input name -> file; vector inputs have none, and a mask that is the contract's own.
        white_means: "hole" or "valid", in the file of a mask.
        seed: of vectors that are drawn.
        vectors: input name -> array, in the place of a drawn one.
    """

    name: str
    files: dict[str, Path]
    white_means: str = "hole"
    seed: int = 0
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
