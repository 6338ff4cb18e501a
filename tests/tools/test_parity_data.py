from pathlib import Path

import numpy as np
import pytest

from tests.parity.data import CASES

GOLDEN = Path(__file__).parents[1] / "assets" / "golden"
CONFIGS = {
    "blur_kernels_0": {"ks": 21, "sx": 2.3, "sy": 4.1, "theta": 0.7, "beta": 1.8, "cutoff": 1.9, "rs": 3},
    "blur_kernels_1": {"ks": 41, "sx": 8.0, "sy": 0.9, "theta": -2.2, "beta": 0.6, "cutoff": 2.6, "rs": 4},
    "gfpgan_degradation_0": {
        "ks": 21, "sx": 1.6, "sy": 3.2, "theta": 0.5, "iso": False, "scale": 2.7, "sigma": 8.0, "quality": 72,
    },
    "color_ops_0": {"br": 0.6, "co": 1.4, "sa": 0.3, "hu": 0.08},
    "metrics_psnr_ssim_0": {},
}  # fmt: skip
NOT_DATA = {"out:identity_gray128", "out:pyramid_0", "out:pyramid_1", "out:gram"}  # of color_ops: losses' keys
AFTER_JPEG = {"out:after_jpeg", "out:lq", "out:lq_gpen"}  # libjpeg builds differ
RELATIVE = 2e-5


@pytest.mark.parametrize("case", CONFIGS)
def test_values_are_the_official_ones(case):
    stored = dict(np.load(GOLDEN / f"{case}.npz"))
    inputs = {key: value for key, value in stored.items() if key.startswith("in:")}
    expected = {key: value for key, value in stored.items() if key.startswith("out:") and key not in NOT_DATA}
    ours = CASES[case.rsplit("_", 1)[0]](CONFIGS[case], inputs, {})
    assert ours.keys() == expected.keys()
    for key, value in expected.items():
        error = np.abs(ours[key] - value)
        assert np.shape(ours[key]) == value.shape, key
        if key in AFTER_JPEG:
            assert error.mean() <= 0.004 and error.max() <= 0.06, key
        else:
            assert error.max() <= RELATIVE * np.abs(value).max(), key
