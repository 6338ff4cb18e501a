"""A system's network in its training form, behind the Predictor's interface."""

import paddle

from deploy.export import contract_of


class DynamicGraph:
    """The training form behind the Predictor's interface: a `contract`, and `run` from arrays to arrays."""

    def __init__(self, exported):
        """`exported`: engine.system.Exported; its reference is what runs, or its layer where it has none."""
        self.exported, self.contract = exported, contract_of(exported)
        self.form = exported.reference or exported.layer

    def run(self, arrays):
        """Input name -> array [N, ...] to output name -> array."""
        with paddle.no_grad():
            results = self.form(*(paddle.to_tensor(arrays[port.name]) for port in self.exported.inputs))
        results = results if isinstance(results, (list, tuple)) else [results]
        return {port.name: result.numpy() for port, result in zip(self.exported.outputs, results, strict=True)}
