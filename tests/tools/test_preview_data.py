import numpy as np

from engine.images import CAPTION_HEIGHT
from tools.preview_data import preview


class Toy:
    def __len__(self):
        return 3

    def __getitem__(self, key):
        image = np.zeros((3, 8, 8), np.float32)
        image[0] = 1
        return {"image": image, "name": "a", "mask": np.full((1, 8, 8), key[1] == 1, np.float32), "identity": 3}


def test_rows_are_samples_and_columns_images():
    grid = preview(Toy(), count=2)[CAPTION_HEIGHT:]
    assert grid.shape == (16, 16, 3)
    assert np.array_equal(grid[0, 0], [1, 0, 0])
    assert not grid[:8, 8:].any() and grid[8:, 8:].min() == 1
