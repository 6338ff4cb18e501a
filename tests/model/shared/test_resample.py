import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from model.shared.resample import bilinear_resize


@pytest.mark.parametrize("size, out", [((32, 24), (12, 12)), ((8, 8), (20, 31)), ((6, 6), (3, 3))])
def test_bilinear_is_interpolation_at_pixel_centres(size, out):
    x = paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, *size)).astype(np.float32))
    expected = F.interpolate(x, out, mode="bilinear", align_corners=False, align_mode=0)
    np.testing.assert_allclose(bilinear_resize(x, *out).numpy(), expected.numpy(), atol=1e-5)
