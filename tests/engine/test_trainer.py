"""The loop on a toy system: exact resume, averages, windows of the log, a non-finite loss, signals."""

import json
import os
import signal
import time

import numpy as np
import paddle
import pytest

from engine.errors import ConfigError, InputError, WorkerDied
from engine.run_config import BestConfig, DataConfig, EMAConfig, OptimizerConfig, OutputConfig, RunConfig, TrainConfig
from engine.settings import Settings
from engine.system import System
from engine.training import checkpoint
from engine.training.stopping import Stopped
from engine.training.trainer import Trainer, due
from engine.training.validation import best_so_far, keep_best
from engine.weights import files as weights

LENGTH, BATCH = 12, 4


class Toy(System):
    """Fits y = 2x with noise drawn in the step, counts its steps in `state`, averages its one network."""

    averaged = ("net",)
    shown = ("output", "image")

    def __init__(self, poison_at=None):
        paddle.seed(3)
        with paddle.utils.unique_name.guard():
            self.net = paddle.nn.Sequential(paddle.nn.Linear(3, 8), paddle.nn.Tanh(), paddle.nn.Linear(8, 3))
        self.networks = {"net": self.net}
        self.trainable = {"net": self.net.parameters()}
        self.state = {"seen": paddle.zeros([])}
        self.poison_at = poison_at

    def train_step(self, batch, step, update):
        output = self.net(batch["x"] + 0.1 * paddle.randn(batch["x"].shape))
        loss = (output - batch["image"]).square().mean()
        if step == self.poison_at:
            loss = loss / 0.0
        update("net", loss)
        self.state["seen"] = self.state["seen"] + 1
        scalars = {"net/loss": loss.detach()}
        return scalars | ({"net/rare": loss.detach() * 0 + step} if step % 3 == 0 else {})


class Batches:
    """Sample values follow from the step alone."""

    def epoch(self, step):
        return step * BATCH // LENGTH

    def iterate(self, first_step, last_step):
        for step in range(first_step, last_step):
            x = np.random.default_rng(step).standard_normal((BATCH, 3)).astype("float32")
            names = [f"{step}_{i}" for i in range(BATCH)]
            yield {"x": paddle.to_tensor(x), "image": paddle.to_tensor(2 * x), "name": names}


def config(steps, **train):
    adam = OptimizerConfig(kind="adam", lr=0.01, beta1=0.5, beta2=0.99, milestones=(5,), gamma=0.1)
    settings = {"steps": steps, "log_every": 4, "save_every": 3, "preview_every": 0, "keep": 2} | train
    return RunConfig(
        system="toy",
        data=DataConfig(train=Settings(), validation=Settings(), batch_size=BATCH),
        optimizers={"net": adam},
        ema=EMAConfig(decay=0.9),
        recipe=Settings(),
        train=TrainConfig(**settings),
        output=OutputConfig(),
    )


def trainer(folder, steps, poison_at=None, resume=False, **train):
    folder.mkdir(exist_ok=True)
    it = Trainer(config(steps, **train), Toy(poison_at), folder, Batches())
    if resume:
        it.resume(checkpoint.newest_checkpoint(folder))
    return it


def records(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "ips"} for line in lines]


def files(folder, step):
    saved = folder / f"step_{step:07d}"
    return {path.name: path.read_bytes() for path in saved.iterdir() if path.name != "meta.json"}


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


def test_every_step_draws_noise_of_its_own_that_a_resume_draws_again(tmp_path):
    drawn = {}
    for folder, steps, seed in (("one", 4, 0), ("two", 2, 0), ("other", 2, 1)):
        it, noise = trainer(tmp_path / folder, steps), drawn.setdefault(folder, [])
        it.config = it.config.model_copy(update={"seed": seed})
        step = it.system.train_step
        it.system.train_step = lambda *given, step=step, noise=noise: (
            noise.append(tuple(paddle.randn([3]).tolist())),
            step(*given),
        )[1]
        it.run()
    assert len(set(drawn["one"])) == 4 and drawn["two"] == drawn["one"][:2]
    assert not {*drawn["one"]} & {*drawn["other"]}


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


