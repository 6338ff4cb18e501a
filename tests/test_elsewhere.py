"""Names, consoles and systems that are not the developers': what Windows and macOS lack, bytes that are no text."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from engine.images import write_image
from tests.script_calls import LITE, ROOT, command, draw_faces

HIDING = """
import ctypes, os, runpy, signal, sys
sys.modules["resource"] = sys.modules["fcntl"] = None
del os.sched_getaffinity, signal.pthread_sigmask, signal.sigtimedwait
plain = ctypes.CDLL
def named(name, *words, **more):
    if name is None:
        raise TypeError("no name of a library")
    return plain(name, *words, **more)
ctypes.CDLL = named
sys.argv = sys.argv[1:]
sys.path.insert(0, os.getcwd())
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def ran(*words, environment=None):
    """What a process prints that goes well."""
    done = subprocess.run([*map(str, words)], cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@pytest.mark.slow
def test_scripts_start_without_what_other_systems_lack(tmp_path):
    draw_faces(tmp_path / "in", 3)
    without = [sys.executable, "-c", HIDING]
    train = [*LITE[:-1], "data.num_workers=2"]
    ran(*without, "train.py", *train, "--iters=2", f"--data_dir={tmp_path / 'in'}", f"--output_dir={tmp_path / 'run'}")
    weights = [*LITE, f"--pretrained={tmp_path / 'run' / 'latest.pdparams'}"]
    ran(*without, "predict.py", *weights, f"--image_dir={tmp_path / 'in'}", f"--output_dir={tmp_path / 'predicted'}")
    ran(*without, "export_model.py", *weights, f"--save_inference_dir={tmp_path / 'model'}")
    words = [f"--model_dir={tmp_path / 'model'}", f"--image_dir={tmp_path / 'in'}", "--benchmark=True"]
    told = ran(*without, "infer.py", *words, f"--output_dir={tmp_path / 'inferred'}")
    assert b"3 pictures, 0 skipped" in told and b"cpu_rss(MB): None" in told
    for folder in ("predicted", "inferred"):
        assert len(list((tmp_path / folder).iterdir())) == 3


@pytest.mark.slow
def test_names_that_the_console_cannot_show_are_escaped(tmp_path):
    folder = os.fsencode(tmp_path / "in")
    write_image(tmp_path / "in" / "a.png", np.full((32, 32, 3), 0.5, np.float32))
    for name in ("\u732b".encode(), b"\xff\xfe", "\u00e9".encode()):
        with open(folder + b"/a.png", "rb") as source, open(folder + b"/" + name + b".png", "wb") as target:
            target.write(source.read())
    with open(folder + b"/\xfa.png", "wb") as file:
        file.write(b"no picture")
    run = ["--iters=0", f"--output_dir={tmp_path / 'run'}"]
    ran(*command("train", *LITE, *run))
    weights = [*LITE, f"--pretrained={tmp_path / 'run' / 'latest.pdparams'}"]
    for encoding in ("ascii", "utf-8", "latin-1"):
        environment = {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "1"}
        words = [*weights, f"--image_dir={tmp_path / 'in'}", f"--output_dir={tmp_path / encoding}"]
        assert b"4 pictures, 1 skipped" in ran(*command("predict", *words), environment=environment)
        assert len(os.listdir(os.fsencode(tmp_path / encoding))) == 4
    ran(*command("tools/evaluate", tmp_path / "in", tmp_path / "in", "--metrics=psnr,l1", f"--result_dir={tmp_path}"),
        environment={"PYTHONIOENCODING": "ascii"})  # fmt: skip
    assert len(json.loads((tmp_path / "scores.json").read_text())["rows"]) == 4
