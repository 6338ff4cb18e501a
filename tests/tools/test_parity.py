import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.cli import guarded
from tests.parity import compare, recipe_array
from tools.parity import main

GOLDEN = Path(__file__).parents[1] / "assets" / "golden"


@pytest.fixture
def folder(tmp_path):
    """A copy of the small operator and loss cases, free to spoil."""
    shutil.copy(GOLDEN / "meta.json", tmp_path)
    for name in ("ops_upfirdn_modconv_0", "gan_losses_0", "gpen_irse_bottleneck_0"):
        shutil.copy(GOLDEN / f"{name}.npz", tmp_path)
    return tmp_path


def rewrite(path, change):
    arrays = dict(np.load(path))
    change(arrays)
    np.savez(path, **arrays)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_line_a_key_and_exit_0(folder, capsys):
    assert main([str(folder), "--case", "ops_*"]) == 0
    found = lines(capsys)
    assert len(found) == 12 and all(line["ok"] and line["dtype"] == "float32" for line in found)
    assert {"case", "key", "error", "tolerance", "ok"} <= found[0].keys()


def test_a_wrong_value_is_exit_1(folder, capsys):
    key = "out:hinge_0_1"
    rewrite(folder / "gan_losses_0.npz", lambda arrays: arrays.update({key: arrays[key] * 1.001}))
    assert main([str(folder), "--case", "gan*"]) == 1
    assert [line["key"] for line in lines(capsys) if not line["ok"]] == [key]


def test_a_wrong_weight_shows_in_gradients_too(folder, capsys):
    def change(arrays):
        arrays["w:res_layer.1.weight"][0, 0, 0, 0] += 0.05

    rewrite(folder / "gpen_irse_bottleneck_0.npz", change)
    assert main([str(folder), "--case", "gpen_irse*"]) == 1
    assert {line["key"].partition(":")[0] for line in lines(capsys) if not line["ok"]} == {"out", "grad"}


def test_a_key_that_is_not_computed_fails(folder, capsys):
    meta = json.loads((folder / "meta.json").read_text())
    meta["cases"]["gan_losses_0"]["tol_rel"]["out:new"] = 1.0
    (folder / "meta.json").write_text(json.dumps(meta))
    rewrite(folder / "gan_losses_0.npz", lambda arrays: arrays.update({"out:new": np.zeros(2)}))
    assert main([str(folder), "--case", "gan*"]) == 1
    assert "computed nothing" in next(line for line in lines(capsys) if not line["ok"])["reason"]


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda arrays: arrays.pop("w:res_layer.3.weight"), "res_layer.3.weight"),
        (lambda arrays: arrays.update({"w:res_layer.3.weight": np.zeros((1, 2, 3, 3), np.float32)}), r"\[1, 2, 3, 3\]"),
        (lambda arrays: arrays.update({"w:other": np.zeros(1, np.float32)}), "other"),
    ],
)
def test_weights_that_do_not_fit_are_exit_2(folder, capsys, change, reason):
    rewrite(folder / "gpen_irse_bottleneck_0.npz", change)
    assert main([str(folder), "--case", "gpen_irse*"]) == 2
    error = capsys.readouterr().err
    assert "gpen_irse_bottleneck_0" in error and len(error.splitlines()) == 1
    assert re.search(reason, error)


def test_missing_files_and_patterns_are_exit_2(folder, capsys, monkeypatch):
    assert main([str(folder), "--case", "gpen_discriminator_0"]) == 2  # no such .npz in this folder
    assert len(capsys.readouterr().err.splitlines()) == 1
    for words in ([str(folder), "--case", "nothing*"], [str(folder / "absent")]):
        monkeypatch.setattr("sys.argv", ["parity.py", *words])
        with pytest.raises(SystemExit) as stop:
            guarded(main)
        assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(
    ("family", "case", "options", "named"),
    [
        ("satnet", "munit_adaingen_0", {"gen": {"activ": "selu"}}, r"option 'activ': 'selu'"),
        ("satnet", "munit_msimagedis_0", {"dis": {"norm": "bn"}}, r"option 'norm': 'bn'"),
        ("satnet", "munit_msimagedis_0", {"dis": {"dropout": 0.5}}, r"option 'dropout': 0.5"),
        ("partialconv", "pconv_layer_nvidia_0", {"groups": 2}, r"option 'groups': 2, which this project does not have"),
        ("", "gpen_irse_bottleneck_0", {"affine": False}, r"option 'affine': False"),
    ],
)
def test_an_option_that_is_not_there_is_exit_2_and_named(family, case, options, named, tmp_path, capsys):
    """Never another network's values: a case of such an option cannot be compared."""
    meta = json.loads((GOLDEN / family / "meta.json").read_text())
    for name, value in options.items():
        own = meta["cases"][case]["config"]
        own[name] = own[name] | value if isinstance(value, dict) else value
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    shutil.copy(GOLDEN / family / f"{case}.npz", tmp_path)
    assert main([str(tmp_path), "--case", case]) == 2
    assert re.search(named, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("munit_adaingen_0", {"gen": {"activ": "lrelu"}}),
        ("munit_adaingen_0", {"gen": {"pad_type": "zero"}}),
        ("munit_msimagedis_0", {"dis": {"norm": "in"}}),
    ],
)
def test_an_option_that_is_there_builds_another_network(case, options, tmp_path, capsys):
    meta = json.loads((GOLDEN / "satnet" / "meta.json").read_text())
    for name, value in options.items():
        meta["cases"][case]["config"][name] |= value
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    shutil.copy(GOLDEN / "satnet" / f"{case}.npz", tmp_path)
    assert main([str(tmp_path), "--case", case]) == 1


