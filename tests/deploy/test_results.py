"""Stacks and sheets: picture, masked and completed below each other, names kept, nothing read is overwritten."""

import time
from pathlib import Path

import numpy as np
import pytest

from deploy.files import Files, output_files
from deploy.inference import Stopwatch, run
from deploy.results import WRITERS
from deploy.samples import Sample, find_samples
from engine import images
from engine.errors import InputError
from tests.deploy.contracts import contract, filler, image


class Filler:
    """Stands for a model that fills with 0.8 at its own size; the masked picture is shown blue."""

    contract = filler(8, 8, colour=(0, 0, 1), default="face_box")

    def run(self, arrays):
        return {"composite": np.full_like(arrays["image"], 0.8)}


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(["a.png", "b.jpg", "sub/c.png"]):
        images.write_image(tmp_path / "in" / name, np.full((16, 16, 3), 0.1 * (i + 1), np.float32))
    return tmp_path / "in"


def written(folder, out, mode):
    samples = find_samples(Filler.contract, folder)
    writer = WRITERS[mode](Filler.contract, samples, out)
    assert len(list(run(Filler(), samples, 2, out, Stopwatch(), writer=writer))) == 3
    return {path.relative_to(out).as_posix(): images.to_uint8(images.read_image(path)) for path in out.rglob("*.png")}


def expected(level):
    """[picture, masked, completed] of a grey picture."""
    own = np.full((16, 16, 3), level, np.uint8)
    masked, completed = own.copy(), own.copy()
    masked[8:, 4:12], completed[8:, 4:12] = [0, 0, 255], 204
    return [own, masked, completed]


def test_stacks_keep_names(folder, tmp_path):
    found = written(folder, tmp_path / "out", "each")
    assert set(found) == {"a.png", "b.png", "sub/c.png"}
    np.testing.assert_array_equal(found["a.png"], np.concatenate(expected(26)))
    np.testing.assert_array_equal(found["sub/c.png"], np.concatenate(expected(76)))


def test_one_sheet_of_all(folder, tmp_path):
    found = written(folder, tmp_path / "out", "all")
    assert set(found) == {"predict.png"}
    assert found["predict.png"].shape == (48, 48, 3)
    np.testing.assert_array_equal(found["predict.png"][:, :16], np.concatenate(expected(26)))
    np.testing.assert_array_equal(found["predict.png"][:, 32:], np.concatenate(expected(76)))


def test_a_sheet_has_eight_columns(tmp_path):
    for i in range(9):
        images.write_image(tmp_path / "in" / f"{i}.png", np.full((16, 16, 3), 0.1 * i, np.float32))
    samples = find_samples(Filler.contract, tmp_path / "in")
    writer = WRITERS["all"](Filler.contract, samples, tmp_path / "out")
    list(run(Filler(), samples, 4, tmp_path / "out", Stopwatch(), writer=writer))
    sheet = images.to_uint8(images.read_image(tmp_path / "out" / "predict.png"))
    assert sheet.shape == (2 * 48, 8 * 16, 3)
    np.testing.assert_array_equal(sheet[48:, :16], np.concatenate(expected(204)))


def test_a_picture_that_is_read_stays(folder):
    before = (folder / "a.png").read_bytes()
    with pytest.raises(InputError, match="a.png: is one of the pictures that are read"):
        WRITERS["each"](Filler.contract, find_samples(Filler.contract, folder), folder)
    assert (folder / "a.png").read_bytes() == before


def test_only_what_fills_holes_has_stacks(folder, tmp_path):
    other = contract(image(8, 8))
    with pytest.raises(InputError, match="--stacks: this model fills no holes"):
        WRITERS["all"](other, find_samples(other, folder), tmp_path / "out")


def test_names_of_results(tmp_path):
    two = contract(image(8, 8), outputs=(image(8, 8, name="filled"), image(8, 8, name="edges")))
    samples = find_samples(two, files={"image": "x/face.png"})
    paths = output_files(two, samples, "out")["face.png"]
    assert {port: path.as_posix() for port, path in paths.items()} == {
        "filled": "out/face_predict.png",
        "edges": "out/face_predict_edges.png",
    }


def sample(name, path=None):
    return Sample(name, {"image": Path(path or name)})


def test_naming_takes_time_in_proportion():
    samples = [sample(f"{i % 70}/{i}.png") for i in range(30_000)]
    began = time.perf_counter()
    found = output_files(contract(image(8, 8)), samples, "out")
    assert time.perf_counter() - began < 10  # a search a name took 20 s
    assert found["3/73.png"]["restored"] == Path("out/3/73_predict.png")


def test_masks_are_found_by_stem_at_any_depth(tmp_path):
    for name in ("in/a.jpg", "in/sub/a.png", "masks/a.png", "masks/sub/a.bmp", "masks/sub/a.png"):
        images.write_image(tmp_path / name, np.zeros((4, 4, 3), np.float32))
    found = find_samples(filler(8, 8), tmp_path / "in", {"mask": tmp_path / "masks"})
    assert [one.files["mask"].relative_to(tmp_path).as_posix() for one in found] == ["masks/a.png", "masks/sub/a.bmp"]


@pytest.mark.parametrize("link", ["plain", "symbolic", "hard", "another name of the folder"])
def test_no_result_takes_the_place_of_an_input(tmp_path, link):
    images.write_image(tmp_path / "in" / "a.png", np.zeros((4, 4, 3), np.float32))
    images.write_image(tmp_path / "in" / "a_predict.png", np.zeros((4, 4, 3), np.float32))
    before = (tmp_path / "in" / "a_predict.png").read_bytes()
    out = tmp_path / "out"
    if link in ("plain", "another name of the folder"):
        out = tmp_path / "in" if link == "plain" else tmp_path / "in" / ".." / "in"
    else:
        out.mkdir()
        make = Path.symlink_to if link == "symbolic" else Path.hardlink_to
        make(out / "a_predict.png", tmp_path / "in" / "a_predict.png")
    samples = find_samples(contract(image(8, 8)), tmp_path / "in")
    with pytest.raises(InputError, match="a_predict.png: is one of the pictures that are read"):
        Files(contract(image(8, 8)), samples, out)
    assert (tmp_path / "in" / "a_predict.png").read_bytes() == before


def test_no_two_results_have_one_place():
    samples = [sample("a.png"), sample("a.jpg"), sample("a.png.png")]
    with pytest.raises(InputError, match="out/a.png_predict.png: is the place of 2 results"):
        Files(contract(image(8, 8)), samples, "out")


def test_results_in_the_picture_s_container():
    samples = [sample("a.jpeg"), sample("b.gif")]
    found = output_files(contract(image(8, 8)), samples, "out", "auto")
    assert [found[one.name]["restored"].name for one in samples] == ["a_predict.jpeg", "b_predict.png"]
    assert output_files(contract(image(8, 8)), samples, "out", "tif")["b.gif"]["restored"].name == "b_predict.tif"
