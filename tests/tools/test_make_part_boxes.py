"""The tool for tables of facial parts: every source it knows, and mistakes as one line."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from data_loader.drawn_faces.rendering import render
from data_loader.facial_parts import PARTS, circles_of, read_table
from engine.errors import InputError
from engine.images import write_image
from engine.weights.torch_file import TORCH_MAGIC, TORCH_PROTOCOL
from tools import make_part_boxes

OFFICIAL = {
    f"{i:08d}": {
        "left_eye": [np.float64(190.5 + i), np.float64(240), np.float64(20)],
        "right_eye": [np.float32(320), 241.0, 21],
        "mouth": [256.0, 370.0, 50.25],
    }
    for i in range(3)
}


def table(tmp_path, landmarks, *words):
    make_part_boxes.main(["--landmarks", str(landmarks), "--output", str(tmp_path / "parts.json"), *words])
    return read_table(tmp_path / "parts.json")


def written(path, content):
    path.write_text(json.dumps(content))
    return path


def test_landmarks_by_stem(tmp_path, capsys):
    points = render(3, 0, 64).landmarks.tolist()
    hidden = [*points[:40], None, *points[41:]]
    for content in ({"a": points, "b": hidden}, {"faces": {"a": {"landmarks": points}, "b": {"landmarks": hidden}}}):
        found = table(tmp_path, written(tmp_path / "l.json", content), "--size", "64")
        np.testing.assert_allclose(found.circles("a", 64), circles_of(points, 64), atol=1e-3)
        assert np.isnan(found.circles("b", 64)).any(axis=1).tolist() == [True, False, False]
        assert "2 faces of 64 x 64, 1 parts not visible" in capsys.readouterr().out


def test_ffhq_list(tmp_path):
    points = (render(3, 0, 64).landmarks * 16).tolist()
    image = {"file_path": "images1024x1024/00000/00007.png", "face_landmarks": points}
    found = table(tmp_path, written(tmp_path / "ffhq-dataset-v2.json", {"7": {"image": image}}), "--size", "1024")
    np.testing.assert_allclose(found.circles("00000/00007", 512), circles_of(np.array(points) / 2, 512), atol=1e-3)


def torch_file(path, content, is_zip):
    """What torch.save writes of plain values: a zip with data.pkl, or five pickles in a row."""
    if is_zip:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("landmarks/data.pkl", pickle.dumps(content, protocol=2))
            archive.writestr("landmarks/version", "3")
        return path
    with io.BytesIO() as stream:
        for value in (TORCH_MAGIC, TORCH_PROTOCOL, {"little_endian": True}, content, []):
            pickle.dump(value, stream, protocol=2)
        path.write_bytes(stream.getvalue())
    return path


@pytest.mark.parametrize("is_zip", [True, False])
def test_official_file(tmp_path, is_zip):
    found = table(tmp_path, torch_file(tmp_path / "l.pth", OFFICIAL, is_zip), "--size", "512")
    assert set(found.faces) == {"00000", "00001", "00002"} and found.size == 512
    np.testing.assert_allclose(found.circles("00000/00002", 512), [[192.5, 240, 20], [320, 241, 21], [256, 370, 50.25]])


def test_official_file_counts_the_files_of_a_folder(tmp_path):
    for name in ("b", "a", "c"):
        write_image(tmp_path / "faces" / f"{name}.png", np.zeros([4, 4, 3], np.float32))
    path = torch_file(tmp_path / "l.pth", OFFICIAL, True)
    found = table(tmp_path, path, "--images", str(tmp_path / "faces"))
    assert [found.circles(name, 512)[0, 0] for name in "abc"] == [190.5, 191.5, 192.5]
    (tmp_path / "faces" / "c.png").unlink()
    with pytest.raises(InputError, match="faces: holds 2 pictures, .*l.pth has a picture 00000002"):
        table(tmp_path, path, "--images", str(tmp_path / "faces"))


@pytest.mark.parametrize("content", [{}, {"a": [[1, 2]] * 67}, [1], {"a": 3}])
def test_other_files_are_one_line(tmp_path, content):
    with pytest.raises(InputError, match="l.json: no known form of landmarks"):
        table(tmp_path, written(tmp_path / "l.json", content))
    with pytest.raises(InputError, match="l.pth: no landmarks of the official form"):
        table(tmp_path, torch_file(tmp_path / "l.pth", {"0": {"left_eye": [1, 2]}}, True))
    with pytest.raises(InputError, match="none.json: cannot be read"):
        table(tmp_path, tmp_path / "none.json")
    with pytest.raises(InputError, match="expected .json or .npz"):
        make_part_boxes.main(["--landmarks", "x.json", "--output", "parts.txt"])


def test_order_of_the_parts():
    assert list(PARTS) == ["left_eye", "right_eye", "mouth"]
