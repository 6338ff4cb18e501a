"""The report says what the network's own masks do, and the figures that were measured for the three encoders."""

import numpy as np
import paddle
import pytest

from deploy.hole_closure import closes, followed, largest, largest_closed, open_part
from engine.images import write_image
from model.partialconv.network import PartialConvUNet, encoder_kernels
from model.partialconv.settings import UNetSettings
from tools.hole_closure import main


@pytest.fixture(scope="module")
def unet():
    network = PartialConvUNet(UNetSettings(size=32, layers=4, width=2))
    network.eval()
    return network


def masks(unet, hole):
    """The network's own masks [h, w], True where empty, of the input and each encoder layer."""
    valid = paddle.to_tensor(np.float32(~hole)[None, None])
    with paddle.no_grad():
        _, found = unet.encoded(paddle.zeros([1, 3, *hole.shape]), valid)
    return [mask.numpy()[0, 0] == 0 for mask in found]


def square(size, top, left, side):
    hole = np.zeros((size, size), bool)
    hole[top : top + side, left : left + side] = True
    return hole


def test_kernels_of_the_encoder(unet):
    assert encoder_kernels(unet) == [7, 5, 5, 3]


@pytest.mark.parametrize("number", [2, 3, 4])
def test_largest_holes_are_those_of_the_networks_masks(unet, number):
    """Every square of that side is closed by the network at every place, and one larger is not at some place."""
    size, kernels = 32, encoder_kernels(unet)[:number]
    inside, first, last = largest_closed(size, kernels)

    def stays_open(side, places):
        return any(masks(unet, square(size, place, place, side))[number].any() for place in places)

    assert not stays_open(first, [0]) and stays_open(first + 1, [0])
    assert not stays_open(last, [size - last]) and (last == size - 1 or stays_open(last + 1, [size - last - 1]))
    assert not stays_open(inside, range(1, size - inside))
    assert inside == size - 2 or stays_open(inside + 1, range(1, size - inside - 1))


@pytest.mark.parametrize(
    "size, kernels, expected",
    [
        (256, [7, 5, 5, 3, 3, 3], (142, 71, 134)),
        (256, [7, 5, 5, 3, 3, 3, 3], (254, 135, 255)),
        (512, [7, 5, 5, 3, 3, 3, 3, 3], (510, 263, 511)),
    ],
)
def test_published_encoders(size, kernels, expected):
    """Of the Paddle port with 6 layers, of 7 layers at 256, of the paper's 8 at 512; measured with masks before."""
    assert tuple(largest_closed(size, kernels)) == expected


def test_follows_a_hole_of_any_size_as_the_network_does(unet):
    hole = square(37, 5, 0, 27)[:, :31]
    lines = followed(hole, [7, 5, 5, 3])
    padded = np.pad(hole, [(0, 11), (0, 1)], constant_values=True)
    for number, empty in enumerate(masks(unet, padded)[1:], 1):
        if number < len(lines):
            assert lines[number - 1] == (
                f"layer {number}: {empty.mean():.1%} of {empty.shape[0]} x {empty.shape[1]} cells are empty"
            )
    assert followed(np.ones((16, 16), bool), [3])[-1].startswith("NOT closed")


@pytest.mark.parametrize("hole", [square(32, 0, 0, 31), square(32, 9, 3, 8), square(32, 0, 0, 29)[:, :29]])
def test_the_open_part_lies_under_the_cells_that_the_network_leaves_empty(unet, hole):
    padded = np.pad(hole, [(0, -side % 16) for side in hole.shape], constant_values=True)
    empty = masks(unet, padded)[-1]
    for row, column in np.ndindex(*empty.shape):
        part = np.s_[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
        assert (open_part(hole, [7, 5, 5, 3])[part] == (hole[part] & empty[row, column])).all()
    assert open_part(hole, [7, 5, 5, 3]).any() == empty.any() and not open_part(hole, ()).any()


def test_largest_and_closes():
    assert [largest(lambda n, edge=edge: n <= edge, 9) for edge in (0, 1, 5, 20)] == [0, 1, 5, 9]
    assert closes([2], 2, 8, [3]) and not closes([0], 2, 8, [3])


def test_command(tmp_path, capsys):
    hole = square(32, 0, 0, 31)
    write_image(tmp_path / "mask.png", np.float32(hole)[..., None].repeat(3, 2))
    main(["-c", "configs/partialconv_lite.yaml", "-o", "recipe.network.width=2", "--mask", str(tmp_path / "mask.png")])
    text = capsys.readouterr().out
    assert "picture of 64 x 64" in text and text.splitlines()[-1].split()[0] in ("NOT", "closed")
    assert ["5", "3", "2", "79", "62", "39", "63"] in [line.split() for line in text.splitlines()]


def test_a_configuration_whose_losses_need_weights_needs_none_here(capsys):
    """The command of docs/inpainting.md: VGG, which training reads, is not looked for."""
    main(["-c", "configs/partialconv_256.yaml", "-o", "recipe.network.width=2", "recipe.vgg=/nowhere/vgg16.pdparams"])
    assert "picture of 256 x 256" in capsys.readouterr().out
