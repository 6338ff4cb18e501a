"""How many files of the project one has to read to follow what a script does: those whose functions are called."""

import inspect
import json
import subprocess
import sys

import paddle
import pytest

from engine import config as configuration
from engine import system as systems
from engine.training.updater import Updater
from tests.script_calls import ROOT

FOLLOWED = """
import inspect, json, runpy, sys
seen, root = {}, sys.argv[1]

def note(frame, event, argument):
    code = frame.f_code
    if event == "call" and code.co_flags & inspect.CO_NEWLOCALS and code.co_filename not in seen:
        above = frame.f_back
        while above and "importlib" not in above.f_code.co_filename:  # what an import runs is no part of the way
            above = above.f_back
        if not above:
            seen[code.co_filename] = code.co_qualname

sys.argv = sys.argv[2:]
sys.path.insert(0, root)
sys.setprofile(note)
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
finally:
    sys.setprofile(None)
own = [name.removeprefix(root + "/") for name in seen if name.startswith(root + "/") or not name.startswith(("/", "<"))]
print(json.dumps(sorted(name for name in own if not name.startswith(".venv"))))
"""
PREDICT, EXPORT, INFER, STEP = 23, 23, 11, 14
GPEN = ("-c", "configs/gpen_lite.yaml", "--pretrained", "weights/lite/gpen_lite.pdparams")


def files_of(*words):
    """Files of the project whose functions a command calls."""
    command = [sys.executable, "-c", FOLLOWED, str(ROOT), *map(str, words)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)
    assert run.returncode == 0, run.stderr[-1000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    return folder, files_of("export_model.py", *GPEN, "--save_inference_dir", folder)


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    from data_loader.drawn_faces.rendering import render
    from engine import images

    path = tmp_path_factory.mktemp("face") / "face.png"
    images.write_image(path, render(0, 0, 64).image)
    return path


@pytest.mark.slow
def test_export(exported):
    assert len(exported[1]) <= EXPORT, exported[1]


@pytest.mark.slow
def test_one_picture_predicted(face, tmp_path):
    found = files_of("predict.py", *GPEN, "--img", face, "--output_dir", tmp_path, "--aligned")
    assert len(found) <= PREDICT, found


@pytest.mark.slow
def test_one_picture_inferred(face, exported, tmp_path):
    found = files_of("infer.py", "--model_dir", exported[0], "--img", face, "--output_dir", tmp_path, "--aligned")
    assert len(found) <= INFER, found


@pytest.mark.slow
def test_one_training_step():
    """All of GPEN's step: R1 and path length too."""
    config = configuration.load(ROOT / "configs" / "gpen_lite.yaml")
    system = systems.build_system(config)
    systems.prepare_training(system)
    updater = Updater(config.optimizers, system.trainable, config.train.precision)
    image = paddle.rand([2, 3, config.recipe.size, config.recipe.size])
    seen = set()

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_flags & inspect.CO_NEWLOCALS:
            seen.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        system.train_step({"image": image, "degraded": image * 0.9, "name": ["a", "b"]}, 0, updater)
    finally:
        sys.setprofile(None)
    own = sorted(name.removeprefix(f"{ROOT}/") for name in seen if name.startswith(f"{ROOT}/") and ".venv" not in name)
    own = [name for name in own if not name.startswith("tests/")]
    assert len(own) <= STEP, own
