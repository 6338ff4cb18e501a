"""The whole runner over stand-in scripts: what passes, and that every fault is caught with its cause."""

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from engine.errors import ConfigError
from test_tipc import runner

pytestmark = pytest.mark.slow
LITE = "lite_train_lite_infer"
OUTPUT = Path("test_tipc/output")


def run(path, mode=LITE, *more):
    status = runner.main([path, mode, *more])
    found = list(OUTPUT.rglob("results_python.json"))
    return status, json.loads(found[0].read_text())


def reasons(report):
    return [reason for stage in report["stages"] for reason in stage["reasons"]]


def test_full51_passes_and_leaves_its_records(chain, capsys):
    status, report = run(chain.write_config())
    assert status == 0 and report["ok"] and report["dialect"] == "full51"
    assert [stage["kind"] for stage in report["stages"]] == ["train", "eval", "export", "infer", "infer"]
    log = (OUTPUT / "results_python.log").read_text().splitlines()
    assert len(log) == 5
    assert log[0] == f"\033[33m Run successfully with command - {report['stages'][0]['command']}!  \033[0m"
    assert all(Path(stage["log"]).stat().st_size > 0 for stage in report["stages"])
    suite = ElementTree.parse(OUTPUT / "results_python.xml").getroot()
    assert suite.get("tests") == "6" and suite.get("failures") == "0"
    assert "5 of 5 stages passed" in capsys.readouterr().out


def test_status_log_is_fresh_at_every_run(chain):
    path = chain.write_config()
    run(path)
    run(path)
    assert len((OUTPUT / "results_python.log").read_text().splitlines()) == 5


def test_lite32_passes_and_names_the_model_in_its_lines(chain):
    status, report = run(chain.write_config("lite32"))
    assert status == 0 and report["dialect"] == "lite32"
    log = (OUTPUT / "GPEN" / LITE / "results_python.log").read_text()
    assert log.startswith("\033[33m Run successfully with command - GPEN - ")


def test_whole_infer_passes(chain):
    status, report = run(chain.write_config(), "whole_infer")
    assert status == 0 and [stage["kind"] for stage in report["stages"]] == ["export", "infer", "infer"]


@pytest.mark.parametrize(
    "line, command, message",
    [
        (16, "norm_train:train.py --fault=crash", "exit status 1: no data found"),
        (16, "norm_train:train.py --fault=nan", "a loss is not finite"),
        (16, "norm_train:train.py --fault=stalled", "no 'ips: NUMBER' above 0"),
        (16, "norm_train:train.py --fault=frozen", "no weight changed against the averages in"),
        (16, "norm_train:train.py --fault=unsaved", "latest.pdparams: was not written"),
        (24, "eval:test.py --fault=silent", "no 'Metric NAME: NUMBER' in the log"),
        (30, "norm_export:export_model.py --fault=half", "inference.pdiparams: was not written"),
        (40, "inference:infer.py --fault=forgets", "no result printed for face0"),
        (40, "inference:infer.py --fault=onednn", "grey levels apart"),
        (16, "norm_train:trian.py", "chain.txt:16: trian.py: no such file"),
        (16, "norm_train:train.py --data_dir none*/x", "chain.txt:16: 'none*/x' matches no file"),
        (40, "inference:infer.py --fault=unwritten", "_predict.png: was not written"),
        (40, "inference:infer.py --fault=short", "face0.png: 2 numbers, the contract promises 3"),
        (16, "norm_train:train.py --precision=bf16 --fault=boasts", "bf16 on a CPU: the log does not say"),
        (48, "--image_dir:pictures", None),
    ],
)
def test_faults_are_caught_with_their_cause(chain, line, command, message):
    status, report = run(chain.write_config(edits={line: command}))
    assert status == (0 if message is None else 1) and report["ok"] == (message is None)
    assert message is None or any(message in reason for reason in reasons(report)), reasons(report)