def test_keys_that_pass_in_float64_only_are_listed(capsys, monkeypatch):
    compared = [{"case": "a", "key": "grad:x", "ok": True, "dtype": "float64", "float32_error": 2.5e-4}]
    monkeypatch.setattr("tests.parity.case_lines", lambda folder, name, entry: compared)
    assert main([str(GOLDEN), "--case", "gan_losses_0"]) == 0
    assert capsys.readouterr().err == "only in float64: a grad:x, float32 error 2.5e-04\n"


def test_unknown_families_are_named_and_no_failure(folder, capsys):
    (folder / "meta.json").write_text(json.dumps({"cases": {"unheard_of_0": {}}}))
    assert main([str(folder)]) == 0
    assert lines(capsys) == [{"case": "unheard_of_0", "covered": False}]


def test_nothing_in_the_folder_is_executed(folder, capsys):
    (folder / "recipe.py").write_text("raise SystemExit('executed')")
    assert main([str(folder), "--case", "gan*"]) == 0


def test_recipe_gives_the_published_values():
    expected = [0.6582101583, -0.3560125232, -0.7088220119, -0.0493104905]
    np.testing.assert_allclose(recipe_array("conv1.weight", (2, 1, 3, 3), "he", 7).ravel()[:4], expected, rtol=1e-7)
    assert recipe_array("bn.running_var", (50,), "he", 7).min() >= 0.5
    assert recipe_array("bn.num_batches_tracked", (), "he", 7).shape == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in (GOLDEN / "runs").glob("*_trace_*.npz")))
def test_recorded_runs_of_the_official_programs_come_out_again(name, tmp_path, capsys):
    """The first steps of each; what a later term says depends on all weights after every step before it."""
    shutil.copy(GOLDEN / "runs" / name, tmp_path)
    assert main([str(tmp_path)]) == 0
    found = lines(capsys)
    assert len(found) > 3 and all(line["error"] < 1e-10 for line in found)


@pytest.mark.slow
def test_a_run_that_differs_is_exit_1(tmp_path, capsys):
    shutil.copy(GOLDEN / "runs" / "gpen_trace_1.npz", tmp_path)

    def change(arrays):
        meta = json.loads(str(arrays["meta"])) | {"steps": 2}
        arrays["meta"] = json.dumps(meta)
        for key in [key for key in arrays if key.startswith("log/")]:
            arrays[key] = arrays[key][:2]
        arrays["log/generator/loss"][1] *= 1 + 1e-9
        arrays["log/discriminator/r1"][:] = np.nan

    rewrite(tmp_path / "gpen_trace_1.npz", change)
    assert main([str(tmp_path)]) == 1
    assert {line["term"] for line in lines(capsys) if not line["ok"]} == {"generator/loss", "discriminator/r1"}


def test_damaged_and_unknown_runs_are_exit_2(tmp_path, capsys):
    np.savez(tmp_path / "a_trace_0.npz", meta=json.dumps({"kind": "unheard_of"}))
    (tmp_path / "b_trace_0.npz").write_bytes(b"PK")
    assert main([str(tmp_path)]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and "unheard_of" in errors[0] and "b_trace_0" in errors[1]


def test_gradients_need_both_errors_small():
    ours, expected = np.full(10_000, 1e-5), np.zeros(10_000)
    expected[0] = ours[0] = 1.0
    meta = {"tol_rel": {"grad:w": 2e-5}, "tol_l2": {"grad:w": 2e-5}}
    line = compare("grad:w", ours, expected, meta)
    assert line["error"] < 2e-5 < line["l2"] and not line["ok"]
    assert not compare("grad:w", ours * np.nan, expected, meta)["ok"]
