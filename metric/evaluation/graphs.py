"""Networks of metrics as exported graphs, which Paddle Inference runs in about half the time of their eager form.

A graph is written once for a network's weights and kept in the cache folder (KINTSUGI_CACHE, else the user's), under a
hash of the weights and of the code that makes it: written whole or not at all, checked against the eager form before it
is kept, made anew where its files are damaged. Where no folder can be written, and on a GPU, the eager form serves.
"""

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

from deploy.export import seeded_inputs, write_graph
from deploy.predictor import Predictor
from engine.errors import InputError
from engine.log import logger
from engine.ports import Exported, Port
from engine.weights.fetch import cache_folder

ROOT = Path(__file__).resolve().parents[2]
CLOSE = 1e-4  # largest difference of a feature to the eager form's, in units of the largest feature
KEPT = 3  # graphs of a network that stay, the newest ones
SIZES = {"inception_fid": (3, 299, 299), "ir_se50": (3, 112, 112), "arcface_resnet18": (1, 128, 128)}  # of an input


class ForwardPass:
    """A network's forward pass as a function of a tensor: through its graph where there can be one, else eager."""

    def __init__(self, name: str, layer: Any, cache: str | Path | None = None) -> None:
        """`name`: of SIZES; `layer`: in evaluation mode, with its weights. The graph is opened at the first call."""
        self.name, self.layer, self.cache, self.is_open = name, layer, cache, False
        self.predictor: Predictor | None = None

    def __call__(self, image: Tensor) -> Tensor:
        """[N, ...] of the network's input -> features [N, D]."""
        if not self.is_open:
            self.predictor, self.is_open = opened(self.name, self.layer, self.cache), True
        if self.predictor is None:
            with paddle.no_grad():
                return self.layer(image)
        return paddle.to_tensor(self.predictor.run({"image": image.numpy()})["features"])


def opened(name: str, layer: Any, cache: str | Path | None = None) -> Predictor | None:
    """The graph of a network's weights, from the cache folder or written there; None where the eager form serves."""
    if not paddle.get_device().startswith("cpu"):
        return None
    folder = cache_folder(cache) / "graphs" / f"{name}_{key_of(name, layer)}"
    with suppress(InputError):  # not there yet, or damaged
        return Predictor(folder)
    try:
        return _written(name, layer, folder)
    except (InputError, OSError) as error:
        logger.info(f"{name}: no graph, its eager form serves ({error})")
        return None


def key_of(name: str, layer: Any) -> str:
    """Digits for a network's weights, the code of all networks and Paddle's version."""
    found = hashlib.sha256(f"{name} {paddle.__version__}".encode())
    for path in sorted((ROOT / "model").rglob("*.py")):
        found.update(path.read_bytes())
    for key, tensor in layer.state_dict().items():
        array = np.ascontiguousarray(tensor.numpy())
        found.update(f"{key} {array.shape} {array.dtype}".encode())
        found.update(array.tobytes())
    return found.hexdigest()[:32]


def _written(name, layer, folder):
    """Write, check and publish a graph; another process may publish the same one meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}_", dir=folder.parent))
    given = Port("image", (-1, *SIZES[name]), "vector")
    image = seeded_inputs([given], 2, 0)["image"]
    with paddle.no_grad():
        wanted = layer(paddle.to_tensor(image)).numpy()
    try:
        write_graph(
            Exported(layer, [given], [Port("features", (-1, wanted.shape[1]), "vector")]), workshop / "inference"
        )
        predictor = Predictor(workshop)
        found = predictor.run({"image": image})["features"]
        if not np.abs(found - wanted).max() <= CLOSE * np.abs(wanted).max():  # written so that a NaN fails
            raise InputError("the exported graph differs from it")
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            os.rename(workshop, folder)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    for old in sorted(folder.parent.glob(f"{name}_*"), key=os.path.getmtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return predictor
