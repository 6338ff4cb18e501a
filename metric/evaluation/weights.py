"""Build the networks of metrics whose weights are present.

With `proxies` a network whose file is missing gets seeded random weights, and the names of its metrics end in
`_proxy`: they show that a chain works, and compare with nothing.
"""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.weights.files import read_weights
from engine.weights.networks import load_layers
from engine.weights.recognise import unwrapped
from metric.networks import BACKBONES, BUILDERS
from metric.scorer import Missing

DIGITS = 12  # of a hash in a signature
SUFFIXES = (".pdparams", ".safetensors", ".pth", ".npz")
FILE_NAMES = {"ir_se50": ("ir_se50", "model_ir_se50")}  # the second is what training's configurations say


@dataclass(frozen=True)
class MetricWeights:
    """Places of the weights of metrics.

    Attributes:
        folder: of the files.
        proxies: random weights in the place of missing ones.
        fid_resize: of metric.inception_features.RESIZES.
    """

    folder: Path = Path("weights")
    proxies: bool = False
    fid_resize: str = "legacy"

    def file(self, name: str) -> Path:
        """The file of a network. Missing where there is none, with the command that fetches it."""
        names = FILE_NAMES.get(name, (name,))
        found = (self.folder / f"{stem}{suffix}" for stem in names for suffix in SUFFIXES)
        path = next((path for path in found if path.is_file()), None)
        if path is None:
            raise Missing(f"{self.folder}/{name} is missing; python tools/fetch_weights.py {name}")
        return path

    def told(self, path: Path) -> str:
        """Text of a signature for a file that is read elsewhere."""
        return told(path, path)

    def network(self, name: str, takes_proxy: bool = True) -> tuple[Any, str, str]:
        """(layer in evaluation mode, what its weights are, suffix of its metrics).

        Raises:
            Missing: a file is not there, and no proxy takes its place.
            InputError: a file is damaged or of another network.
        """
        try:
            paths = [self.file(name)]
        except Missing:
            if not (takes_proxy and self.proxies):
                raise
            layer = BUILDERS[name]()
            randomise(layer)
            layer.eval()
            return layer, "random (seed 0), a proxy", "_proxy"
        arrays: dict[str, np.ndarray] = read_weights(paths[0])
        if name in BACKBONES and not any("features." in key for key in arrays):  # two files together are the network
            paths.append(self.file(BACKBONES[name]))
            arrays = unwrapped(arrays) | unwrapped(read_weights(paths[1]))
        layer = BUILDERS[name]()
        load_layers({name: layer}, arrays, " and ".join(map(str, paths)))
        layer.eval()
        return layer, told(name, *paths), ""

    def forward(self, name: str) -> tuple[Any, str, str]:
        """As `network`, of a network that is run and no more: through its exported graph, a proxy as it is."""
        layer, told_weights, suffix = self.network(name)
        if not suffix:
            from metric.evaluation.graphs import ForwardPass

            layer = ForwardPass(name, layer)
        return layer, told_weights, suffix

    def lpips(self, name: str, takes_proxy: bool = True) -> tuple[Any, dict[str, str], str]:
        """(metric.lpips.LPIPSDistance, its facts, suffix); errors as those of `network`."""
        from metric.lpips import LPIPSDistance

        layer, weights, suffix = self.network(name, takes_proxy)
        backbone = name.removeprefix("lpips_")
        facts = {"backbone": backbone, "version": "0.1", "input": "RGB [-1, 1]", "weights": weights}
        return LPIPSDistance(layer), facts, suffix

    def inception(self, resize: str | None = None) -> tuple[Any, dict[str, str], str]:
        """(metric.inception_features.InceptionFeatures, their facts, suffix); errors as those of `network`."""
        from metric.inception_features import InceptionFeatures

        resize = resize or self.fid_resize
        layer, weights, suffix = self.forward("inception_fid")
        facts = {"resize": resize, "features": "Inception 2048", "weights": weights}
        return InceptionFeatures(layer, resize), facts, suffix


def told(name: Path | str, *paths: Path) -> str:
    """A name and the first digits of the sha256 of its files, for a signature."""
    return f"{name} (sha256 {', '.join(map(_hash, paths))})"


@functools.lru_cache(maxsize=32)
def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]


def randomise(layer: Any) -> None:
    """Seeded weights in the place of trained ones: He's normal distribution, positive where LPIPS weighs channels."""
    rng = np.random.default_rng(0)
    for name, parameter in layer.named_parameters():
        if len(parameter.shape) < 2:
            continue
        shape = parameter.shape
        values = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        values = np.full(shape, 1 / shape[1]) if ".model." in name and name.startswith("lin") else values
        parameter.set_value(values.astype(np.float32))
