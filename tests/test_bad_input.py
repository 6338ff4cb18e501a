"""Bad input gets one clear line and exit status 2, never a traceback or a silent default."""

import json
import os
import pickle
import re
import resource
import shutil
import subprocess

import numpy as np
import paddle
import pytest

from engine.training import checkpoint
from engine.training.run_log import RunLog
from engine.weights.files import read_weights, write_weights
from tests.script_calls import LITE, ROOT, call, command, draw_faces, one_line, process


class RunsCode:
    """Its pickle, once loaded the usual way, makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    """Places by name: good and bad folders and files, an untrained run `run` with its `weights`, a `model` exported."""
    root = tmp_path_factory.mktemp("places")
    places = {name: root / name for name in ("faces", "mixed", "broken", "empty", "no_images", "run", "model", "code")}
    draw_faces(places["faces"], 3)
    draw_faces(places["mixed"], 3)
    whole = (places["mixed"] / "face_1.png").read_bytes()
    (places["mixed"] / "face_1.png").write_bytes(whole[: len(whole) // 2])
    for name in ("broken", "empty", "no_images"):
        places[name].mkdir()
    (places["broken"] / "cut.png").write_bytes(whole[: len(whole) // 2])
    (places["broken"] / "text.jpg").write_text("not a picture")
    (places["no_images"] / "notes.txt").write_text("")
    places |= {"file": root / "file", "below_file": root / "file" / "out", "nowhere": root / "nowhere"}
    places["file"].write_text("")
    places["ran"] = root / "ran"
    places["code"] = root / "code.pdparams"
    places["code"].write_bytes(pickle.dumps(RunsCode(places["ran"])))
    assert call("train", *LITE, "--iters=0", "--output_dir", places["run"]).returncode == 0
    places["weights"] = places["run"] / "latest.pdparams"
    made = call("export_model", *LITE, "--w", places["weights"], "--save_inference_dir", places["model"])
    assert made.returncode == 0, made.stderr
    return places


NEED_WEIGHTS = ("test", "predict", "export_model")
SIZES = ["weights of another size: ", " is [", "] in the file, [", "] in the network; ", "; and "]
CASES = [  # script, words after the smallest configuration, parts of the line
    ("train", ["-o", "recipe.narow=1"], ["lite.yaml.recipe: unknown key 'narow'. Did you mean 'narrow'? Known: ["]),
    ("train", ["-o", "trian.steps=1"], ["gpen_lite.yaml: unknown key 'trian'. Did you mean 'train'? Known: ["]),
    ("train", ["-o", "train.steps.more=1"], ["-o train.steps.more=1: 'train.steps' is a value, not a section"]),
    ("train", ["-o", "train.steps"], ["-o train.steps: expected KEY=VALUE"]),
    ("train", ["--itres=3"], ["train.py: unknown flag '--itres'. Did you mean '--iters'?"]),
    ("test", ["--result=x"], ["test.py: unknown flag '--result'. Did you mean '--result_dir'?"]),
    ("predict", ["--image_dri=x"], ["predict.py: unknown flag '--image_dri'. Did you mean '--image_dir'?"]),
    ("export_model", ["--save_dri=x"], ["export_model.py: unknown flag '--save_dri'. Did you mean '--save_dir'?"]),
    ("train", ["-o", "train.steps=ten"], ["-o train.steps=ten: ", "gpen_lite.yaml.train.steps: ", "found 'ten'"]),
    ("train", ["--iters=ten"], ["--iters: invalid int value: 'ten'"]),
    ("train", ["--batch_size=0"], ["--batch_size=0: ", "data.batch_size: ", "greater than 0; found 0"]),
    ("train", ["--seed=-1"], ["--seed=-1: ", "seed: ", "greater than or equal to 0; found -1"]),
    ("train", ["-o", "seed=1000000000000000000000"], ["seed: ", "less than 4294967296"]),
    ("train", ["--to_static=maybe"], ["--to_static: expected True or False, found 'maybe'"]),
    ("train", ["--precision=int8"], ["--precision=int8: ", "'fp32', 'fp16' or 'bf16'; found 'int8'"]),
    ("train", ["-o", "optimizers.encoder.beta1=1"], ["optimizers.encoder.beta1: ", "less than 1; found 1"]),
    ("train", ["-o", "optimizers.encoder.epsilon=0"], ["optimizers.encoder.epsilon: ", "greater than 0; found 0"]),
    ("train", ["-o", "optimizers.encoder.clip_norm=-1"], ["optimizers.encoder.clip_norm: ", "0; found -1"]),
    ("train", ["-o", "optimizers.more.kind=adam"], ["optimizers.more: key 'lr' is missing"]),
    ("train", ["-o", "ema=null"], ["ema: missing; system.gpen.GPEN averages ['generator']"]),
    ("train", ["-o", "system=system.gpen.Exported"], ["gpen_lite.yaml.system: 'system.gpen.Exported' has no Config"]),
    ("train", ["-o", "data.train.dataset=data_loader.restoration.SyntheticSource"], ["SyntheticSource' has no Config"]),
    ("train", ["-c", "{nowhere}"], ["{nowhere}: cannot be read (No such file or directory); expected a YAML file"]),
    ("train", ["-c", "{empty}"], ["{empty}: cannot be read (Is a directory); expected a YAML file"]),
    ("train", ["--data_dir={nowhere}"], ["{nowhere}: no such folder"]),
    ("train", ["--data_dir={empty}"], ["{empty}: holds no image; expected files ending in "]),
    ("train", ["--data_dir={no_images}"], ["{no_images}: holds no image; expected files ending in "]),
    ("train", ["--data_dir={file}"], ["{file}: not a folder"]),
    ("train", ["-o", "data.validation.root={nowhere}"], ["{nowhere}: no such folder"]),
    ("test", ["--w={weights}", "--data_dir={nowhere}"], ["{nowhere}: no such folder"]),
    ("test", ["--w={weights}", "--data_dir={no_images}"], ["{no_images}: holds no image"]),
    ("predict", ["--w={weights}", "--image_dir={nowhere}"], ["{nowhere}: no such folder"]),
    ("predict", ["--w={weights}", "--image_dir={no_images}"], ["{no_images}: holds no image"]),
    ("predict", ["--w={weights}"], ["no picture given; expected --image_dir FOLDER or --img FILE"]),
    ("predict", ["--w={weights}", "--img=x", "--batch_size=0"], ["--batch_size: expected at least 1, found 0"]),
    ("test", ["--w={weights}", "--show=0"], ["--show: expected at least 1, found 0"]),
    ("train", ["--data_dir={broken}"], ["none of the 2 files can be read; the first: {broken}/"]),
    ("test", ["--w={weights}", "--data_dir={broken}"], ["none of the 2 files can be read; the first: {broken}/"]),
    *[(script, [], ["--pretrained: no weights given; expected a file of trained weights"]) for script in NEED_WEIGHTS],
    *[(script, ["--pretrained={nowhere}"], ["{nowhere}: cannot be read (No such file or directory)"])
      for script in ("train", *NEED_WEIGHTS)],
    *[(script, ["--pretrained={faces}/face_0.png"], ["is not a weights file (.pdparams, .pth, .safetensors)"])
      for script in ("train", *NEED_WEIGHTS)],
    *[(script, ["--pretrained={code}"], ["{code}: asks for"]) for script in ("train", *NEED_WEIGHTS)],
    *[(script, ["--pretrained={weights}", "-o", "recipe.narrow=0.0625"], ["{weights} (generator): ", *SIZES])
      for script in ("train", *NEED_WEIGHTS)],
    ("train", ["--output_dir={below_file}"], ["{below_file}: output folder cannot be written (Not a directory)"]),
    ("train", ["-o", "output.samples={below_file}"], ["{below_file}: output folder cannot be written"]),
    ("test", ["--w={weights}", "--result_dir={below_file}"], ["{below_file}: output folder cannot be written"]),
    ("predict", ["--w={weights}", "--image_dir={faces}", "--output_dir={below_file}"],
     ["{below_file}: output folder cannot be written"]),
    ("export_model", ["--w={weights}", "--save_dir={below_file}"], ["{below_file}: cannot be written"]),
    ("export_model", ["--w={weights}", "--ir=onnx"], ["--ir: expected one of pir, legacy; found 'onnx'"]),
    ("train", ["--device=tpu"], ["--device: expected one of auto, cpu, gpu; found 'tpu'"]),
    ("train", ["--resume={nowhere}"], ["--resume {nowhere}: no checkpoint there; expected a run folder or one of its"]),
    ("train", ["--resume={empty}"], ["--resume {empty}: no checkpoint there"]),
    ("train", ["--resume={run}", "--seed=3"], ["{run}/step_0000000: the run was started with another 'seed' ("]),
    ("train", ["--resume={run}", "-o", "optimizers.encoder.lr=0.5"], ["encoder.lr: 0.004 -> 0.5); --resume_with"]),
]  # fmt: skip


@pytest.mark.parametrize(("script", "words", "parts"), CASES, ids=[f"{s} {' '.join(w)}" for s, w, _ in CASES])
def test_one_line_and_status_two(at, tmp_path, script, words, parts):
    output = ["--output_dir", tmp_path] if script == "train" and not any("--resume" in word for word in words) else []
    result = call(script, *LITE, "train.steps=1", *output, *(word.format(**at) for word in words))
    one_line(result, *(part.format(**at) for part in parts))
    assert not at["ran"].exists()


@pytest.mark.skipif(paddle.is_compiled_with_cuda(), reason="this Paddle may see a GPU")
def test_no_silent_fall_from_gpu_to_cpu(at):
    for script in ("train", *NEED_WEIGHTS):
        one_line(call(script, *LITE, "--device=gpu"), "--device gpu: no GPU", "expected a GPU or --device cpu")
    one_line(call("infer", f"--model_dir={at['model']}", "--img=x", "--use_gpu=True"), "use_gpu: Paddle sees no GPU")


UNTOUCHED = [["--pretrained={file}"], ["--resume={copy}", "--batch_size=7"]]


@pytest.mark.parametrize("words", UNTOUCHED, ids=["pretrained", "resume"])
def test_a_refused_start_leaves_the_earlier_run_as_it_was(at, tmp_path, words):
    copy = shutil.copytree(at["run"], tmp_path / "copy")
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    result = call("train", *LITE, f"output.dir={copy}", *(word.format(copy=copy, **at) for word in words))
    one_line(result)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_infer_takes_nothing_it_cannot_use(at, tmp_path):
    one_line(call("infer", "--image_dri=x"), "unknown flag '--image_dri'. Did you mean '--image_dir'?")
    one_line(call("infer", f"--model_dir={at['empty']}"), f"{at['empty']}: holds no exported model")
    one_line(call("infer", f"--model_dir={at['model']}", f"--image_dir={at['no_images']}"), "holds no image")
    words = [f"--model_dir={at['model']}", f"--image_dir={at['faces']}", f"--output_dir={at['below_file']}"]
    one_line(call("infer", *words), f"{at['below_file']}: output folder cannot be written (Not a directory)")


def test_unreadable_pictures_are_skipped_by_name_and_counted(at, tmp_path):
    bad = at["mixed"] / "face_1.png"
    trained = call("train", *LITE, "train.steps=2", f"data.train.root={at['mixed']}", "--output_dir", tmp_path / "run")
    tested = call("test", *LITE, "--w", at["weights"], "--data_dir", at["mixed"], "--result_dir", tmp_path / "test")
    predicted = call("predict", *LITE, "--w", at["weights"], "--image_dir", at["mixed"], "--output_dir", tmp_path / "a")
    inferred = call("infer", "--model_dir", at["model"], "--image_dir", at["mixed"], "--output_dir", tmp_path / "b")
    assert [result.returncode for result in (trained, tested, predicted, inferred)] == [0] * 4
    for result in (trained, tested):
        assert result.stdout.count("skipped (1 so far): ") == result.stdout.count(f"{bad}: not a readable image (") == 1
    assert json.loads((tmp_path / "test" / "scores.json").read_text())["skipped"] == 1
    for result in (predicted, inferred):
        assert result.stderr.startswith(f"skipped: {bad}: not a readable image (") and result.stderr.count("\n") == 1
    for result in (tested, predicted, inferred):
        assert "2 pictures, 1 skipped" in result.stdout
    for folder in ("a", "b"):
        written = sorted(path.name for path in (tmp_path / folder).iterdir())
        assert written == ["face_0_predict.png", "face_2_predict.png"]


@pytest.mark.parametrize("script", ["predict", "infer"])
def test_none_of_the_pictures_can_be_read(at, tmp_path, script):
    words = ["--model_dir", at["model"]] if script == "infer" else [*LITE, "--w", at["weights"]]
    result = call(script, *words, "--image_dir", at["broken"], "--output_dir", tmp_path)
    *skipped, last = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in skipped] == [str(at["broken"] / name) for name in ("cut.png", "text.jpg")]
    assert (result.returncode, last) == (2, "error: none of the 2 pictures could be read")


def test_weights_of_another_size_name_three_keys_with_both_shapes(at):
    result = process("predict", *LITE, "recipe.style_dim=32", "--w", at["weights"], "--img", at["faces"] / "face_0.png")
    one_line(
        result,
        f"{at['weights']} (generator): weights of another size: ",
        "generator.style.1.weight is [16, 16] in the file, [32, 32] in the network",
    )
    assert result.stderr.count("in the file, ") == 3
    assert " more; the file's is GPEN generator (size 32, style_dim 16, " in result.stderr


@pytest.mark.parametrize("spoilt", [lambda array: array * np.nan, lambda array: array * np.float32(1e30)])
def test_weights_that_give_no_numbers(at, tmp_path, spoilt):
    """NaN in a file, or weights so large that what they make is infinite: one line, nothing written."""
    arrays = {
        key: spoilt(array) if key.endswith("weight") else array for key, array in read_weights(at["weights"]).items()
    }
    write_weights(tmp_path / "w.pdparams", arrays)
    for script, words in (
        ("predict", ["--img", at["faces"] / "face_0.png", "--output_dir"]),
        ("export_model", ["--save_inference_dir"]),
        ("test", ["--result_dir"]),
    ):
        result = call(script, *LITE, "-w", tmp_path / "w.pdparams", *words, tmp_path / script)
        assert result.returncode == 2 and "finite" in result.stderr, result.stderr
        assert not [line for line in result.stderr.splitlines() if "Warning" in line or "Traceback" in line]
        assert not [path for path in (tmp_path / script).rglob("*") if path.suffix in (".png", ".json", ".pdiparams")]


@pytest.mark.slow
def test_non_finite_loss_stops_with_step_term_and_files(at, tmp_path):
    result = process(
        "train",
        *LITE,
        "data.num_workers=1",
        "train.steps=20",
        "optimizers.decoder.lr=1e30",
        "train.log_every=4",
        "train.save_every=1000",
        "--data_dir",
        at["faces"],
        "--output_dir",
        tmp_path,
    )
    one_line(result, "; no checkpoint was saved before")
    found = re.fullmatch(
        r"error: step (\d+): ([a-z]+/[a-z0-9]+) is (nan|inf|-inf); files of that step: (.*); no .*\n", result.stderr
    )
    assert 1 <= int(found[1]) <= 4
    assert set(found[4].split(", ")) <= {"face_0", "face_1", "face_2"}
    assert checkpoint.newest_checkpoint(tmp_path) is None


@pytest.mark.slow
def test_disk_full_while_saving_leaves_the_previous_checkpoint_usable(at, tmp_path):
    """The files of a run that is under way get a size limit below a checkpoint's and above a log's."""
    words = [
        *LITE,
        "train.log_every=1",
        "train.save_every=2",
        "train.preview_every=0",
        "--data_dir",
        at["faces"],
        "--output_dir",
        tmp_path,
    ]
    child = subprocess.Popen(
        command("train", *words, "--iters=100000"), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert any("saved " in line for line in child.stdout)
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (150_000, 150_000))
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    newest = checkpoint.newest_checkpoint(tmp_path)
    one_line(
        subprocess.CompletedProcess([], child.returncode, out, err),
        "is not completely saved: ",
        "cannot be written (File too large)",
        f"the newest complete checkpoint is {newest}\n",
    )
    step = checkpoint.load_checkpoint(newest).step
    assert step >= 2 and step % 2 == 0
    resumed = call("train", *words, f"--iters={step + 1}", "--resume=auto")
    assert resumed.returncode == 0, resumed.stderr
    assert f"resumed from {newest} at step {step}\n" in resumed.stdout
    assert (tmp_path / f"step_{step + 1:07d}").is_dir()


@pytest.mark.parametrize("file", ["metrics.jsonl", "train.log"])
def test_disk_full_while_logging(at, tmp_path, monkeypatch, file):
    """/dev/full takes the file's place once the run has begun."""
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    begins = RunLog._drop_records_after

    def then_full(log, step):
        kept = begins(log, step)
        (run_folder / file).symlink_to("/dev/full")
        return kept

    monkeypatch.setattr(RunLog, "_drop_records_after", then_full)
    result = call("train", *LITE, "train.steps=1", "train.log_every=1", "--output_dir", run_folder)
    one_line(result, f"{run_folder / file}: cannot be written (No space left on device)")
