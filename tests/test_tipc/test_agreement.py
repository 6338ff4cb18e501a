"""Trainers whose losses must agree: what passes, and that no run is compared with itself."""

import json
from pathlib import Path

import pytest

from engine.errors import ConfigError
from test_tipc.agreement import did_what_it_says, main

LITE = "lite_train_lite_infer"
STATIC = "to_static_train:train.py --to_static=True"


def write(chain, second, first="norm_train:train.py"):
    return chain.write_config(
        edits={
            15: f"trainer:norm_train|{second.split(':')[0]}",
            16: first,
            20: second,
            24: "eval:null",
            30: "norm_export:null",
            34: "export1:null",
        }
    )


def reasons():
    report = json.loads(Path("test_tipc/output/results_agreement.json").read_text())
    return [reason for stage in report["stages"] for reason in stage["reasons"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "second, message",
    [
        (STATIC, None),
        (f"{STATIC} --fault=drifts", "loss 3 is 0.27, norm_train_gpus_0_fp32 has 0.25"),
        (f"{STATIC} --fault=eager", "the log tells of no compiled graph"),
        (f"{STATIC} --fault=crash", "exit status 1: no data found"),
    ],
)
def test_losses_agree_or_not(chain, second, message):
    assert main([write(chain, second), LITE]) == (message is not None)
    assert message is None or any(message in reason for reason in reasons()), reasons()


def test_processes_have_to_take_part():
    command = "python -m paddle.distributed.launch --nproc_per_node=2 train.py"
    told = "GPEN: 8 training pictures, 3 steps, run folder x, 2 processes\n"
    assert did_what_it_says(command, told) == []
    assert did_what_it_says(command, told.replace(", 2 proc", ", 3 proc")) == [
        "2 processes asked for, the log tells of 3"
    ]
    assert did_what_it_says(command, "GPEN: 8 training pictures, 3 steps\n") == [
        "2 processes asked for, the log tells of one"
    ]


def test_one_trainer_has_nothing_to_agree_with(chain):
    with pytest.raises(ConfigError, match="1 training; expected two or more"):
        main([chain.write_config(edits={24: "eval:null"}), LITE])


def test_dry_run_prints_both_trainings(chain, capsys):
    assert main([write(chain, STATIC), LITE, "--dry-run"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "--to_static" not in first and "train.py --to_static=True" in second
