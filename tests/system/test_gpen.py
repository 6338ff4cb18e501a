"""GPEN's step: who moves when, which loss reaches whom, and a trace that notices any change of the mathematics."""

import json
from pathlib import Path

import numpy as np
import paddle
import pytest

from engine import config as configuration
from engine.errors import InputError
from engine.run import build_system
from engine.updater import Updater
from loss.adversarial import generator_logistic

TRACE = Path("tests/assets/losses/gpen_smoke.json")


def built(**recipe):
    overrides = {**configuration.import_class("system.gpen.GPEN", ("system.",), "").smoke,
                 **{f"recipe.{key}": value for key, value in recipe.items()}}
    config = configuration.load("configs/gpen_256.yaml", [(key, value, key) for key, value in overrides.items()])
    system = build_system(config)
    return system, Updater(config.optimizers, system.trainable)


def batch(seed=0, count=2):
    random = np.random.default_rng(seed)
    image = random.random((count, 3, 8, 8)).repeat(4, axis=2).repeat(4, axis=3).astype("float32")
    degraded = np.clip(image + 0.1 * random.standard_normal(image.shape), 0, 1).astype("float32")
    return {"image": paddle.to_tensor(image), "degraded": paddle.to_tensor(degraded), "name": ["a", "b"][:count]}


def snapshot(system):
    return {group: [p.numpy().copy() for p in parameters] for group, parameters in system.trainable.items()}


def moved(system, before):
    return {group for group, parameters in system.trainable.items()
            if any(not np.array_equal(p.numpy(), old) for p, old in zip(parameters, before[group], strict=True))}


class Recorder:
    """An Updater that notes its calls and what each call changes."""

    def __init__(self, system, update):
        self.system, self.update, self.calls = system, update, []

    def float32(self):
        return self.update.float32()

    def __call__(self, names, loss):
        before = snapshot(self.system)
        self.update(names, loss)
        self.calls.append((names, float(loss), moved(self.system, before)))


def test_every_update_moves_its_own_networks_only():
    system, update = built()
    record = Recorder(system, update)
    scalars = system.train_step(batch(), 0, record)  # step 0 has both penalties
    generator = {"encoder", "decoder"}
    assert [(names, groups) for names, _, groups in record.calls] == [
        ("discriminator", {"discriminator"}), ("discriminator", {"discriminator"}),
        (("encoder", "decoder"), generator), (("encoder", "decoder"), generator)]
    assert list(scalars) == ["generator/loss", "generator/pixel", "generator/adversarial", "discriminator/loss",
                             "discriminator/r1", "generator/path"]
    c = system.config
    losses = [loss for _, loss, _ in record.calls]
    assert losses[1] == pytest.approx(c.r1_gamma / 2 * c.r1_every * float(scalars["discriminator/r1"]), rel=1e-5)
    weighted = c.pixel_weight * scalars["generator/pixel"] + c.adversarial_weight * scalars["generator/adversarial"]
    assert losses[2] == pytest.approx(float(weighted), rel=1e-5)
    assert losses[3] == pytest.approx(c.path_weight * c.path_every * float(scalars["generator/path"]), rel=1e-5)


def test_penalties_keep_their_intervals():
    system, update = built()
    keys = {step: set(system.train_step(batch(), step, update)) for step in (1, 4, 15, 16)}
    assert [step for step in keys if "discriminator/r1" in keys[step]] == [16]
    assert [step for step in keys if "generator/path" in keys[step]] == [4, 16]


def gradients(system, loss, group):
    for parameters in system.trainable.values():
        for parameter in parameters:
            parameter.clear_gradient(set_to_zero=False)
    loss.backward()
    return [None if p.grad is None else p.grad.numpy() for p in system.trainable[group]]


@pytest.mark.parametrize("term", ["pixel", "adversarial", "feature"])
def test_every_term_reaches_encoder_and_decoder(term):
    system, _ = built(feature_weight=0.02)
    b = batch()
    terms = system.generator_terms(system.generator(b["degraded"] * 2 - 1), b["image"] * 2 - 1)
    assert set(terms) == {"pixel", "adversarial", "feature"}
    for group in ("encoder", "decoder"):
        terms = system.generator_terms(system.generator(b["degraded"] * 2 - 1), b["image"] * 2 - 1)
        found = gradients(system, terms[term], group)
        assert sum(float(np.abs(g).sum()) for g in found if g is not None) > 0


