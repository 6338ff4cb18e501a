"""The loop on a toy system: windows of the log, averages, best weights, a non-finite loss."""

import json

import numpy as np
import paddle
import pytest

from engine.errors import ConfigError, InputError
from engine.run_config import BestConfig
from engine.training import checkpoint
from engine.training.trainer import Trainer, due
from engine.training.validation import best_so_far, keep_best
from engine.weights import files as weights
from tests.engine.trainer_toy import Batches, Toy, config, records, trainer


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


def test_only_the_newest_are_kept(tmp_path):
    trainer(tmp_path / "run", 10).run()
    assert sorted(p.name for p in (tmp_path / "run").glob("step_*")) == ["step_0000009", "step_0000010"]


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


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"value": "x", "score": "s"}', "[]", '{"value": 1e999}'])
def test_a_damaged_note_of_the_best_is_named(tmp_path, text):
    (tmp_path / "best.json").write_text(text)
    with pytest.raises(InputError, match="best.json: is damaged"):
        best_so_far(tmp_path, BestConfig(score="s", better="lower"))
