"""A run that is stopped, killed or changed, and goes on: bit for bit, or with the key that differs named."""

import json
import os
import signal
import time

import paddle
import pytest

from engine.errors import ConfigError, WorkerDied
from engine.training import checkpoint
from engine.training.stopping import Stopped
from engine.training.trainer import Trainer
from tests.engine.trainer_toy import Batches, Toy, config, files, records, trainer


def test_resumed_run_is_bit_identical(tmp_path):
    trainer(tmp_path / "whole", 10).run()
    trainer(tmp_path / "parts", 7).run()
    trainer(tmp_path / "parts", 10, resume=True).run()
    assert files(tmp_path / "whole", 10) == files(tmp_path / "parts", 10)
    assert set(files(tmp_path / "whole", 10)) == {"net.pdparams", "net_ema.pdparams", "train_state.safetensors"}
    # the first part ended at step 7 and wrote the record of an unfinished window there
    whole, parts = records(tmp_path / "whole"), [r for r in records(tmp_path / "parts") if r["step"] != 7]
    assert [r["step"] for r in whole] == [4, 8, 10]
    assert whole[0] == parts[0]
    assert whole[2] == parts[2]


def test_run_killed_between_checkpoints_repeats_its_records(tmp_path):
    trainer(tmp_path / "whole", 10).run()
    killed = trainer(tmp_path / "killed", 10)
    batches = killed.batches.iterate

    def dies(first, last):
        for step, batch in zip(range(first, last), batches(first, last), strict=True):
            if step == 8:  # the newest checkpoint is of step 6, a record was written at step 8
                raise SystemExit
            yield batch

    killed.batches.iterate = dies
    with pytest.raises(SystemExit):
        killed.run()
    assert [r["step"] for r in records(tmp_path / "killed")] == [4, 8]
    trainer(tmp_path / "killed", 10, resume=True).run()
    assert records(tmp_path / "killed") == records(tmp_path / "whole")
    assert files(tmp_path / "killed", 10) == files(tmp_path / "whole", 10)


def test_changed_configuration_is_refused_by_key(tmp_path):
    trainer(tmp_path / "run", 3).run()
    adam = config(7).optimizers["net"].model_copy(update={"lr": 0.02})
    changed = config(7, save_every=1).model_copy(update={"optimizers": {"net": adam}})
    it = Trainer(changed, Toy(), tmp_path / "run", Batches())
    newest = checkpoint.newest_checkpoint(tmp_path / "run")
    text = r"another 'optimizers.net.lr' \(optimizers.net.lr: 0.01 -> 0.02\); --resume_with_changes allows it"
    with pytest.raises(ConfigError, match=text):
        it.resume(newest)
    it.resume(newest, with_changes=True)
    it.run()
    meta = checkpoint.load_checkpoint(checkpoint.newest_checkpoint(tmp_path / "run")).meta
    assert meta["changes"] == [{"step": 3, "changed": ["optimizers.net.lr: 0.01 -> 0.02"]}]
    assert "changed here: optimizers.net.lr: 0.01 -> 0.02" in (tmp_path / "run" / "train.log").read_text()
    assert records(tmp_path / "run")[-1]["lr/net"] == pytest.approx(0.002)  # the milestone at 5 is passed


def test_keys_that_change_no_number_are_free(tmp_path):
    trainer(tmp_path / "run", 3).run()
    trainer(
        tmp_path / "run", 5, resume=True, save_every=1, log_every=1, preview_every=1, validate_every=2, keep=9
    ).run()
    assert checkpoint.newest_checkpoint(tmp_path / "run").name == "step_0000005"


def test_a_run_from_before_a_key_existed_goes_on(tmp_path):
    trainer(tmp_path / "run", 3).run()
    meta = checkpoint.newest_checkpoint(tmp_path / "run") / "meta.json"
    content = json.loads(meta.read_text())
    for key in ("sha256", "digest", "data", "changes"):  # as such a version wrote it
        del content[key]
    del content["config"]["train"]["measures"]
    meta.write_text(json.dumps(content))
    trainer(tmp_path / "run", 5, resume=True).run()
    assert checkpoint.newest_checkpoint(tmp_path / "run").name == "step_0000005"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_saves_and_stops(tmp_path, number):
    it = trainer(tmp_path / "run", 100, save_every=0)
    batches, before = it.batches.iterate, signal.getsignal(number)

    def interrupted(first, last):
        for step, batch in zip(range(first, last), batches(first, last), strict=True):
            if step == 4:
                os.kill(os.getpid(), number)
            yield batch

    it.batches.iterate = interrupted
    with pytest.raises(Stopped) as stop:
        it.run()
    assert stop.value.status == 128 + number
    assert checkpoint.newest_checkpoint(tmp_path / "run").name == "step_0000004"
    assert signal.getsignal(number) == before


def test_a_signal_gives_validation_up_and_the_resumed_run_makes_it_good(tmp_path):
    """The record, the best weights and the preview of that step are there as in a run that was left alone."""

    def validating(folder, asked_at=None, resume=False):
        folder.mkdir(exist_ok=True)
        it = trainer(
            folder,
            6,
            resume=resume,
            log_every=1,
            validate_every=3,
            preview_every=3,
            best={"score": "s", "better": "lower"},
        )
        it.preview_batch = lambda: {"name": ["a"], "image": paddle.ones([1, 3, 4, 4])}
        it.system.generate = lambda batch, networks: {"output": paddle.rand([1, 3, 4, 4])}

        def evaluate(networks):
            for batch in range(200):
                if it.step == asked_at and batch == 5:
                    os.kill(os.getpid(), signal.SIGTERM)
                assert it.step != asked_at or batch < 50, "validation goes on after the signal"
                time.sleep(0.001)
            return {"s": float(paddle.rand([]) + networks["net"][0].weight.mean())}

        it.evaluate = evaluate
        return it

    validating(tmp_path / "whole").run()
    for asked_at in (3, 6):
        parts = tmp_path / f"parts_{asked_at}"
        with pytest.raises(Stopped):
            validating(parts, asked_at).run()
        assert checkpoint.newest_checkpoint(parts).name == f"step_{asked_at:07d}"
        assert asked_at not in [r["step"] for r in records(parts) if "validation/s" in r]
        validating(parts, resume=True).run()
        assert records(parts) == records(tmp_path / "whole")
        for name in ("best.pdparams", "best.json", "latest.pdparams", "samples/step_0000003.png"):
            assert (parts / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_dead_data_worker_ends_the_run_with_its_checkpoint(tmp_path):
    it = trainer(tmp_path / "run", 100, save_every=0)
    batches = it.batches.iterate

    def dies(first, last):
        yield from batches(first, 5)
        raise WorkerDied("a data worker (process 7) ended with SIGKILL")

    it.batches.iterate = dies
    with pytest.raises(Stopped, match="data worker .process 7. ended with SIGKILL") as stop:
        it.run()
    assert stop.value.status == 1
    assert checkpoint.newest_checkpoint(tmp_path / "run").name == "step_0000005"


def test_a_finished_run_is_left_as_it_is(tmp_path):
    trainer(tmp_path / "run", 4).run()
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.suffix in (".json", ".jsonl", ".pdparams")}
    trainer(tmp_path / "run", 4, resume=True).run()
    assert {path: path.read_bytes() for path in before} == before
