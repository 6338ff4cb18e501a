"""Two folders of any names: what is matched, what is listed, which numbers come out."""

import json
import re

import numpy as np
import paddle
import pytest

from engine.images import read_image, to_uint8, write_image
from engine.weights.files import write_weights
from metric import networks
from metric.pixel import l1
from metric.psnr_ssim import psnr
from tests.metric.tiny_network import Tiny
from tests.script_calls import call

RNG = np.random.default_rng(0)


def draw(folder, names, size=(24, 20), suffix=""):
    for name in names:
        write_image(folder / f"{name}{suffix}.png", RNG.integers(0, 256, (*size, 3), np.uint8))
    return folder


@pytest.fixture
def folders(tmp_path):
    """Pairs a, b, d/c; x is restored only, y and z are references only."""
    return (draw(tmp_path / "restored", ["a", "b", "d/c", "x"], suffix="_predict"),
            draw(tmp_path / "reference", ["a", "b", "d/c", "y", "z"]))  # fmt: skip


def scored(*words, status=0):
    """(report, standard output); the metrics need no weights unless the words say so."""
    result = call("tools/evaluate", *words)
    assert result.returncode == status, result.stderr
    place = words[words.index("--result_dir") + 1] / "scores.json"
    return json.loads(place.read_text()) if place.exists() else {}, result.stdout + result.stderr


def test_pairs_by_name(folders, tmp_path):
    restored, reference = folders
    report, told = scored(*folders, "--suffix", "_predict", "--result_dir", tmp_path / "out", "--metrics", "psnr,l1")
    paths = [(restored / f"{name}_predict.png", reference / f"{name}.png") for name in ("a", "b", "d/c")]
    pairs = [[to_uint8(read_image(path)) for path in pair] for pair in paths]
    assert [row["name"] for row in report["rows"]] == ["a", "b", "d/c"] and report["pairs"] == 3
    means = {name: np.mean([metric(*pair) for pair in pairs]) for name, metric in (("psnr", psnr), ("l1", l1))}
    assert report["scores"] == pytest.approx({f"{name}/restored": mean for name, mean in means.items()})
    assert report["unmatched"] == {str(restored): ["x"], str(reference): ["y", "z"]}
    for line in (f"unmatched: x is in {restored} only", f"unmatched: z is in {reference} only",
                 "3 pairs, 3 unmatched, 0 skipped", f"Metric psnr/restored: {means['psnr']:.4f}"):  # fmt: skip
        assert line in told
    row = r"^psnr/restored +\d+\.\d{4} +higher +bits 8; colour RGB; crop 0; n 3; range 255$"
    assert re.search(row, told, re.MULTILINE)
    signature = report["metrics"][0]["signature"]
    assert signature.startswith("psnr|bits=8|") and f"|reference={reference} (pixels " in signature


def test_without_weights_the_table_names_the_commands(folders, tmp_path):
    words = ["--result_dir", tmp_path / "out", "--metric_weights", tmp_path / "none", "--suffix", "_predict"]
    report, told = scored(*folders, *words)
    assert "python tools/fetch_weights.py inception_fid" in report["not_computed"]["fid"]
    row = r"^lpips_vgg +- +not computed: .*none/lpips_vgg is missing; python tools/fetch_weights.py lpips_vgg$"
    assert re.search(row, told, re.MULTILINE)


def test_batches_change_nothing(folders, tmp_path):
    draw(folders[0], ["e"], (30, 30), "_predict")
    draw(folders[1], ["e"], (30, 30))
    words = [*folders, "--suffix=_predict", "--metrics=psnr,ssim,l1"]
    one, many = (scored(*words, "--batch_size", size, "--result_dir", tmp_path / f"out{size}")[0] for size in (1, 8))
    assert one["rows"] == many["rows"] and len(one["rows"]) == 4 and one["reference"] == many["reference"]


def test_pictures_of_a_pair_have_one_size(folders, tmp_path):
    draw(folders[0], ["b"], (24, 21), "_predict")
    _, told = scored(*folders, "--suffix=_predict", "--result_dir", tmp_path / "out", status=2)
    assert re.search(r"error: .*b_predict\.png is 24 x 21, .*b\.png is 24 x 20; pairs must have one size\n", told)


def test_unreadable_files_are_named_and_passed_over(folders, tmp_path):
    (folders[0] / "a_predict.png").write_bytes(b"nothing")
    report, told = scored(*folders, "--suffix=_predict", "--metrics=psnr", "--result_dir", tmp_path / "out")
    assert [row["name"] for row in report["rows"]] == ["b", "d/c"]
    assert len(report["skipped"]) == 1 and "a_predict.png: not a readable image" in told


def test_two_files_of_one_name(folders, tmp_path):
    write_image(folders[0] / "a_predict.jpg", np.zeros((24, 20, 3), np.uint8))
    _, told = scored(*folders, "--suffix=_predict", "--result_dir", tmp_path / "out", status=2)
    assert "expected one picture of a name" in told


