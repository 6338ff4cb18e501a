"""Arrays in, arrays out: any size, several pictures, several threads; what is outside a hole never changes."""

import threading
import time

import numpy as np
import pytest

from deploy.contract import DynamicGraph, contract_of
from deploy.export import export
from deploy.predictor import Predictor
from deploy.session import Session
from engine import images
from engine.errors import InputError
from engine.ports import Exported, Port
from tests.deploy.contracts import contract, filler, image, mask
from tests.deploy.exported_toy import toy


class Model:
    """Stands for a graph: `work` makes its outputs; the shapes of what it was given are kept."""

    def __init__(self, own, work):
        self.contract, self.work, self.seen = own, work, []

    def run(self, arrays):
        self.seen.append({name: array.shape for name, array in arrays.items()})
        return self.work(arrays)


def darker(*size, fit="stretch", **outputs):
    """A graph that halves its picture."""
    own = contract(image(*size), fit=fit, **outputs)
    return Model(own, lambda arrays: {"restored": arrays["image"] / 2})


def filled(*size, **hole):
    """A graph that fills with 0.3 and is wrong everywhere else."""
    own = filler(*size, **hole)
    return Model(own, lambda arrays: {"composite": np.full_like(arrays["image"], 0.3)})


def picture(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def hole(height, width):
    made = np.zeros((height, width, 1), np.float32)
    made[height // 4 : height // 2, width // 3 : width // 2] = 1
    return made


def test_one_picture_of_any_size():
    model = darker(16, 16)
    own = picture(40, 30)
    restored = Session(model).apply({"image": own})["restored"]
    assert restored.shape == (16, 16, 3) and restored.dtype == np.float32
    np.testing.assert_allclose(restored, images.resize(own, (16, 16), "area") / 2, atol=1e-6)
    np.testing.assert_allclose(Session(model).apply({"image": images.to_uint8(own)})["restored"], restored, atol=0.002)


def test_several_pictures_are_batched_and_come_back_in_order():
    model = darker(16, 16)
    own = [picture(20 + i, 30, seed=i) for i in range(5)]
    restored = Session(model, batch_size=2).apply({"image": own})["restored"]
    assert [shapes["image"][0] for shapes in model.seen] == [2, 2, 1]
    for one, made in zip(own, restored, strict=True):
        np.testing.assert_allclose(made, images.resize(one, (16, 16), "area") / 2, atol=1e-6)
    whole = np.stack([picture(16, 16, seed) for seed in range(3)])
    np.testing.assert_allclose(Session(model).apply({"image": whole})["restored"], whole / 2)
    assert Session(model).apply({"image": []}) == {"restored": []}


def test_sizes_that_differ_share_no_run_where_any_size_is_taken():
    model = darker()
    sizes = [(16, 16), (16, 16), (8, 24), (16, 16)]
    restored = Session(model).apply({"image": [picture(*size) for size in sizes]})["restored"]
    assert [shapes["image"] for shapes in model.seen] == [(2, 3, 16, 16), (1, 3, 8, 24), (1, 3, 16, 16)]
    assert [one.shape[:2] for one in restored] == sizes


@pytest.mark.parametrize("size", [(), (16, 16), (64, 64)])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_a_filled_picture_is_the_given_one_outside_the_hole(size, fit):
    own, holes, model = picture(40, 28), hole(40, 28), filled(*size)
    preprocessing = model.contract.preprocessing.model_copy(update={"fit": fit})
    model.contract = model.contract.model_copy(update={"preprocessing": preprocessing})
    made = Session(model).apply({"image": own, "mask": holes})["composite"]
    assert made.shape == own.shape
    np.testing.assert_array_equal(made[holes[..., 0] == 0], own[holes[..., 0] == 0])
    np.testing.assert_allclose(made[holes[..., 0] == 1], 0.3, atol=1e-6)
    assert (Session(model).apply({"image": own, "mask": holes}, blend="none")["composite"] < 0.31).all()


def test_a_large_picture_is_filled_in_crops_and_a_large_hole_coarse_to_fine():
    own, holes, model = picture(900, 1000), np.zeros((900, 1000, 1), np.float32), filled()
    holes[100:130, 800:900] = holes[600:640, 50:90] = 1
    made = Session(model).apply({"image": [own, own], "mask": [holes, holes * 0]})["composite"]
    np.testing.assert_array_equal(made[0], np.where(holes == 1, np.float32(0.3), own))
    np.testing.assert_array_equal(made[1], own)
    assert len(model.seen) == 2 and max(np.prod(shapes["image"]) for shapes in model.seen) < 3 * 400 * 400
    model, holes = filled(kernels=(3, 3, 3)), np.zeros((64, 64, 1), np.float32)
    holes[4:60, 4:60] = 1
    made = Session(model).apply({"image": picture(64, 64), "mask": holes})["composite"]
    np.testing.assert_array_equal(made, np.where(holes == 1, np.float32(0.3), picture(64, 64)))
    assert len({shapes["image"] for shapes in model.seen}) > 1


def test_the_mask_gets_to_the_graph_with_its_polarity():
    def work(arrays):
        return {"composite": np.repeat(arrays["mask"], 3, axis=1)}

    own, holes = np.zeros((40, 40, 3), np.float32), hole(40, 40)
    made = Session(Model(filler(40, 40), work)).apply({"image": own, "mask": holes[..., 0] > 0})["composite"]
    np.testing.assert_array_equal(made, np.repeat(holes, 3, axis=2))


def test_a_contracts_own_hole():
    own = picture(40, 40)
    made = Session(filled(16, 16, default="face_box")).apply({"image": own})["composite"]
    assert ((made != own).any(axis=2) == (images.face_box((40, 40))[..., 0] == 1)).all()
    with pytest.raises(InputError, match="picture 1: input 'mask' .* is missing; found \\['image'\\]"):
        Session(filled(16, 16)).apply({"image": own})


def test_padding_keeps_the_aspect_ratio_and_is_taken_off():
    own = np.ones((20, 40, 3), np.float32)
    model = darker(32, 32, fit="pad")
    restored = Session(model).apply({"image": own})["restored"]
    assert model.seen[0]["image"] == (1, 3, 32, 32) and restored.shape == (16, 32, 3)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(50, 100), (90, 30), (32, 32)])
