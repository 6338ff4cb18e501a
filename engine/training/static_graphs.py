"""Capture networks as static graphs while they train, and count what was captured.

Source: paddle.jit.to_static with full_graph=False, which falls back to dygraph without a word where it cannot capture.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import paddle
from paddle import nn

from engine import onednn
from engine.log import logger


def capture(networks: Mapping[str, nn.Layer], names: Sequence[str]) -> None:
    """Let the named networks run as static graphs from here on; says which."""
    onednn.leave_out()
    for name in names:
        network: Any = networks[name]
        network.forward = paddle.jit.to_static(network.forward, full_graph=False)
    logger.info(f"to_static: {', '.join(names) or 'no network of this system can be captured'}")


def compiled() -> int:
    """Number of graphs that were compiled in this process; 0 where everything fell back to dygraph."""
    from paddle.jit.sot.symbolic.compile_cache import CompileSIRCache

    return len(CompileSIRCache().cache)
