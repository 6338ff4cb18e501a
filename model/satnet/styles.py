"""Style codes of SATNet and MUNIT."""

import zlib

import numpy as np
import paddle


def named_styles(names, dim):
    """Styles [N, dim] from N(0, 1) that follow from the samples' names alone, so that evaluation repeats.

    Source: ours. Differs: the seed draws one sequence from RandomState(1), so a style depends on what came before.
    """
    codes = [np.random.default_rng(zlib.crc32(name.encode())).standard_normal(dim) for name in names]
    return paddle.to_tensor(np.stack(codes), "float32")