def test_records_are_means_over_their_window(tmp_path):
    trainer(tmp_path / "fine", 4, log_every=1).run()
    trainer(tmp_path / "coarse", 4, log_every=4).run()
    fine = records(tmp_path / "fine")
    coarse = records(tmp_path / "coarse")[0]
    assert coarse["net/loss"] == pytest.approx(np.mean([r["net/loss"] for r in fine]), rel=1e-6)
    assert coarse["net/rare"] == np.mean([0, 3])
    assert [r["lr/net"] for r in fine] == [0.01] * 4


def test_learning_rate_follows_its_milestones(tmp_path):
    trainer(tmp_path / "run", 8, log_every=1).run()
    assert [r["lr/net"] for r in records(tmp_path / "run")] == pytest.approx([0.01] * 5 + [0.001] * 3)


def test_average_lags_behind_and_is_what_latest_holds(tmp_path):
    it = trainer(tmp_path / "run", 6)
    start = it.system.net[0].weight.numpy().copy()
    it.run()
    latest = weights.read_weights(tmp_path / "run" / "latest.pdparams")
    now, average = it.system.net[0].weight.numpy(), latest["net/0.weight"]
    np.testing.assert_array_equal(average, it.ema.networks["net"][0].weight.numpy())
    assert 0 < np.abs(average - start).max() < np.abs(now - start).max()


def test_non_finite_loss_names_step_term_and_files_and_saves_nothing(tmp_path):
    text = "step 5: net/loss is inf; files of that step: 4_0, 4_1, 4_2, 4_3; .*step_0000003"
    with pytest.raises(InputError, match=text):
        trainer(tmp_path / "run", 10, poison_at=4).run()
    assert checkpoint.newest_checkpoint(tmp_path / "run").name == "step_0000003"


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


def test_only_the_newest_are_kept(tmp_path):
    trainer(tmp_path / "run", 10).run()
    assert sorted(p.name for p in (tmp_path / "run").glob("step_*")) == ["step_0000009", "step_0000010"]


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


def test_optimizers_must_match_the_system(tmp_path):
    bad = config(3).model_copy(update={"optimizers": {}})
    with pytest.raises(ConfigError, match=r"optimizers: toy needs \['net'\], found \[\]"):
        Trainer(bad, Toy(), tmp_path, Batches())


def test_due():
    assert [step for step in range(1, 9) if due(step, 4)] == [4, 8]
    assert not any(due(step, 0) for step in range(9))


@pytest.mark.parametrize(("better", "kept"), [("lower", 3), ("higher", 5)])
def test_best_weights_by_a_named_score(tmp_path, better, kept):
    it = trainer(tmp_path / "run", 6, best={"score": "toy", "better": better}, validate_every=1)
    values = {1: 0.7, 2: 0.5, 3: 0.2, 4: 0.4, 5: 0.9, 6: 0.3}
    averages = {}

    def evaluate(networks):
        averages[it.step] = networks["net"][0].weight.numpy().copy()
        return {"toy": values[it.step]}

    it.evaluate = evaluate
    it.run()
    best = weights.read_weights(tmp_path / "run" / "best.pdparams")
    np.testing.assert_array_equal(best["net/0.weight"], averages[kept])
    assert json.loads((tmp_path / "run" / "best.json").read_text()) == {
        "score": "toy",
        "value": values[kept],
        "step": kept,
    }
    with pytest.raises(InputError, match="train.best.score: no score 'toy'; validation gives psnr"):
        keep_best(tmp_path / "run", it.config.train.best, 6, {"psnr": 1.0}, {})


def test_training_is_prepared_before_the_average_is_made(tmp_path, monkeypatch):
    """A prior that is read for training is in the networks and in their averages from the start."""

    def read_prior(self):
        self.net[0].weight.set_value(paddle.full([3, 8], 7.0))

    monkeypatch.setattr(Toy, "prepare_training", read_prior)
    it = trainer(tmp_path / "run", 1)
    assert (it.ema.networks["net"][0].weight.numpy() == 7).all()


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


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"value": "x", "score": "s"}', "[]", '{"value": 1e999}'])
def test_a_damaged_note_of_the_best_is_named(tmp_path, text):
    (tmp_path / "best.json").write_text(text)
    with pytest.raises(InputError, match="best.json: is damaged"):
        best_so_far(tmp_path, BestConfig(score="s", better="lower"))
