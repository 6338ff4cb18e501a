"""Small files that people and other programs write, damaged in many ways: each is read, or refused in one line."""

import json
import shutil

import numpy as np
import pytest

from data_loader import webcaricature_files
from data_loader.facial_parts import PartTable, circles_of, read_table, write_table
from data_loader.landmark_files import landmarks_of
from data_loader.webcaricature_files import Picture
from system.landmark_recipe import original_settings
from test_tipc import benchmark
from test_tipc.compare_results import read_results
from test_tipc.parser import read_config
from tests.mutants import refusals
from tests.test_tipc.conftest import SHIPPED

FAST, COUNT = 150, 3000
POINTS = np.random.default_rng(0).uniform(0, 256, (68, 2)).round(1)
VIEW = "EvaluationProtocols/FaceVerification"


def landmarks(folder):
    faces = {"a": {"landmarks": POINTS.tolist()}, "b": {"landmarks": [None, *POINTS[1:].tolist()]}}
    (folder / "landmarks.json").write_text(json.dumps({"faces": faces}))
    return folder / "landmarks.json", lambda path: [circles_of(points, 256) for points in landmarks_of(path).values()]


def ffhq(folder):
    image = {"file_path": "images1024x1024/00000/00000.png", "face_landmarks": POINTS.tolist()}
    (folder / "ffhq.json").write_text(json.dumps({"0": {"image": image}}))
    return folder / "ffhq.json", landmarks_of


def parts(folder, suffix):
    hidden = np.full((3, 3), np.nan)
    write_table(folder / f"parts{suffix}", PartTable({"00000": circles_of(POINTS, 256), "a": hidden}, 256))
    return folder / f"parts{suffix}", read_table


def protocol(folder, name, text, read):
    path = folder / VIEW / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path, lambda _: read(folder)


def caricature_points(folder):
    path = folder / "FacialPoints" / "A B" / "C00001.txt"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{x} {y}\n" for x, y in POINTS[:17]))
    return path, lambda _: webcaricature_files.read_landmarks(folder, Picture("A B", "C00001"))


def caricature_names(folder):
    for letter in "pc":
        (folder / "Filenames" / "A B").mkdir(parents=True, exist_ok=True)
        (folder / "Filenames" / "A B" / f"file_{letter}.txt").write_text(f"{letter.upper()}00001\n")

    def read(_):
        for picture in webcaricature_files.list_pictures(folder):
            webcaricature_files.image_path(folder, picture)

    return folder / "Filenames" / "A B" / "file_c.txt", read


def tipc(folder, name):
    shutil.copy(SHIPPED / name, folder / name)
    return folder / name, lambda path: ["\n" in str(notice) for notice in read_config(path).notices]


def results(folder):
    lines = "a.png\t[0.5, 0.25]\nb.png\t[0.5, 1]\nMetric psnr/restored: 24.5\n"
    (folder / "results.txt").write_text(lines)
    return folder / "results.txt", read_results


def original(folder):
    (folder / "config.json").write_text('{"mpv": [0.5, 0.4, 0.3], "input_generator_size": 160, "bsize": 16}')
    return folder / "config.json", original_settings


VIEW_1 = "2\nA B\t3\t4\nC\t1\t2\n"
VIEW_2 = "2\n1\nA B\t3\t4\n1\nC\t1\t2\n"
PAIRS = "1\n1\nA B\tC00001\tP00001\nA B\tC00001\tD\tP00002\n"
READERS = {
    "landmarks": landmarks,
    "ffhq": ffhq,
    "parts.json": lambda folder: parts(folder, ".json"),
    "parts.npz": lambda folder: parts(folder, ".npz"),
    "view 1": lambda folder: protocol(folder, "UnRestricted/UnRestrictedView1_DevTrain.txt", VIEW_1,
                                      lambda root: webcaricature_files.view1(root, "DevTrain")),
    "view 2": lambda folder: protocol(folder, "UnRestricted/UnRestrictedView2.txt", VIEW_2,
                                      webcaricature_files.view2_people),
    "pairs": lambda folder: protocol(folder, "Restricted/RestrictedView2.txt", PAIRS, webcaricature_files.view2_pairs),
    "points": caricature_points,
    "names": caricature_names,
    "tipc 51": lambda folder: tipc(folder, "train_infer_python.txt"),
    "tipc 32": lambda folder: tipc(folder, "train_infer_python_32.txt"),
    "tipc rows": lambda folder: (tipc(folder, "train_infer_python.txt")[0],
                                 lambda path: benchmark.cases(None, benchmark.benchmark_rows(path))),
    "tipc results": results,
    "config.json": original,
}  # fmt: skip


@pytest.mark.parametrize("count", [FAST, pytest.param(COUNT, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", READERS)
def test_damaged_files_end_in_one_line(tmp_path, name, count):
    path, read = READERS[name](tmp_path)
    if name != "names":  # its picture is missing, which is said
        read(path)
    assert refusals(path, path.read_bytes(), count, read) > count / 20
