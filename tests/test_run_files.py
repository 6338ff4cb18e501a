"""Files of a run that others changed: every reader ends in one line. KINTSUGI_MUTANTS is the length of the campaign."""

import json
import logging
import os
import random
import re
import subprocess
import time

import pytest

from engine import config as configuration
from engine.errors import InputError
from engine.files import read_yaml
from engine.run_config import BestConfig
from engine.training.resume import saved_run
from engine.training.run_log import RunLog
from engine.training.validation import best_so_far
from tests.mutants import bounded_memory
from tests.script_calls import LITE, call

MUTANTS = int(os.environ.get("KINTSUGI_MUTANTS", "60"))


def mutants(seed, original, count):
    """Copies of some bytes with bits flipped, pieces cut, doubled and put elsewhere, numbers made large."""
    draw = random.Random(seed)
    for _ in range(count):
        data = bytearray(original)
        for _ in range(draw.choice([1, 1, 2, 5])):
            at, length = draw.randrange(len(data) or 1), draw.choice([1, 2, 8, 64])
            kind = draw.randrange(6)
            if kind == 0 and data:
                data[at] ^= 1 << draw.randrange(8)
            elif kind == 1:
                del data[at : at + length]
            elif kind == 2:
                data[at:at] = data[draw.randrange(len(data) or 1) :][:length]
            elif kind == 3:
                data[at:at] = draw.choice(
                    [b"[" * 3000, b"{", b"1e999", b"null", b"-", b'"', b"\xff", b"&a *a", b"!!bool x"]
                )
            elif kind == 4:
                data[:] = re.sub(rb"\d+", lambda m: draw.choice([m[0], m[0], b"9" * 400, b"-1", b"[]"]), bytes(data))
            else:
                del data[at:]
        yield bytes(data)


def read_metrics(path):
    log = RunLog.__new__(RunLog)
    log.folder = path.parent
    log._drop_records_after(10**9)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    result = call("train", *LITE, "train.log_every=1", "--iters=1", "--device=cpu", "--output_dir", folder)
    assert result.returncode == 0, result.stderr
    (folder / "best.json").write_text('{"score": "psnr/restored", "value": 21.5, "step": 4}\n')
    return folder


READERS = {
    "config.yaml": read_yaml,
    "best.json": lambda path: best_so_far(path.parent, BestConfig(score="psnr/restored", better="higher")),
    "metrics.jsonl": read_metrics,
    "step_0000001/meta.json": None,
}


@pytest.mark.parametrize("name", READERS)
def test_mutated_files_end_in_one_line(originals, tmp_path, name):
    """No traceback, no line break, no wait: each is read, left out or refused."""
    logging.getLogger("kintsugi").setLevel(logging.ERROR)
    config, original = configuration.load(originals / "config.yaml"), (originals / name).read_bytes()
    read = READERS[name] or (lambda path: saved_run(path.parent, config))
    if name.startswith("step_"):  # beside its files, and as a version without a digest wrote it
        subprocess.run(["cp", "-r", originals / "step_0000001", tmp_path], check=True)
        meta = json.loads(original)
        del meta["digest"], meta["sha256"]
        original = json.dumps(meta, indent=1).encode()
    path, refused = tmp_path / name, 0
    with bounded_memory():
        for number, data in enumerate(mutants(name, original, MUTANTS)):
            path.write_bytes(data)
            began = time.monotonic()
            try:
                read(path)
            except InputError as error:
                refused += 1
                assert "\n" not in str(error) and str(path.parent) in str(error), number
            assert time.monotonic() - began < 20, number
    assert refused or name == "metrics.jsonl"