@pytest.mark.parametrize(
    "fault, message",
    [
        ("none", None),
        ("onednn", "printed numbers differ"),
        ("nan", "a result is not finite"),
        ("short", "3 numbers, the contract promises 4"),
        ("forgets", "no result printed for face0"),
    ],
)
def test_vectors_are_checked_as_numbers(chain, fault, message):
    edits = {30: "norm_export:export_model.py --kind=vector", 40: f"inference:infer.py --fault={fault}"}
    status, report = run(chain.write_config(edits=edits))
    assert status == (message is not None)
    assert message is None or any(message in reason for reason in reasons(report)), reasons(report)


def test_two_inputs_come_from_a_folder_of_folders(chain):
    for name in ("image", "mask"):
        shutil.copytree(chain.folder / "pictures", chain.folder / "pairs" / name)
    edits = {30: "norm_export:export_model.py --kind=masked", 12: "train_infer_img_dir:pairs"}
    assert run(chain.write_config(edits=edits))[0] == 0
    status, report = run(chain.write_config(edits=edits | {12: "train_infer_img_dir:pictures"}))
    assert status == 1


def test_frozen_training_is_caught_against_its_starting_weights(chain):
    edits = {10: "--pretrained:start.pdparams", 16: "norm_train:train.py --fault=frozen"}
    status, report = run(chain.write_config(edits=edits))
    assert status == 1 and any("no weight changed against start.pdparams" in reason for reason in reasons(report))


def test_nothing_runs_on_the_artefact_of_a_failed_stage(chain):
    run(chain.write_config())
    status, report = run(chain.write_config(edits={16: "norm_train:train.py --fault=crash"}))
    assert status == 1
    assert [stage["status"] for stage in report["stages"]] == ["failed", "not_run", "not_run", "not_run", "not_run"]
    assert not list(OUTPUT.rglob("latest.pdparams")) and not list(OUTPUT.rglob("inference.json"))
    log = (OUTPUT / "results_python.log").read_text()
    assert "Not run (norm_train_gpus_0_fp32 failed)" in log
    assert log.startswith("\033[33m Run failed with command - ") and "successfully" not in log
    suite = ElementTree.parse(OUTPUT / "results_python.xml").getroot()
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "4")


def test_failed_evaluation_fails_the_run_but_not_the_export(chain):
    status, report = run(chain.write_config(edits={24: "eval:test.py --fault=silent"}))
    assert status == 1
    assert [stage["status"] for stage in report["stages"]] == ["passed", "failed", "passed", "passed", "passed"]


def test_a_file_with_an_error_runs_nothing(chain):
    status, report = run(chain.write_config(edits={24: "eval:"}))
    assert status == 1 and report["stages"] == [] and "chain.txt:24: error: empty command" in report["notices"][0]


def test_missing_interpreter_is_replaced_with_a_notice(chain):
    status, report = run(chain.write_config(edits={3: "python:python3.7-none"}))
    assert status == 0
    assert any("chain.txt:3: warning: python:python3.7-none cannot be run" in notice for notice in report["notices"])


def test_time_limit_fails_the_stage(chain):
    (chain.folder / "train.py").write_text("import time\ntime.sleep(60)\n")
    status, report = run(chain.write_config(), LITE, "--time-limit", "1")
    assert status == 1 and "ended after its time limit of 1 s" in reasons(report)


def test_dry_run_prints_the_commands_and_touches_nothing(chain, capsys):
    assert runner.main([chain.write_config(), LITE, "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 5 and "train.py --device=auto" in printed.out
    assert "template" in printed.err and not OUTPUT.exists()


@pytest.mark.parametrize(
    "words, message",
    [
        (["lite_train"], "mode 'lite_train': unknown"),
        ([LITE, "npu"], "device 'npu': unknown"),
    ],
)
def test_unknown_words_are_refused(chain, words, message):
    with pytest.raises(ConfigError, match=message):
        runner.main([chain.write_config(), *words])
