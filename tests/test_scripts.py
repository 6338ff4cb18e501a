"""The five scripts as real processes: a whole chain, its logs, signals, kill and resume."""

import io
import json
import os
import re
import shutil
import signal

import numpy as np
import pytest
import yaml
from PIL import Image

from data_loader.drawn_faces.rendering import render
from engine import config
from engine.images import read_image, to_uint8, write_image
from engine.training import checkpoint
from metric.psnr_ssim import psnr
from tests.script_calls import LITE, call, draw_faces, process
from tests.training_process import (
    LOG_LINE,
    STEPS,
    begun,
    faces_to_train_on,
    group_is_gone,
    losses,
    records,
    training,
    wait_for,
)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Six faces to train on and two to test on."""
    return faces_to_train_on(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def whole(faces, tmp_path_factory):
    """(result, run folder) of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    result = process("train", *training(faces, folder))
    assert result.returncode == 0, result.stderr
    return result, folder


@pytest.mark.parametrize("script", ["train", "test", "predict", "export_model", "infer"])
def test_help(script):
    result = call(script, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count(f"python {script}.py ") == 2
    flags = {"train": "--resume --iters --max_iter", "test": "-w --test_path", "predict": "--degrade --image_dir",
             "export_model": "--ir --save_dir", "infer": "--use_mkldnn --cpu_threads"}  # fmt: skip
    for flag in flags[script].split():
        assert f"{flag} " in result.stdout, flag


def test_dry_run_prints_the_resolved_yaml_and_does_nothing(tmp_path):
    result = call("train", *LITE, "train.steps=7", "--dry-run", "--seed=5", "--output_dir", tmp_path / "run")
    assert (result.returncode, result.stderr) == (0, "")
    found = yaml.safe_load(result.stdout)
    assert (found["seed"], found["train"]["steps"], found["recipe"]["size"]) == (5, 7, 32)
    assert found["output"]["dir"] == str(tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_leaves_what_the_readme_names(whole):
    result, folder = whole
    assert result.stderr == ""
    assert {path.name for path in folder.iterdir()} == {
        "step_0000004", "step_0000008", "step_0000010", "latest.pdparams", "train.log", "metrics.jsonl", "samples",
        "visualdl", "config.yaml"}  # fmt: skip
    assert sorted(path.name for path in (folder / "samples").iterdir()) == ["step_0000005.png", "step_0000010.png"]
    first, *told, last = result.stdout.splitlines()
    assert first == f"system.gpen.GPEN: 6 training pictures, {STEPS} steps, run folder {folder}"
    assert [line.split(" ", 2)[2] for line in (folder / "train.log").read_text().splitlines()] == told  # dated there
    assert last == f"done: {folder}/latest.pdparams"
    assert config.load(folder / "config.yaml").train.steps == STEPS


@pytest.mark.slow
def test_training_lines_have_the_tokens_tipc_reads(whole):
    result, folder = whole
    lines = [match[0] for match in LOG_LINE.finditer(result.stdout)]
    rows = [row for row in records(folder) if "generator/loss" in row]
    assert len(lines) == len(rows) == STEPS
    for line, row in zip(lines, rows, strict=True):
        words = line.replace(",", " ").split()
        value = {
            name: float(words[words.index(name) + 1])
            for name in ("loss:", "ips:", "lr:", "avg_reader_cost:", "avg_batch_cost:", "avg_samples:")
        }
        assert value["loss:"] == pytest.approx(row["generator/loss"], abs=1e-6)
        assert value["ips:"] == pytest.approx(row["ips"], abs=1e-3)
        assert value["ips:"] == pytest.approx(value["avg_samples:"] / value["avg_batch_cost:"], rel=1e-2)
        assert value["avg_samples:"] == 2
        assert 0 <= value["avg_reader_cost:"] <= value["avg_batch_cost:"]
        assert line.split()[line.split().index("ips:") + 1][-1].isdigit()  # no comma behind the number


@pytest.mark.slow
def test_metrics_file_and_visualdl_hold_the_same(whole):
    from visualdl import LogReader

    _, folder = whole
    rows = records(folder)
    assert [row["step"] for row in rows if "validation/psnr/restored" in row] == [5, 10]
    assert [row["step"] for row in rows if "discriminator/r1" in row] == [1, 4, 7, 10]
    assert [row["step"] for row in rows if "generator/path" in row] == [1, 3, 5, 7, 9]
    (file,) = (folder / "visualdl").iterdir()
    reader = LogReader(file_path=str(file))
    for tag in ("generator/loss", "discriminator/r1", "generator/path", "validation/psnr/restored", "lr/encoder"):
        shown = [(item.id, item.value) for item in reader.get_data("scalar", tag)]
        assert shown == [(row["step"], pytest.approx(row[tag], rel=1e-6)) for row in rows if tag in row]
    pictures = reader.get_data("image", "preview")
    assert [item.id for item in pictures] == [5, 10]
    last = np.asarray(Image.open(io.BytesIO(pictures[-1].image.encoded_image_string)).convert("RGB"))
    np.testing.assert_array_equal(last, to_uint8(read_image(folder / "samples" / "step_0000010.png")))


@pytest.mark.slow
def test_train_test_predict_export_infer(whole, faces, tmp_path):
    weights = ["--pretrained", whole[1] / "latest.pdparams"]

    def stage(script, *words):
        result = process(script, *words)
        assert result.returncode == 0, result.stderr
        assert script == "export_model" or result.stderr == ""  # there Paddle warns
        return result.stdout

    told = stage("test", *LITE, *weights, "--data_dir", faces, "--result_dir", tmp_path / "test")
    scores = json.loads((tmp_path / "test" / "scores.json").read_text())
    last = records(whole[1])[-1].items()
    validated = {key.removeprefix("validation/"): value for key, value in last if key != "step"}
    assert {key: scores["scores"][key] for key in validated} == pytest.approx(validated)
    assert {key.partition("/")[0] for key in scores["scores"]} == {"psnr", "ssim", "l1", "mse"}
    assert [row["name"] for row in scores["rows"]] == ["face_100", "face_101"]
    for name in validated:
        assert f"Metric {name}: {scores['scores'][name]:.4f}\n" in told
    assert "fid" in scores["not_computed"] and "python tools/fetch_weights.py inception_fid\n" in told
    assert (tmp_path / "test" / "sheet.png").exists()

    stage("predict", *LITE, *weights, "--image_dir", faces / "val", "--output_dir", tmp_path / "predict")
    told = stage("export_model", *LITE, *weights, "--save_inference_dir", tmp_path / "model")
    assert float(re.search(r"largest difference to the training form (\S+)", told)[1]) <= 1e-4
    exported = {path.name for path in (tmp_path / "model").iterdir()}
    assert exported == {"inference.json", "inference.pdiparams", "inference.yaml"}
    stage("infer", "--model_dir", tmp_path / "model", "--image_dir", faces / "val", "--output_dir", tmp_path / "infer")

    names = ["face_100_predict.png", "face_101_predict.png"]
    predicted, inferred = (
        np.stack([to_uint8(read_image(tmp_path / folder / name)).astype(int) for name in names])
        for folder in ("predict", "infer"))  # fmt: skip
    assert predicted.shape == (2, 32, 32, 3)
    assert predicted.std() > 5 and np.abs(predicted[0] - predicted[1]).max() > 1  # not one grey picture twice
    levels = np.abs(predicted - inferred)
    assert levels.max() <= 1
    assert (levels > 0).mean() < 0.005


@pytest.mark.slow
def test_killed_run_goes_on_bit_for_bit(whole, faces, tmp_path):
    result, reference = whole
    folder = tmp_path / "run"
    with begun(*training(faces, folder)) as child:
        wait_for(child, "iter: 5/")  # the checkpoint is of step 4, a record of step 5 is there already
        child.kill()
        assert child.wait() == -signal.SIGKILL
        assert group_is_gone(child)  # the data worker went too
    assert checkpoint.newest_checkpoint(folder).name in ("step_0000004", "step_0000008")
    first = checkpoint.newest_checkpoint(folder).name
    resumed = process("train", *training(faces, folder), "--resume=auto")
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert f"resumed from {folder / first} at step {int(first[5:])}\n" in resumed.stdout
    for name in ("generator.pdparams", "generator_ema.pdparams", "discriminator.pdparams", "train_state.safetensors"):
        assert (folder / "step_0000010" / name).read_bytes() == (reference / "step_0000010" / name).read_bytes(), name
    assert (folder / "latest.pdparams").read_bytes() == (reference / "latest.pdparams").read_bytes()
    assert losses(resumed.stdout) == losses(result.stdout)[int(first[5:]) :]
    assert [row | {"ips": 0} for row in records(folder)] == [row | {"ips": 0} for row in records(reference)]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "send"), [(signal.SIGTERM, os.kill), (signal.SIGINT, os.killpg)])