def test_white_is_the_hole(folders, tmp_path):
    for name, rows in (("a", 4), ("b", 8), ("d/c", 8)):
        mask = np.zeros((24, 20, 3), np.uint8)
        mask[:rows] = 255
        write_image(tmp_path / "masks" / f"{name}.png", mask)
    words = ["--suffix=_predict", "--metrics=psnr", "--masks", tmp_path / "masks", "--result_dir", tmp_path / "out"]
    report, _ = scored(*folders, *words)
    rows = {row["name"]: row for row in report["rows"]}
    assert rows["a"]["hole_ratio"] == pytest.approx(4 / 24)
    pair = [to_uint8(read_image(path))[:4] for path in (folders[0] / "a_predict.png", folders[1] / "a.png")]
    assert rows["a"]["hole_l1/restored"] == pytest.approx(l1(*pair))
    expected = np.mean([rows[name]["psnr/restored"] for name in ("b", "d/c")])
    assert report["scores"]["psnr/restored/0.3-0.4"] == pytest.approx(expected)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setitem(networks.BUILDERS, "inception_fid", Tiny)
    paddle.seed(0)
    state = {key: value.numpy() for key, value in Tiny().state_dict().items()}
    write_weights(tmp_path / "weights" / "inception_fid.pdparams", state)
    return ["--metric_weights", tmp_path / "weights", "--metrics=psnr,fid,kid"]


def test_sets_are_whole_folders(folders, weights, tmp_path):
    report, told = scored(*folders, *weights, "--suffix=_predict", "--result_dir", tmp_path / "out")
    facts = {metric["name"]: metric["facts"] for metric in report["metrics"]}
    assert (facts["fid/restored"]["n"], facts["fid/restored"]["reference_n"], facts["psnr/restored"]["n"]) == (
        "4", "5", "3")  # fmt: skip
    assert "fewer than 2048: biased upwards" in told and len(report["warnings"]) == 1
    draw(folders[1], ["new"])
    other, _ = scored(*folders, *weights, "--suffix=_predict", "--result_dir", tmp_path / "out")
    assert other["scores"]["fid/restored"] != report["scores"]["fid/restored"]
    assert other["scores"]["psnr/restored"] == report["scores"]["psnr/restored"]


def test_folders_without_a_common_name(folders, weights, tmp_path):
    """One line with the way out; sets can be compared all the same."""
    words = [*folders, "--result_dir", tmp_path / "out"]
    report, told = scored(*words, status=2)
    assert report == {} and told.count("\n") == 1
    for part in (*map(str, folders), "a_predict.png", "--suffix TEXT", "--metrics fid,kid"):
        assert part in told
    report, _ = scored(*words, *weights[:2], "--metrics=fid,kid")
    assert report["scores"].keys() == {"fid/restored", "kid/restored"}


def test_masks_without_a_common_name(folders, tmp_path):
    draw(tmp_path / "masks", ["q"])
    words = ["--suffix=_predict", "--masks", tmp_path / "masks", "--result_dir", tmp_path / "out"]
    _, told = scored(*folders, *words, status=2)
    assert told.count("\n") == 1 and f"{folders[0]} and {tmp_path / 'masks'}" in told and "q.png" in told


def test_no_pair_that_can_be_read(folders, tmp_path):
    for path in folders[0].rglob("*.png"):
        path.write_bytes(b"nothing")
    _, told = scored(*folders, "--suffix=_predict", "--metrics=psnr", "--result_dir", tmp_path / "out", status=2)
    assert "error: none of the pairs can be read; the first: " in told and "a_predict.png" in told


def test_identical_pairs_stand_beside_the_mean_of_the_others(folders, tmp_path):
    write_image(folders[0] / "a_predict.png", read_image(folders[1] / "a.png"))
    report, told = scored(*folders, "--suffix=_predict", "--metrics=psnr", "--result_dir", tmp_path / "out")
    values = {row["name"]: row["psnr/restored"] for row in report["rows"]}
    assert values["a"] == "inf"
    assert report["scores"]["psnr/restored"] == pytest.approx((values["b"] + values["d/c"]) / 2)
    assert "identical 1" in told and "psnr/restored: 1 identical, left out of the mean" in told


def test_a_folder_against_itself_and_saved_statistics(folders, weights, tmp_path):
    words = [folders[1], folders[1], *weights, "--result_dir", tmp_path / "out"]
    report, _ = scored(*words, "--save_fid_statistics", tmp_path / "s.npz")
    assert report["scores"]["fid/restored"] == pytest.approx(0, abs=1e-9)
    assert report["scores"]["psnr/restored"] == "inf" and report["unmatched"] == {str(folders[1]): []}
    report, _ = scored(*words, "--fid_statistics", tmp_path / "s.npz")
    assert report["scores"]["fid/restored"] == pytest.approx(0, abs=1e-9)


def test_help():
    result = call("tools/evaluate", "--help")
    assert result.returncode == 0 and "RESTORED_DIR REFERENCE_DIR" in result.stdout
    assert "--legacy-seed-metrics" in result.stdout
