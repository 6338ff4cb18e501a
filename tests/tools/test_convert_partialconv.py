"""The converter: two files become one that loads; wrong files are one line."""

import numpy as np
import pytest

from engine.errors import InputError
from engine.weights.files import read_weights, write_weights
from tools.convert_partialconv import main


def test_two_files_become_one(tmp_path):
    encoder = {
        "ec_1.conv.input_conv.weight": np.ones([2, 3, 7, 7], np.float32),
        "ec_1.conv.mask_conv.weight": np.ones([1, 1, 7, 7], np.float32),
    }
    write_weights(tmp_path / "en.pdparams", encoder)
    write_weights(tmp_path / "de.pdparams", {"dc_1.model.1.weight": np.full([2, 2], 3.0, np.float32)})
    words = [f"--encoder={tmp_path}/en.pdparams", f"--decoder={tmp_path}/de.pdparams", f"--output={tmp_path}/both"]
    assert main(words) == 0
    found = read_weights(tmp_path / "both")
    assert set(found) == {"generator/encoder.ec_1.conv.weight", "generator/decoder.dc_1.model.1.weight"}
    with pytest.raises(InputError, match="in this order"):
        main([f"--encoder={tmp_path}/de.pdparams", f"--decoder={tmp_path}/en.pdparams", f"--output={tmp_path}/both"])


def test_one_file_is_scaled(tmp_path):
    write_weights(tmp_path / "naoto", {"model/enc_1.conv.input_conv.weight": np.full([2, 3, 7, 7], 147.0, np.float32)})
    main(["--input", str(tmp_path / "naoto"), "--output", str(tmp_path / "ours")])
    np.testing.assert_allclose(read_weights(tmp_path / "ours")["generator/enc_1.conv.weight"], 1.0)
    with pytest.raises(InputError, match="neither naoto0804's nor MMEditing's keys"):
        main(["--input", str(tmp_path / "ours"), "--output", str(tmp_path / "again")])


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--encoder", "en"],
        ["--input", "a", "--decoder", "b"],
        ["--input", "a", "--encoder", "en", "--decoder", "de"],
    ],
)
def test_files_that_do_not_go_together(words):
    with pytest.raises(InputError, match="either --input FILE, or --encoder FILE and --decoder FILE"):
        main([*words, "--output", "x"])
