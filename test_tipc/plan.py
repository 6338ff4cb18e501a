"""Turns a TIPC configuration and a mode into the ordered commands that the official script would run.

Nothing is run and nothing is looked up on disk here, so `--dry-run` is this module printed.
"""

from test_tipc.full51 import Full51
from test_tipc.lite32 import Lite32

ASSEMBLY = {"full51": Full51, "lite32": Lite32}


def plan(config, mode, device=None):
    """All stages of `mode`, in the official order.

    Args:
        config: TipcConfig.
        mode: one of parser.MODES.
        device: None for what the file says, "cpu" or "gpu" to hold training and inference to one of them.

    Returns:
        list of chain.Stage; `config.notices` gains a line for what would otherwise be left out in silence.
    """
    chain = ASSEMBLY[config.dialect](config, mode, device)
    stages = chain.whole_infer() if mode == "whole_infer" else chain.train()
    if not stages:
        config.remark("trainer", f"mode {mode} runs nothing")
    return stages