def test_stopped_run_saves_and_says_so_in_one_line(faces, tmp_path, number, send):
    """SIGTERM to the process alone, as `kill` does; SIGINT to its whole group, as Ctrl-C does."""
    folder = tmp_path / "run"
    with begun(*training(faces, folder, "--iters=100000", "-o", "train.save_every=0")) as child:
        wait_for(child, "iter: 2/")
        send(child.pid, number)
        out, err = child.communicate(timeout=60)
        assert group_is_gone(child)
    newest = checkpoint.newest_checkpoint(folder)
    step = checkpoint.load_checkpoint(newest).step
    assert child.returncode == 128 + number
    assert err == f"stopped by {number.name} at step {step}; go on with --resume {folder}\n"
    assert f"saved {newest}\n" in out
    assert step == int(["2", *LOG_LINE.findall(out)][-1])  # the step it was in is its last


def test_a_second_run_keeps_the_first(faces, tmp_path):
    words = [*LITE, "train.preview_every=0", "data.validation.synthetic.identities=[0,1]", "--data_dir", faces]
    contents = []
    for number in (1, 2, 3):
        result = call("train", *words, f"--iters={number}", "--output_dir", tmp_path)
        assert result.returncode == 0, result.stderr
        assert (f"its files are kept in {tmp_path}/earlier_{number - 1} " in result.stdout) == (number > 1)
        contents.append({p.name: p.read_bytes() if p.is_file() else None for p in tmp_path.glob("[!e]*")})
    assert sorted(path.name for path in tmp_path.glob("step_*")) == ["step_0000003"]
    assert len(records(tmp_path)) == 1
    for number in (1, 2):
        kept = tmp_path / f"earlier_{number}"
        assert {p.name: p.read_bytes() if p.is_file() else None for p in kept.iterdir()} == contents[number - 1]
        assert (kept / f"step_000000{number}" / "meta.json").is_file()


