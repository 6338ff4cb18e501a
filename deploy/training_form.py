"""A system's network in its training form, as a Graph."""

import numpy as np
import paddle

from deploy.contract import Arrays, contract_of
from engine.system import Exported


class DynamicGraph:
    """The reference of what is exported, or its layer where it has none; `name` is what errors call it."""

    def __init__(self, exported: Exported, name: str = "the network") -> None:
        """`name`: for instance the weights' file."""
        self.contract, self.name = contract_of(exported), name
        self._form = exported.reference or exported.built()

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Input name -> array [N, ...] to output name -> array."""
        with paddle.no_grad():
            results = self._form(*(paddle.to_tensor(arrays[port.name]) for port in self.contract.inputs))
        results = results if isinstance(results, (list, tuple)) else [results]
        return {port.name: result.numpy() for port, result in zip(self.contract.outputs, results, strict=True)}
