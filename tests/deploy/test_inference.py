import numpy as np
import pytest
from PIL import Image

from deploy.contract import numbers
from deploy.files import output_files
from deploy.inference import Stopwatch, read, run, warm_up
from deploy.samples import find_samples, named_files
from deploy.session import Session
from engine import images
from engine.errors import InputError
from engine.ports import Port
from tests.deploy.contracts import contract, filler, image, mask


def ports(*names, size=(4, 6), fit="stretch"):
    """Image inputs of a size, a mask, a drawn vector; two pictures and a vector come out."""
    special = {"mask": mask(*size), "code": Port("code", (-1, 5), "vector")}
    inputs = [special.get(name, image(*size, name=name)) for name in names]
    outputs = (image(*size, name="filled"), image(*size, name="edges"), Port("id", (-1, -1), "vector"))
    return contract(*inputs, outputs=outputs, fit=fit)


def arrays_of(own, sample):
    """What a graph of this contract gets of a sample."""
    return Session(SimpleGraph(own)).prepared(read(own, sample)).arrays


class SimpleGraph:
    """Never run."""

    def __init__(self, own):
        self.contract = own


class Recorder:
    """Stands for a Predictor: gives back the image, its negative and its first column, and notes the batch sizes."""

    def __init__(self, size=(4, 6)):
        self.contract, self.batches = ports("image", size=size), []

    def run(self, arrays):
        image = arrays["image"]
        self.batches.append(image.shape)
        return {"filled": image, "edges": 1 - image, "id": image[:, 0, :, 0]}


def picture(path, colour, size=(4, 6)):
    images.write_image(path, np.broadcast_to(np.float32(colour), (*size, 3)))
    return path


@pytest.fixture
def folder(tmp_path):
    """Three pictures and one that cannot be read, at two depths."""
    picture(tmp_path / "in" / "a.png", [1, 0, 0])
    picture(tmp_path / "in" / "sub" / "a.png", [0, 1, 0], size=(8, 12))
    picture(tmp_path / "in" / "z.jpg", [0, 0, 1])
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "in"


def test_runs_in_batches_signs_writes_and_skips(folder, tmp_path, capsys):
    predictor, watch = Recorder(), Stopwatch()
    found = dict(run(predictor, find_samples(predictor.contract, folder), 2, tmp_path / "out", watch))
    assert predictor.batches == [(1, 3, 4, 6), (2, 3, 4, 6)]
    assert list(found) == ["a.png", "sub/a.png", "z.jpg"]
    assert found["a.png"] == [1, 0, 0, 0, 1, 1, 1, 1, 1, 1]  # means of both images, then the vector
    assert "skipped: " in capsys.readouterr().err
    assert np.array_equal(images.read_image(tmp_path / "out" / "sub" / "a_predict.png")[0, 0], [0, 1, 0])
    assert np.array_equal(images.read_image(tmp_path / "out" / "a_predict_edges.png")[0, 0], [0, 1, 1])
    assert [len(watch.seconds[stage]) for stage in watch.seconds] == [2, 2, 2]


@pytest.mark.parametrize("count, line", [(1, "0.png: not a readable image"), (2, "none of the 2 pictures")])
def test_nothing_readable(tmp_path, count, line):
    for i in range(count):
        (tmp_path / f"{i}.png").write_bytes(b"")
    predictor = Recorder()
    with pytest.raises(InputError, match=line):
        list(run(predictor, find_samples(predictor.contract, tmp_path), 1, tmp_path / "out", Stopwatch()))


def test_pictures_keep_their_size_where_the_model_takes_any(folder, tmp_path):
    predictor = Recorder(size=(-1, -1))
    dict(run(predictor, find_samples(predictor.contract, folder), 3, tmp_path / "out", Stopwatch()))
    assert predictor.batches == [(1, 3, 4, 6), (1, 3, 8, 12), (1, 3, 4, 6)]


def test_warm_up_runs_the_batch_size_once():
    predictor = Recorder()
    warm_up(predictor, 5)
    assert predictor.batches == [(5, 3, 4, 6)]


