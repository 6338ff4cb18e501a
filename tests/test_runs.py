"""Runs under faults, through the command line: two writers, kills, signals, dead workers, damaged files.

KINTSUGI_KILLS is the length of the campaign of kills, KINTSUGI_SEED its seed; the default keeps the suite short.
"""

import json
import os
import random
import re
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from visualdl import LogReader

from engine.training import checkpoint
from tests.script_calls import LITE, ROOT, call, command, draw_faces

KILLS = int(os.environ.get("KINTSUGI_KILLS", "3"))
STEPS = 8
WORDS = [
    *LITE,
    *("train.log_every=1", "train.save_every=2", "train.validate_every=2", "train.preview_every=4", "train.keep=2"),
    *("data.validation.synthetic.identities=[100000,100006]", "train.best={score: psnr/restored, better: higher}"),
    *("--batch_size=2", "--device=cpu"),
]


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return draw_faces(tmp_path_factory.mktemp("faces"), 5)


def words(faces, folder, *more):
    return [*WORDS, "--data_dir", faces, "--output_dir", folder, f"--iters={STEPS}", *more]


@contextmanager
def begun(*arguments, launch=()):
    """A training in a process group of its own."""
    line = command("train", *arguments)
    child = subprocess.Popen(
        [line[0], *launch, *line[1:]],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def wait_for(child, text):
    for line in child.stdout:
        if text in line:
            return
    raise AssertionError(f"{text!r} does not appear")


def content(folder):
    """Everything a run leaves, but for times and the history of starts."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name == "train.log" or name.startswith(("visualdl", "config.yaml")):
            continue
        if path.name == "metrics.jsonl":
            found[name] = [json.loads(line) | {"ips": 0} for line in path.read_text().splitlines()]
        elif path.name == "meta.json":
            meta = json.loads(path.read_text())
            found |= {f"{name}: {key}": meta[key] for key in meta if key not in ("digest", "config", "config_hash")}
        else:
            found[name] = path.read_bytes()
    return found


def curve(folder, tag="generator/loss"):
    """(step, value) pairs as VisualDL reads them: of one file, the only one."""
    (file,) = (folder / "visualdl").iterdir()
    return [(item.id, round(item.value, 5)) for item in LogReader(file_path=str(file)).get_data("scalar", tag)]


@pytest.fixture(scope="module")
def whole(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert call("train", *words(faces, folder)).returncode == 0
    return folder


@pytest.mark.slow
@pytest.mark.timeout(200 + 60 * KILLS)
def test_a_run_killed_anywhere_leaves_what_an_uninterrupted_one_does(faces, whole, tmp_path):
    """SIGKILL at random moments: in steps, saves, validations and previews. VisualDL shows one curve all the way."""
    draw = random.Random(int(os.environ.get("KINTSUGI_SEED", "3")))
    folder, kills, longest = tmp_path / "run", 0, 6.0
    while kills < KILLS:
        with begun(*words(faces, folder, "--resume=auto")) as child:
            wait_for(child, "training pictures")
            try:
                child.wait(draw.uniform(0.0, longest))
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                child.wait()
                kills += 1
                continue
            assert child.returncode == 0
        if kills < KILLS:  # it came to its end: compare, and begin another
            assert content(folder) == content(whole)
            assert curve(folder) == curve(whole)
            folder = tmp_path / f"run_{kills}"
    for start in range(2):  # the second resumes a finished run
        result = call("train", *words(faces, folder, "--resume=auto"))
        assert result.returncode == 0, result.stderr
        assert content(folder) == content(whole), start
        assert curve(folder) == curve(whole)
        assert curve(folder, "validation/psnr/restored") == curve(whole, "validation/psnr/restored")


@pytest.mark.slow
def test_one_folder_has_one_owner(faces, tmp_path):
    folder = tmp_path / "run"
    with begun(*words(faces, folder, "--iters=100000")) as child:
        wait_for(child, "saved ")  # a run folder without a checkpoint is no folder to resume
        for more in ([], ["--resume=auto"], [f"--resume={folder}"]):
            result = call("train", *words(faces, folder, *more))
            assert result.returncode == 2
            assert re.fullmatch(
                rf"error: {folder}: process {child.pid} on {re.escape(socket.gethostname())}, started [-\d: ]+, "
                r"is writing there; .*\n",
                result.stderr,
            )
        assert not list(folder.glob("earlier_*"))
        wait_for(child, "saved ")
        child.send_signal(signal.SIGKILL)
        child.wait()
        result = call("train", *words(faces, folder, "--resume=auto", "--iters=4"))  # at once, its data workers or not
        assert result.returncode == 0, result.stderr
        assert f"{folder}: process {child.pid} on " in result.stdout
        assert "has ended without a word; this run takes the folder over" in result.stdout
    assert not (folder / ".owner.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_validation_saves_and_leaves_within_two_seconds(faces, tmp_path, number):
    """400 pictures to validate take far longer than that."""
    folder = tmp_path / "run"
    many = words(faces, folder, "-o", "data.validation.synthetic.identities=[100000,100400]")
    with begun(*many) as child:
        wait_for(child, "saved ")
        time.sleep(0.7)
        asked = time.monotonic()
        child.send_signal(number)
        out = child.communicate(timeout=60)[0]
        taken = time.monotonic() - asked
    assert child.returncode == 128 + number
    assert f"stopped by {number.name} at step 2; go on with --resume {folder}\n" in out
    assert "validation at step" not in out
    assert taken < 20, taken  # measured alone: under 2 s; a busy machine has to end an interpreter meanwhile


@pytest.mark.slow
def test_a_dead_data_worker_is_one_line_and_a_checkpoint(faces, tmp_path):
    folder = tmp_path / "run"
    with begun(*words(faces, folder, "--iters=100000", "-o", "data.num_workers=1", "train.save_every=0")) as child:
        wait_for(child, "iter: 3/")
        children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        out = child.communicate(timeout=60)[0]
    assert child.returncode == 1 and "Traceback" not in out
    step = checkpoint.load_checkpoint(checkpoint.newest_checkpoint(folder)).step
    assert f"stopped by a data worker (process {children[-1]}) ended with SIGKILL at step {step}; " in out


@pytest.mark.slow
def test_what_a_resume_says(faces, whole, tmp_path):
    folder = tmp_path / "run"
    subprocess.run(["cp", "-r", whole, folder], check=True)
    result = call("train", *words(faces, folder, "--resume=auto", "--iters=4"))
    assert (result.returncode, result.stderr) == (0, "")
    assert f"{folder} is at step 8 already; 4 steps ask for nothing more\n" in result.stdout
    newest = folder / "step_0000008" / "generator.pdparams"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    result = call("train", *words(faces, folder, "--resume=auto"))
    assert result.returncode == 0, result.stderr
    assert f"damaged checkpoint: {newest}: is damaged; " in result.stdout
    assert f"{folder / 'step_0000006'} is used instead\n" in result.stdout
    assert content(folder) == content(whole)
    for path in folder.glob("step_*/meta.json"):
        path.write_text(path.read_text()[:-20])
    result = call("train", *words(faces, folder, "--resume=auto"))
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert f"error: {folder}: no usable checkpoint, all 2 are damaged; the newest: " in result.stderr


LAUNCH = ["-m", "paddle.distributed.launch", "--nproc_per_node=2", "--log_dir"]


def ranks(launcher):
    """Process numbers of a launcher's children, in order of their ranks."""
    found = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    ranked = {}
    for pid in found:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        if match := re.search(rb"PADDLE_TRAINER_ID=(\d)", environment):
            ranked[int(match[1])] = int(pid)
    return [ranked[0], ranked[1]]


def gone(pids, seconds):
    """True once none of the processes runs."""
    for _ in range(10 * seconds):
        states = [Path(f"/proc/{pid}/stat") for pid in pids]
        if not any(state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z" for state in states):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["rank 0", "rank 1", "launcher"])
def test_processes_of_a_run_end_together(faces, tmp_path, victim):
    folder, logs = tmp_path / "run", tmp_path / "logs"
    with begun(*words(faces, folder, "--iters=100000"), launch=[*LAUNCH, str(logs)]) as child:
        wait_for(child, "iter: 3/")
        pids = ranks(child)
        os.kill(child.pid if victim == "launcher" else pids[int(victim[-1])], signal.SIGKILL)
        assert gone(pids, seconds=10)
    said = {rank: (logs / f"workerlog.{rank}").read_text() for rank in (0, 1)}
    assert not any("Traceback" in text for text in said.values())
    if victim == "launcher":
        # Both look every half second: the one that sees it first asks the other to leave with it.
        assert all(re.search(r"stopped by (SIGTERM|another process) at step \d+; ", text) for text in said.values())
        assert any(f"the launcher (process {child.pid}) is gone" in text for text in said.values())
    else:
        survivor = 1 - int(victim[-1])
        assert f"error: process {victim[-1]} of 2 has ended; this one ends too." in said[survivor]
    assert checkpoint.usable_checkpoint(folder) is not None


@pytest.mark.slow
def test_two_nodes_without_a_shared_folder(faces, tmp_path):
    """Two checkouts, two launchers, one run; then a resume where the second node has no checkpoint."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kept = [name for name in listing.splitlines() if not name.startswith(("tests/", "weights/", "test_tipc/", "docs/"))]
    nodes = [tmp_path / f"node_{number}" for number in (0, 1)]
    for node in nodes:
        for name in kept:
            (node / name).parent.mkdir(parents=True, exist_ok=True)
            (node / name).write_bytes((ROOT / name).read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        master = f"127.0.0.1:{free.getsockname()[1]}"

    def train(*more):
        arguments = [str(word) for word in words(faces, "here", *more)]
        launch = ["-m", "paddle.distributed.launch", "--nnodes=2", f"--master={master}", "--nproc_per_node=1"]
        line = [command("train")[0], *launch, "--log_dir=logs"]
        children = [
            subprocess.Popen(
                [*line, f"--rank={rank}", "train.py", *arguments], cwd=node, stdout=-1, stderr=-2, text=True
            )
            for rank, node in enumerate(nodes)
        ]
        return [(child.communicate(timeout=150)[0], child.returncode) for child in children]

    results = train()
    assert [status for _, status in results] == [0, 0], results
    assert (nodes[0] / "here" / f"step_{STEPS:07d}").is_dir() and not (nodes[1] / "here").exists()
    assert f"{STEPS} steps, run folder here, 2 processes" in results[0][0]
    results = train("--resume=auto")
    assert all(status for _, status in results), results
    line = f"differ in their checkpoint: process 0: step_{STEPS:07d}; process 1: none in here; "
    assert line in "".join(path.read_text() for node in nodes for path in node.glob("logs/workerlog.*"))
    subprocess.run(["cp", "-r", nodes[0] / "here", nodes[1] / "here"], check=True)
    results = train("--resume=auto", f"--iters={STEPS + 1}")
    assert [status for _, status in results] == [0, 0], results
    assert (nodes[0] / "here" / f"step_{STEPS + 1:07d}").is_dir()
    assert not (nodes[1] / "here" / f"step_{STEPS + 1:07d}").exists()
