import numpy as np
import pytest

from engine import images
from engine.errors import InputError
from engine.inference import find_samples, load, numbers, output_files, run, warm_up
from engine.timing import Stopwatch


def contract(*names, size=(4, 6)):
    """Image inputs of a size, a mask of one channel, a drawn vector."""
    shapes = {"mask": [-1, 1, *size], "code": [-1, 5]}
    inputs = [
        {"name": name, "kind": "vector" if name == "code" else "image", "shape": shapes.get(name, [-1, 3, *size])}
        for name in names
    ]
    kinds = {"filled": "image", "edges": "image", "id": "vector"}
    outputs = [{"name": name, "kind": kind} for name, kind in kinds.items()]
    return {"inputs": inputs, "outputs": outputs, "preprocessing": {"resize_kernel": "area"}}


class Recorder:
    """Stands for a Predictor: gives back the image, its negative and its first column, and notes the batch sizes."""

    def __init__(self, size=(4, 6)):
        self.contract, self.batches = contract("image", size=size), []

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


def test_nothing_readable(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"")
    predictor = Recorder()
    with pytest.raises(InputError, match="none of the 1 pictures could be read"):
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
    wanted = contract("image", "mask")
    photo = picture(tmp_path / "image" / "x" / "1.png", 0.5)
    mask = picture(tmp_path / "mask" / "x" / "1.jpg", 1)
    (sample,) = find_samples(wanted, tmp_path)
    assert (sample.name, sample.files) == ("x/1.png", {"image": photo, "mask": mask})


def test_one_mask_for_a_folder(folder, tmp_path):
    mask = picture(tmp_path / "mask.png", 1)
    samples = find_samples(contract("image", "mask"), folder, {"mask": mask, "style": None})
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
        find_samples(contract(*names), None, files)


def test_a_folder_and_a_file(folder):
    with pytest.raises(InputError, match="give a folder or a file, not both"):
        find_samples(contract("image"), folder, {"image": folder / "a.png"})


def test_load_brings_every_input_to_its_form(tmp_path):
    wanted = contract("image", "mask", "code")
    half = np.zeros((8, 12, 3), np.float32)
    half[:, 6:] = 1
    images.write_image(tmp_path / "mask.png", half)
    picture(tmp_path / "photo.png", [1, 0.2, 0], size=(8, 12))
    files = {"image": tmp_path / "photo.png", "mask": tmp_path / "mask.png"}
    first, second = (load(wanted, find_samples(wanted, None, files)[0]) for _ in range(2))
    assert first["image"].shape == (3, 4, 6)
    np.testing.assert_allclose(first["image"][:, 0, 0], [1, 0.2, 0], atol=1e-6)
    assert np.array_equal(first["mask"], np.float32([[[0, 0, 0, 1, 1, 1]] * 4]))  # white is 1, right half
    assert first["code"].shape == (5,) and np.array_equal(first["code"], second["code"])


def test_names_of_results(tmp_path):
    samples = find_samples(contract("image"), None, {"image": "x/face.png"})
    assert output_files(contract("image"), samples, "out")["face.png"]["filled"].as_posix() == "out/face_predict.png"
    for suffix in ("png", "jpg"):
        picture(tmp_path / f"same.{suffix}", 0)
    files = output_files(contract("image"), find_samples(contract("image"), tmp_path), "out")
    assert [paths["filled"].name for paths in files.values()] == ["same.jpg_predict.png", "same.png_predict.png"]


def test_numbers_have_six_decimals():
    results = {"filled": np.full((3, 2, 2), 1 / 3), "edges": np.zeros((3, 2, 2)), "id": np.float32([2, 0.1234567])}
    assert numbers(contract("image"), results) == [0.333333] * 3 + [0] * 3 + [2, 0.123457]