def test_terms_are_weighted_by_their_own_weights():
    system, _ = built(pixel_weight=3.0, adversarial_weight=5.0, feature_weight=7.0, identity_weight=0.0)
    assert system.weights() == {"pixel": 3.0, "adversarial": 5.0, "feature": 7.0, "identity": 0.0}


def test_a_discriminator_step_lowers_its_loss_and_raises_the_generators():
    system, update = built(r1_every=0, path_every=0)
    b = batch()
    degraded, real = b["degraded"] * 2 - 1, b["image"] * 2 - 1
    with paddle.no_grad():
        before = float(generator_logistic(system.discriminator(system.generator(degraded))))
    first = float(system.discriminator_steps(degraded, real, 1, update)["discriminator/loss"])
    for step in range(2, 12):
        last = float(system.discriminator_steps(degraded, real, step, update)["discriminator/loss"])
    with paddle.no_grad():
        after = float(generator_logistic(system.discriminator(system.generator(degraded))))
    assert last < first
    assert after > before


def test_without_adversarial_weight_the_discriminator_rests():
    system, update = built(adversarial_weight=0.0, path_every=0)
    before = snapshot(system)
    assert set(system.train_step(batch(), 0, update)) == {"generator/loss", "generator/pixel"}
    assert moved(system, before) == {"encoder", "decoder"}


def test_path_mean_moves_towards_the_lengths_and_is_state():
    system, update = built()
    assert float(system.state["path_length_mean"]) == 0
    system.train_step(batch(), 0, update)
    first = float(system.state["path_length_mean"])
    system.train_step(batch(), 1, update)
    assert first > 0
    assert float(system.state["path_length_mean"]) == first


def test_restored_picture_is_the_networks_in_zero_to_one():
    system, _ = built()
    b = batch()
    system.generator.eval()
    with paddle.no_grad():
        restored = system.generate(b, system.networks)["restored"].numpy()
        wanted = np.clip((system.generator(b["degraded"] * 2 - 1).numpy() + 1) / 2, 0, 1)
    np.testing.assert_allclose(restored, wanted, atol=1e-6)
    assert restored.min() >= 0
    assert restored.max() <= 1


def test_smaller_input_is_reduced_by_area():
    system, _ = built(in_size=16)
    x = batch()["degraded"]
    wanted = x.numpy().reshape(2, 3, 16, 2, 16, 2).mean(axis=(3, 5)) * 2 - 1
    np.testing.assert_allclose(system.network_input(x).numpy(), wanted, atol=1e-6)
    assert system.generate({"degraded": x}, system.networks)["restored"].shape == [2, 3, 32, 32]


def test_missing_identity_network_stops_or_is_said(tmp_path, caplog):
    missing = str(tmp_path / "none.pdparams")
    with pytest.raises(InputError, match="none.pdparams: missing; the identity loss needs"):
        built(identity_weight=1.0, identity_network=missing, when_missing="stop")
    system, _ = built(identity_weight=1.0, identity_network=missing, when_missing="skip")
    assert system.log_header == {"identity": "off"}
    assert system.identity is None


def test_identity_loss_is_part_of_the_total():
    system, _ = built(identity_weight=2.0, identity_network="no/such/file", when_missing="skip")
    system.identity = lambda fake, real: (fake - real).square().mean()
    b = batch()
    terms = system.generator_terms(b["degraded"] * 2 - 1, b["image"] * 2 - 1)
    wanted = ((b["degraded"] - b["image"]) * 2).square().mean()
    assert float(terms["identity"]) == pytest.approx(float(wanted), rel=1e-5)
    assert system.weights()["identity"] == 2.0


@pytest.mark.slow
def test_twenty_steps_follow_the_recorded_trace():
    """Regenerate with: python -m tests.system.test_gpen; a change of the mathematics does so in a commit of its own."""
    found, wanted = trace(), json.loads(TRACE.read_text())
    assert [list(step) for step in found] == [list(step) for step in wanted]
    for step, (mine, recorded) in enumerate(zip(found, wanted, strict=True)):
        assert mine == pytest.approx(recorded, rel=0.02 if step > 5 else 1e-3), step


def trace():
    system, update = built()
    steps = []
    for step in range(20):
        paddle.seed(step)
        scalars = system.train_step(batch(step), step, update)
        steps.append({name: float(value) for name, value in scalars.items()})
    return steps


if __name__ == "__main__":
    TRACE.write_text(json.dumps(trace(), indent=0) + "\n")