def test_inputs_from_folders_named_like_them(tmp_path):
    wanted = ports("image", "mask")
    photo = picture(tmp_path / "image" / "x" / "1.png", 0.5)
    mask = picture(tmp_path / "mask" / "x" / "1.jpg", 1)
    (sample,) = find_samples(wanted, tmp_path)
    assert (sample.name, sample.files) == ("x/1.png", {"image": photo, "mask": mask})


def test_masks_from_a_folder_of_their_own(folder, tmp_path):
    wanted = [picture(tmp_path / "masks" / name, 1) for name in ("a.bmp", "sub/a.png", "z.png")]
    (tmp_path / "masks" / "a.json").write_text("{}")
    (folder / "broken.png").unlink()
    samples = find_samples(ports("image", "mask"), folder, {"mask": tmp_path / "masks"}, "valid")
    assert [sample.files["mask"] for sample in samples] == wanted
    assert {sample.white_means for sample in samples} == {"valid"}


class Filler:
    """Stands for a model that fills: its composite is wrong everywhere, 0.3 in the hole and 0.7 elsewhere."""

    def __init__(self, size):
        self.contract = filler(*size)

    def run(self, arrays):
        mask = arrays["mask"].repeat(3, axis=1)
        return {"composite": np.where(mask == 1, np.float32(0.3), np.float32(0.7))}


def hole_file(path, size, white="hole"):
    """A mask file and the hole in it: a box off the edge."""
    hole = np.zeros((*size, 1), bool)
    hole[3:11, 5:14] = True
    images.write_image(path, np.float32(hole == (white == "hole")).repeat(3, 2))
    return hole


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("size", [(-1, -1), (16, 16), (64, 64)])
@pytest.mark.parametrize("white", ["hole", "valid"])
def test_pixels_outside_the_hole_are_the_files_own(tmp_path, suffix, size, white):
    photo = tmp_path / f"photo{suffix}"
    images.write_image(photo, np.random.default_rng(0).random((33, 47, 3)))
    hole, model = hole_file(tmp_path / "mask.png", (33, 47), white), Filler(size)
    samples = find_samples(model.contract, None, {"image": photo, "mask": tmp_path / "mask.png"}, white)
    list(run(model, samples, 1, tmp_path / "out", Stopwatch()))
    with Image.open(tmp_path / "out" / "photo_predict.png") as file:
        written = np.asarray(file)
    with Image.open(photo) as file:
        own = np.asarray(file)
    assert np.array_equal(written, np.where(hole, written, own))
    inside = np.s_[3:11, 5:14] if size == (-1, -1) else np.s_[6:9, 8:11]  # an enlarged hole has soft edges
    assert (written[inside] == round(0.3 * 255)).all()


@pytest.mark.parametrize(
    "size, level, line",
    [
        ((20, 20), 0, "mask.png: mask of 20 x 20; expected 33 x 47, the size of .*photo.png"),
        ((33, 47), 1, r"mask.png: all of it is hole; expected some known pixels \(white means hole\)"),
    ],
)
def test_masks_that_cannot_be_meant(tmp_path, size, level, line):
    picture(tmp_path / "photo.png", 0.5, (33, 47))
    picture(tmp_path / "mask.png", level, size)
    model = Filler((-1, -1))
    samples = find_samples(model.contract, None, {"image": tmp_path / "photo.png", "mask": tmp_path / "mask.png"})
    with pytest.raises(InputError, match=line):
        list(run(model, samples, 1, tmp_path / "out", Stopwatch()))


def test_a_mask_that_looks_inverted_is_named(tmp_path, caplog):
    picture(tmp_path / "photo.png", 0.5, (33, 47))
    hole_file(tmp_path / "mask.png", (33, 47), "valid")
    for white, count in (("valid", 0), ("hole", 1)):
        files = {"image": tmp_path / "photo.png", "mask": tmp_path / "mask.png"}
        read(ports("image", "mask"), find_samples(ports("image", "mask"), None, files, white)[0])
        assert len(caplog.records) == count
    assert "mask.png: 95% is hole; is it right that white means hole?" in caplog.text


