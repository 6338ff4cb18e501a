"""Two real processes compute what one process with the joint batch computes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

from engine import distributed
from engine.training import checkpoint
from system.gpen import GPEN

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).with_name("distributed_toy.py")
JOINT = 6


def launched(folder, processes):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PADDLE_")}
    launch = ["-m", "paddle.distributed.launch", "--nproc_per_node", str(processes), "--log_dir", str(folder / "logs")]
    command = [sys.executable, *(launch if processes > 1 else []), str(TOY), str(folder), str(JOINT)]
    run = subprocess.run(command, cwd=folder.parent, env=environment, capture_output=True, text=True, timeout=200)
    logs = "".join(path.read_text(errors="replace")[-3000:] for path in folder.glob("logs/workerlog.*"))
    assert run.returncode == 0, run.stderr[-3000:] + logs
    return checkpoint.load_checkpoint(folder / "step_0000005")


@pytest.mark.slow
def test_two_processes_are_one_with_the_joint_batch(tmp_path):
    one, two = launched(tmp_path / "one", 1), launched(tmp_path / "two", 2)
    for kind in ("networks", "ema"):
        for name, arrays in getattr(one, kind).items():
            for key, wanted in arrays.items():
                np.testing.assert_allclose(getattr(two, kind)[name][key], wanted, rtol=1e-4, atol=2e-5, err_msg=key)
    for key, wanted in one.train_state.items():
        np.testing.assert_allclose(two.train_state[key], wanted, rtol=2e-3, atol=1e-5, err_msg=key)
    assert float(one.train_state["state/path_length_mean"]) > 0
    records = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    for mine, joint in zip(*records, strict=True):
        for key in ("generator/loss", "generator/path", "discriminator/loss"):
            assert mine[key] == pytest.approx(joint[key], rel=1e-3), key


def test_one_process_needs_no_group():
    tensor = paddle.to_tensor([1.0, 2.0])
    assert distributed.joint(tensor) is tensor
    assert distributed.any_rank(True) is True
    assert distributed.mean_over_ranks([1.0]) == [1.0]
    paddle.seed(4)
    drawn = distributed.normal([2, 3]).numpy()
    paddle.seed(4)
    np.testing.assert_array_equal(drawn, paddle.randn([2, 3]).numpy())


def test_joint_values_carry_the_world_times_the_gradient(monkeypatch):
    """The rest of the joint batch is a constant here; averaging over the ranks then gives the joint gradient."""
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    monkeypatch.setattr(distributed.dist, "all_gather", lambda parts, mine: parts.extend([mine * 10, mine]))
    values = paddle.to_tensor([1.0, 2.0], stop_gradient=False)
    joint = distributed.joint(values)
    assert joint.tolist() == [10, 20, 1, 2]
    (joint * paddle.to_tensor([1.0, 1.0, 3.0, 5.0])).sum().backward()
    assert values.grad.tolist() == [6, 10]


def test_noise_is_this_ranks_part_of_the_joint_batchs(monkeypatch):
    paddle.seed(9)
    whole = paddle.randn([6, 2]).numpy()
    monkeypatch.setattr(distributed, "world_size", lambda: 3)
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        paddle.seed(9)
        np.testing.assert_array_equal(distributed.normal([2, 2]).numpy(), whole[2 * rank : 2 * rank + 2])


SMALL = [f"{key}={value}" for key, value in GPEN.smoke.items()]
SMALL += ["data.num_workers=0", "train.log_every=1", "train.preview_every=0", "train.save_every=0"]
SMALL += [
    "recipe.r1_every=2",
    "recipe.path_every=2",
    "recipe.stddev_group=2",
    "data.validation.synthetic.identities=[0,2]",
]


def trained(folder, processes, *words, launch=()):
    """The last checkpoint of GPEN's smallest run of four pictures a step, through the command line."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PADDLE_")}
    parallel = [
        "-m",
        "paddle.distributed.launch",
        "--nproc_per_node",
        str(processes),
        "--log_dir",
        str(folder / "logs"),
    ]
    words = ["-c", "configs/gpen_lite.yaml", "-o", *SMALL, f"--batch_size={4 // processes}", "--iters=3", *words]
    command = [sys.executable, *(parallel if processes > 1 else []), "train.py", *words, "--device=cpu"]
    run = subprocess.run(
        [*command, f"--output_dir={folder}"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200
    )
    assert run.returncode == 0, run.stderr[-3000:] + run.stdout[-3000:]
    return checkpoint.load_checkpoint(folder / "step_0000003"), [
        json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]


@pytest.mark.slow
def test_two_processes_of_gpen_are_one_with_the_joint_batch(tmp_path):
    """R1, path length and injected noise among them; the deviation over groups of a process's size."""
    (one, losses), (two, other) = trained(tmp_path / "one", 1), trained(tmp_path / "two", 2)
    for mine, joint in zip(other, losses, strict=True):
        for key in [key for key in joint if "/" in key]:
            assert mine[key] == pytest.approx(joint[key], rel=2e-4, abs=1e-6), (joint["step"], key)
    assert {"discriminator/r1", "generator/path_length"} & set(losses[0])
    for name, arrays in one.networks.items():
        for key, wanted in arrays.items():
            np.testing.assert_allclose(two.networks[name][key], wanted, rtol=1e-2, atol=2e-3, err_msg=f"{name}/{key}")
