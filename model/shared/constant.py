"""Frozen networks inside a loss or another system.

Source: ours.
"""


def as_constant(network):
    """The network in evaluation mode, its weights without gradients; its inputs may still have one. Source: ours."""
    network.eval()
    for weight in network.parameters():
        weight.stop_gradient = True
    return network