def test_resume_auto_without_a_checkpoint_starts_at_zero_and_says_so(tmp_path):
    result = call("train", *LITE, "--iters=1", "--resume=auto", "--output_dir", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert "--resume auto: no checkpoint yet, starting at step 0\n" in result.stdout
    assert checkpoint.newest_checkpoint(tmp_path / "run").name == "step_0000001"


@pytest.mark.slow
def test_moved_run_is_resumed_by_its_new_name(whole, tmp_path):
    moved = shutil.copytree(whole[1], tmp_path / "moved")
    words = ["-c", moved / "config.yaml", f"--iters={STEPS + 1}", "--resume", os.path.relpath(moved)]
    assert f"; output.dir is {whole[1]}\n" in call("train", *words).stderr
    result = call("train", *words, "--output_dir", moved)
    assert result.returncode == 0, result.stderr
    assert checkpoint.newest_checkpoint(moved).name == "step_0000011"
    assert checkpoint.newest_checkpoint(whole[1]).name == "step_0000010"


@pytest.mark.slow
def test_best_weights_by_a_psnr_whose_set_holds_an_identical_pair(tmp_path):
    """The mean of the others decides, and the log says how many there are."""
    for name, identity in (("a", 1), ("b", 2)):
        picture = render(identity, 0, 32).image
        write_image(tmp_path / "val" / "hq" / f"{name}.png", picture)
        write_image(tmp_path / "val" / "lq" / f"{name}.png", picture if name == "a" else 0.5 * picture)
    draw_faces(tmp_path / "train", 2)
    words = [f"data.validation.root={tmp_path / 'val'}", "train.best={score: psnr/degraded, better: higher}",
             "train.validate_every=1", "recipe.r1_every=0", "recipe.path_every=0"]  # fmt: skip
    run = ["--data_dir", tmp_path / "train", "--batch_size=1", "--iters=1", "--output_dir", tmp_path / "run"]
    result = call("train", *LITE, *words, *run)
    assert result.returncode == 0, result.stderr
    pair = [to_uint8(read_image(tmp_path / "val" / part / "b.png")) for part in ("lq", "hq")]
    assert json.loads((tmp_path / "run" / "best.json").read_text())["value"] == pytest.approx(psnr(*pair))
    (found,) = [record for record in records(tmp_path / "run") if "validation/psnr/degraded" in record]
    assert found["validation/psnr/degraded_identical"] == 1 and "psnr/degraded_identical 1" in result.stdout
