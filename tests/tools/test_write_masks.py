import csv

import numpy as np
import pytest

from data_loader.masks import Masks, MaskSettings
from engine import config
from engine.errors import InputError
from engine.images import read_image
from engine.system import build_dataset
from tools.write_masks import main

LITE = ["-c", "configs/partialconv_lite.yaml"]


def test_files_are_the_holes_of_the_data(tmp_path, capsys):
    main([*LITE, "--count", "4", "--output", str(tmp_path), "--seed", "3"])
    with open(tmp_path / "masks.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    section = config.load(LITE[1]).data.validation
    data = build_dataset(section, 3, training=False)
    for i, row in enumerate(rows):
        written, sample = read_image(tmp_path / row["name"]), data[(0, i)]
        assert np.array_equal(written[..., 0], sample["mask"][0]) and set(np.unique(written)) == {0, 1}
        assert float(row["hole"]) == pytest.approx(written.mean(), abs=1e-6) and row["border"] == sample["border"]
    assert len(rows) == 4 and f"4 masks of {section.image_size} x {section.image_size}" in capsys.readouterr().out


def test_what_is_written_reads_back(tmp_path):
    main([*LITE, "--count", "3", "--size", "40", "--split", "train", "--output", str(tmp_path)])
    masks = Masks(MaskSettings(files=tmp_path, white_means="hole"), (40, 40), False)
    for i in range(3):
        mask, _ = masks.draw(i, np.random.default_rng(0))
        assert np.array_equal(mask[..., 0], read_image(tmp_path / f"{i:05d}.png")[..., 0])


def test_a_configuration_without_holes(tmp_path):
    with pytest.raises(InputError, match="data.validation: has no masks"):
        main(["-c", "configs/gpen_lite.yaml", "--output", str(tmp_path)])