def test_one_mask_for_a_folder(folder, tmp_path):
    mask = picture(tmp_path / "mask.png", 1)
    samples = find_samples(ports("image", "mask"), folder, {"mask": mask, "style": None})
    assert {sample.files["mask"] for sample in samples} == {mask}


@pytest.mark.parametrize(
    "names, files, line",
    [
        (["image"], {}, "no picture given; expected --image_dir FOLDER or --img FILE"),
        (["image"], {"image": "a.png", "mask": "m.png"}, "--mask: this model has no input 'mask'; it takes image"),
        (["image", "style"], {"image": "a.png"}, "input 'style' is missing; give --style FILE"),
    ],
)
def test_what_is_missing_or_too_much(names, files, line):
    with pytest.raises(InputError, match=line):
        find_samples(ports(*names), None, files)


def test_flags_name_inputs_by_their_kind():
    hidden = contract(image(name="photo"), Port("hole", (-1, 1, -1, -1), "mask"))
    assert named_files(hidden, "a.png", "m.png") == {"photo": "a.png", "hole": "m.png"}
    with pytest.raises(InputError, match="--style: this model has no input 'style'; it takes photo, hole"):
        named_files(hidden, style="s.png")


def test_a_folder_and_a_file(folder):
    with pytest.raises(InputError, match="give a folder or a file, not both"):
        find_samples(ports("image"), folder, {"image": folder / "a.png"})


def test_load_brings_every_input_to_its_form(tmp_path):
    wanted = ports("image", "mask", "code")
    half = np.zeros((8, 12, 3), np.float32)
    half[:, 6:] = 1
    images.write_image(tmp_path / "mask.png", half)
    picture(tmp_path / "photo.png", [1, 0.2, 0], size=(8, 12))
    files = {"image": tmp_path / "photo.png", "mask": tmp_path / "mask.png"}
    first, second = (arrays_of(wanted, find_samples(wanted, None, files)[0]) for _ in range(2))
    assert first["image"].shape == (3, 4, 6)
    np.testing.assert_allclose(first["image"][:, 0, 0], [1, 0.2, 0], atol=1e-6)
    assert np.array_equal(first["mask"], np.float32([[[0, 0, 0, 1, 1, 1]] * 4]))  # white is 1, right half
    assert first["code"].shape == (5,) and np.array_equal(first["code"], second["code"])


def test_names_of_results(tmp_path):
    samples = find_samples(ports("image"), None, {"image": "x/face.png"})
    assert output_files(ports("image"), samples, "out")["face.png"]["filled"].as_posix() == "out/face_predict.png"
    for suffix in ("png", "jpg"):
        picture(tmp_path / f"same.{suffix}", 0)
    files = output_files(ports("image"), find_samples(ports("image"), tmp_path), "out")
    assert [paths["filled"].name for paths in files.values()] == ["same.jpg_predict.png", "same.png_predict.png"]


def test_numbers_have_six_decimals():
    results = {"filled": np.full((2, 2, 3), 1 / 3), "edges": np.zeros((2, 2, 3)), "id": np.float32([2, 0.1234567])}
    assert numbers(ports("image"), results) == [0.333333] * 3 + [0] * 3 + [2, 0.123457]


@pytest.mark.parametrize(("size", "shown"), [((8, 24), np.s_[:, 6:18]), ((16, 12), np.s_[4:12])])
def test_a_graph_may_ask_for_the_centre_of_a_picture(tmp_path, size, shown):
    """Squeezed, other colours than the centre's would come in."""
    image = np.zeros((*size, 3), np.float32)
    image[..., 0] = 1
    image[shown] = [0, 1, 0]
    images.write_image(tmp_path / "a.png", image)
    for fit, whole in (("crop", True), ("stretch", False)):
        asked = ports("image", fit=fit)
        (sample,) = find_samples(asked, None, {"image": tmp_path / "a.png"})
        found = arrays_of(asked, sample)["image"]
        assert found.shape == (3, 4, 6) and bool((found[1] == 1).all()) is whole
