"""Capture networks as static graphs while they train, and count what was captured.

Source: paddle.jit.to_static with full_graph=False, which falls back to dygraph without a word where it cannot capture.
"""

import paddle

from engine.log import logger


def capture(networks, names):
    """Let the named networks run as static graphs from here on; says which."""
    for name in names:
        networks[name].forward = paddle.jit.to_static(networks[name].forward, full_graph=False)
    logger.info(f"to_static: {', '.join(names) or 'no network of this system can be captured'}")


def compiled():
    """Number of graphs that were compiled in this process; 0 where everything fell back to dygraph."""
    from paddle.jit.sot.symbolic.compile_cache import CompileSIRCache

    return len(CompileSIRCache().cache)