def test_points_are_in_the_given_pictures_pixels(fit, size):
    """A spot is found where it is in the picture, whatever became of the picture before the graph saw it."""

    def spot(arrays):
        flat = arrays["image"][:, 0].reshape(len(arrays["image"]), -1).argmax(axis=1)
        return {"at": np.float32([[[place % 32, place // 32]] for place in flat])}

    own = np.zeros((*size, 3), np.float32)
    x, y = size[1] // 2 + 4, size[0] // 2 - 3
    own[y - 1 : y + 2, x - 1 : x + 2] = 0.5
    own[y, x] = 1
    model = Model(contract(image(32, 32), outputs=(Port("at", (-1, 1, 2), "points"),), fit=fit), spot)
    found = Session(model).apply({"image": own})["at"]
    reach = max(1, max(size) / 32)
    assert np.abs(found - [[x, y]]).max() <= reach
    if size == (32, 32):
        np.testing.assert_array_equal(found, [[x, y]])


def test_vectors_are_given_shared_or_drawn_from_the_seed():
    style = Port("style", (-1, 5), "vector")
    own = contract(image(8, 8), style, outputs=(Port("code", (-1, 5), "vector"),))
    session, face = Session(Model(own, lambda arrays: {"code": arrays["style"]})), picture(8, 8)
    given = np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(session.apply({"image": face, "style": given})["code"], given)
    for one in session.apply({"image": [face, face], "style": given})["code"]:
        np.testing.assert_array_equal(one, given)
    drawn = session.apply({"image": [face, face]}, seed=3)["code"]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], np.random.default_rng(3).standard_normal(5, dtype=np.float32))


@pytest.mark.parametrize(
    "inputs, line",
    [
        ({}, "input 'image' .* is missing"),
        ({"image": picture(8, 8), "masque": 1}, "no input 'masque'; it takes image, mask"),
        ({"image": picture(8, 8)[..., :1], "mask": hole(8, 8)}, r"input 'image' is \[8, 8, 1\]; expected \[H, W, 3\]"),
        ({"image": picture(8, 8) * 255, "mask": hole(8, 8)}, r"expected \[0, 1\], or uint8"),
        ({"image": picture(8, 8) * np.nan, "mask": hole(8, 8)}, r"expected \[0, 1\], or uint8"),
        ({"image": picture(8, 8), "mask": hole(8, 9)}, "input 'mask' is 8 x 9; the picture is 8 x 8"),
        ({"image": picture(8, 8), "mask": hole(8, 8) / 2}, "holds other values than 0 and 1"),
        ({"image": picture(8, 8), "mask": np.ones((8, 8))}, "all of it is hole"),
        ({"image": [picture(8, 8)] * 2, "mask": [hole(8, 8)] * 3}, "different numbers of pictures"),
    ],
)
def test_what_cannot_be_run_is_one_line(inputs, line):
    with pytest.raises(InputError, match=line):
        Session(filled(16, 16)).apply(inputs)


def test_a_blend_without_holes():
    with pytest.raises(InputError, match="--blend feather: this model fills no holes"):
        Session(darker(8, 8)).apply({"image": picture(8, 8)}, blend="feather")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_output_that_is_not_finite_is_named(value):
    def work(arrays):
        restored = arrays["image"].copy()
        restored[1, 0, 0, 0] = value
        return {"restored": restored}

    with pytest.raises(InputError, match="picture 2: output 'restored' of Model holds values that are not finite"):
        Session(Model(contract(image(8, 8)), work)).apply({"image": [picture(8, 8)] * 2})


def test_an_output_that_its_contract_does_not_promise():
    model = Model(contract(image(8, 8)), lambda arrays: {"restored": arrays["image"][:, :, :4]})
    with pytest.raises(InputError, match=r"output 'restored' is \[1, 3, 4, 8\]; its contract says \[-1, 3, 8, 8\]"):
        Session(model).apply({"image": picture(8, 8)})


def in_threads(count, work):
    """Run work(0) .. work(count - 1) at one time; the first exception is raised."""
    wrong = []

    def guarded(number):
        try:
            work(number)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def test_two_sessions_of_a_graph_never_run_it_together():
    inside = []

    def work(arrays):
        inside.append(1)
        assert len(inside) == 1
        time.sleep(0.005)
        inside.pop()
        return {"restored": arrays["image"]}

    model = Model(contract(image(8, 8)), work)
    sessions = [Session(model), Session(model)]
    in_threads(6, lambda number: sessions[number % 2].apply({"image": picture(8, 8)}))


@pytest.mark.parametrize("form", ["exported", "training"])
def test_threads_with_different_pictures_get_their_own(tmp_path, form):
    """Every thread's results are those of the same calls one after the other."""
    export(toy(), tmp_path)
    session = Session(Predictor(tmp_path) if form == "exported" else DynamicGraph(toy()))

    def inputs(number):
        size = (16 + 8 * (number % 3), 20)
        return {"image": picture(*size, number), "mask": hole(*size)}

    wanted = [session.apply(inputs(number)) for number in range(6)]
    assert np.abs(wanted[0]["code"] - wanted[1]["code"]).max() > 1e-3

    def work(number):
        for _ in range(10):
            found = session.apply(inputs(number))
            for name, value in wanted[number].items():
                np.testing.assert_allclose(found[name], value, atol=1e-6)

    in_threads(6, work)


def test_an_exported_graph_takes_pictures_of_any_size(tmp_path):
    export(toy(hole=None), tmp_path)
    predictor = Predictor(tmp_path)
    own, holes = picture(40, 24), hole(40, 24)
    with pytest.raises(InputError, match="deploy.session.Session takes pictures of any size"):
        predictor.run({"image": images.to_chw(own)[None], "mask": images.to_chw(holes)[None]})
    made = Session(predictor).apply({"image": own, "mask": holes})
    assert made["filled"].shape == (16, 16, 3) and made["code"].shape == (4,)
    assert contract_of(Exported(None, [image(4, 4), mask(4, 4)], [image(4, 4)])).hole is None
