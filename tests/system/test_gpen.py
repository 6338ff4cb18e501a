"""One training step of GPEN: who moves when, its penalties and their intervals, directions, recorded losses."""

from pathlib import Path

import numpy as np
import paddle
import pytest

from engine import config as configuration
from engine.images import to_signed
from engine.system import build_system
from engine.training import checkpoint
from engine.training.ema import EMA
from engine.training.trainer import Trainer
from loss.adversarial import discriminator_logistic
from tests.parity.runs import in_float64
from tests.system.small_gpen import ALWAYS, RECIPE, Recorder, gpen, pictures, updater

ROOT = Path(__file__).resolve().parents[2]
TRACE = ROOT / "tests" / "assets" / "losses" / "gpen_smoke.txt"


def test_order_of_the_updates_and_what_each_moves():
    it = gpen()
    record = Recorder(it)
    scalars = it.train_step(pictures(), 0, record)
    both = ("encoder", "decoder")
    assert [names for names, _, _ in record.calls] == ["discriminator", "discriminator", both, both]
    critic, r1, generator, path = (moved for _, _, moved in record.calls)
    assert critic == {"discriminator": list(range(len(it.trainable["discriminator"])))}
    assert r1.keys() == {"discriminator"} and len(r1["discriminator"]) < len(critic["discriminator"])  # some by 0
    assert generator.keys() == path.keys() == set(both)
    assert [len(generator[name]) for name in both] == [len(it.trainable[name]) for name in both]
    assert record.calls[0][1] == pytest.approx(float(scalars["discriminator/loss"]))
    assert record.calls[1][1] == pytest.approx(10 / 2 * 2 * float(scalars["discriminator/r1"]))
    assert record.calls[2][1] == pytest.approx(float(scalars["generator/loss"]))
    assert record.calls[3][1] == pytest.approx(2 * 4 * float(scalars["generator/path"]))


def test_r1_counts_as_a_step_of_every_parameter_of_the_discriminator():
    """The released loop adds 0 * real_pred[0], so Adam counts it for the biases that the penalty does not reach too."""
    it = gpen()
    update = updater(it)
    it.train_step(pictures(), 0, update)
    state = update.state()
    counted = [state[key] for key in state if key.startswith("discriminator/") and "beta2_pow" in key]
    assert len(counted) == len(it.trainable["discriminator"])
    np.testing.assert_allclose(counted, np.full_like(counted, 0.99**3), rtol=1e-5)


def test_the_first_gradient_where_what_is_concatenated_is_exactly_zero():
    """Noise weight and bias start at 0: the slope there is 0.2 in both forms of the forward, as of the CUDA kernel."""
    it = gpen()
    layer = it.generator.generator.conv1
    x, style, noise = paddle.randn([2, 16, 4, 4]), paddle.randn([2, 16]), paddle.ones([2, 16, 4, 4])
    for second_order in (False, True):
        layer.clear_gradients()
        out = layer(x, style, noise, second_order)
        assert float(out[:, 16:].abs().max()) == 0
        out.sum().backward()
        np.testing.assert_allclose(layer.activate.bias.grad.numpy()[16:], 2 * 16 * 0.2 * 2**0.5, rtol=1e-5)
        np.testing.assert_allclose(layer.noise.weight.grad.numpy(), 16 * 2 * 16 * 0.2 * 2**0.5, rtol=1e-5)


def test_groups_are_the_two_networks():
    it = gpen()
    ids = {name: {id(p) for p in parameters} for name, parameters in it.trainable.items()}
    assert ids["encoder"] | ids["decoder"] == {id(p) for p in it.generator.parameters()}
    assert not ids["encoder"] & ids["decoder"]
    assert ids["decoder"] == {id(p) for p in it.generator.generator.parameters()}
    assert ids["discriminator"] == {id(p) for p in it.discriminator.parameters()}


def test_intervals_of_the_penalties():
    it = gpen(r1_every=2, path_every=3)
    update = updater(it)
    for step in range(7):
        r1 = {"discriminator/r1"} if step in (0, 2, 4, 6) else set()
        path = {"generator/path"} if step in (0, 3, 6) else set()
        assert it.train_step(pictures(), step, update).keys() == ALWAYS | r1 | path
    it = gpen(r1_every=0, path_every=0)
    assert it.train_step(pictures(), 0, updater(it)).keys() == ALWAYS


def margin(it, batch):
    """How much more real the discriminator finds the real pictures."""
    fake = it.generator(it.network_input(batch["degraded"]))
    return float((it.discriminator(to_signed(batch["image"])) - it.discriminator(fake)).mean())


class Only:
    """Passes on the updates of some groups."""

    def __init__(self, update, names):
        self.update, self.names = update, names

    def __call__(self, names, loss, reaches_all=False):
        if names == self.names:
            self.update(names, loss)


@pytest.mark.parametrize(("names", "sign"), [("discriminator", 1), (("encoder", "decoder"), -1)])
def test_direction_of_each_update(names, sign):
    batch, it = pictures(), gpen(r1_every=0, path_every=0, pixel_weight=0.0)
    before = margin(it, batch)
    it.train_step(batch, 1, Only(updater(it, lr=1e-4), names))
    assert sign * (margin(it, batch) - before) > 0


def test_pixel_loss_learns():
    it = gpen(adversarial_weight=0.0, r1_every=0, path_every=0)
    batch, update = pictures(), updater(it, lr=2e-3)
    losses = [float(it.train_step(batch, step, update)["generator/pixel"]) for step in range(8)]
    assert losses[-1] < 0.8 * losses[0]


