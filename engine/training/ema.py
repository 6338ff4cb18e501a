"""Exponential moving average of network parameters."""

import copy
from collections.abc import Mapping

import paddle
from paddle import nn


class EMA:
    """Averaged copies of some networks: average = decay * average + (1 - decay) * parameter, buffers copied.

    Source: Yazici et al. 2019; GPEN train_simple.py, accumulate() (parameters only, started as a copy).
    """

    def __init__(self, networks: Mapping[str, nn.Layer], decay: float) -> None:
        """Start as exact copies.

        Args:
            networks: name -> layer.
            decay: in [0, 1).
        """
        self.decay = decay
        self.networks = {name: copy.deepcopy(network) for name, network in networks.items()}
        for network in self.networks.values():
            network.eval()
            for parameter in network.parameters():
                parameter.stop_gradient = True

    @paddle.no_grad()
    def update(self, networks: Mapping[str, nn.Layer]) -> None:
        """Move the averages one step towards the parameters of `networks`."""
        for name, average in self.networks.items():
            for kept, current in zip(average.parameters(), networks[name].parameters(), strict=True):
                kept.scale_(self.decay)
                kept.add_(current * (1 - self.decay))
            for kept, current in zip(average.buffers(), networks[name].buffers(), strict=True):
                paddle.assign(current, kept)

    @paddle.no_grad()
    def restart(self, networks: Mapping[str, nn.Layer]) -> None:
        """Make the averages exact copies again, after weights were loaded into `networks`."""
        for name, average in self.networks.items():
            average.set_state_dict(networks[name].state_dict())