def test_without_adversarial_weight_the_discriminator_rests():
    it = gpen(adversarial_weight=0.0)
    record = Recorder(it)
    assert it.train_step(pictures(), 0, record).keys() == {"generator/loss", "generator/pixel", "generator/path"}
    assert [names for names, _, _ in record.calls] == [("encoder", "decoder")] * 2
    assert all("discriminator" not in moved for _, _, moved in record.calls)


def test_discriminator_judges_what_the_generator_made_of_the_degraded_picture():
    it, batch = gpen(), pictures()
    found = {}
    it.train_step(batch, 1, lambda names, loss: found.setdefault(names, float(loss)))
    with paddle.no_grad():
        fake = it.generator(2 * batch["degraded"] - 1)
        real = 2 * batch["image"] - 1
        wanted = discriminator_logistic(it.discriminator(real), it.discriminator(fake))
        pixel = paddle.nn.functional.smooth_l1_loss(fake, real)
        adversarial = paddle.nn.functional.softplus(-it.discriminator(fake)).mean()
    assert found["discriminator"] == pytest.approx(float(wanted), rel=1e-5)
    assert found[("encoder", "decoder")] == pytest.approx(float(pixel + adversarial), rel=1e-5)


def test_path_length_mean_moves_by_its_decay():
    it = gpen(path_decay=0.25)
    means = []
    update = updater(it, lr=1e-9)
    for _ in range(3):
        paddle.seed(1)  # the same noise, so the same lengths
        it.train_step(pictures(), 0, update)
        means.append(float(it.state["path_length_mean"]))
    assert means[0] > 0
    assert means == pytest.approx([means[0], 1.75 * means[0], 2.3125 * means[0]], rel=1e-3)
    it.train_step(pictures(), 1, update)
    assert float(it.state["path_length_mean"]) == means[-1]


def test_average_follows_the_generator():
    it = gpen()
    ema = EMA({name: it.networks[name] for name in it.averaged}, 0.9)
    assert set(it.averaged) == {"generator"}
    start = [p.numpy().copy() for p in it.generator.parameters()]
    it.train_step(pictures(), 0, updater(it))
    ema.update(it.networks)
    for old, new, average in zip(start, it.generator.parameters(), ema.networks["generator"].parameters(), strict=True):
        np.testing.assert_allclose(average.numpy(), 0.9 * old + 0.1 * new.numpy(), atol=1e-6)


class Batches:
    """Pictures that follow from the step."""

    def epoch(self, step):
        return 0

    def iterate(self, first_step, last_step):
        for step in range(first_step, last_step):
            yield pictures(step)


def trainer(folder, steps, resume=False):
    settings = configuration.load(
        ROOT / "configs" / "gpen_lite.yaml",
        [
            *((f"recipe.{key}", value, key) for key, value in RECIPE.items()),
            *(
                (f"train.{key}", value, key)
                for key, value in {
                    "steps": steps,
                    "log_every": 1,
                    "save_every": 0,
                    "preview_every": 0,
                    "validate_every": 0,
                }.items()
            ),
        ],
    )
    folder.mkdir(exist_ok=True)
    it = Trainer(settings, build_system(settings), folder, Batches())
    if resume:
        it.resume(checkpoint.newest_checkpoint(folder))
    return it


def test_path_length_mean_is_resumed(tmp_path):
    whole, parts = trainer(tmp_path / "whole", 7), trainer(tmp_path / "parts", 5)
    whole.run(), parts.run()
    saved = checkpoint.load_checkpoint(tmp_path / "parts" / "step_0000005").train_state["state/path_length_mean"]
    assert saved == float(parts.system.state["path_length_mean"]) > 0
    again = trainer(tmp_path / "parts", 7, resume=True)
    assert float(again.system.state["path_length_mean"]) == saved
    again.run()
    for name in ("state/path_length_mean", "optimizer/decoder/0/moment2_0"):
        values = [
            checkpoint.load_checkpoint(tmp_path / part / "step_0000007").train_state[name]
            for part in ("whole", "parts")
        ]
        np.testing.assert_array_equal(*values)


@in_float64()
def losses(steps):
    """Rows of the logged totals from a fixed start; - for none. In float64, which no rounding leads astray."""
    it = gpen()
    update, rows = updater(it), []
    for step in range(steps):
        paddle.seed(step)
        batch = pictures(step)
        batch |= {name: batch[name].astype("float64") for name in batch if name != "name"}
        found = it.train_step(batch, step, update)
        names = ("generator/loss", "discriminator/loss", "discriminator/r1", "generator/path")
        rows.append([f"{float(found[name]):.6g}" if name in found else "-" for name in names])
    return rows


def test_losses_of_twenty_steps():
    """Made by `python -m tests.system.test_gpen`; a change of it goes with its reason in a commit of its own."""
    wanted = [line.split() for line in TRACE.read_text().splitlines() if not line.startswith("#")]
    assert len(wanted) == 20
    for step, (row, found) in enumerate(zip(wanted, losses(20), strict=True)):
        for expected, value in zip(row, found, strict=True):
            assert value == expected or float(value) == pytest.approx(float(expected), rel=2e-6), (step, row, found)


@pytest.mark.parametrize("change", [{"narrow": 0}, {"mapping_layers": 0}, {"r1_every": -1}, {"channel_multiplier": 0}])
def test_sizes_and_intervals_have_bounds(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        gpen(**change)


if __name__ == "__main__":
    header = "# generator/loss discriminator/loss discriminator/r1 generator/path; see tests/system/test_gpen.py\n"
    TRACE.write_text(header + "".join(" ".join(row) + "\n" for row in losses(20)))
