"""One training step of GFP-GAN: who moves when, which loss reaches which network, the parts, recorded losses."""

from pathlib import Path

import numpy as np
import paddle
import pytest

from engine.images import to_signed
from loss.adversarial import discriminator_logistic
from loss.facial_parts import PARTS, crop_size, crops
from loss.pixel import l1
from loss.regularization import r1_penalty
from tests.parity.runs import in_float64
from tests.system.small_gfpgan import (
    BATCH,
    NO_WEIGHTS,
    SIMPLE,
    SIZE,
    Recorder,
    gfpgan,
    moved,
    pictures,
    updater,
    values,
    with_losses,
)

TRACE = Path(__file__).resolve().parents[1] / "assets" / "losses" / "gfpgan_smoke.txt"
CRITICS = [f"{part}_discriminator" for part in PARTS]


class Gradients:
    """Takes the place of an Updater: keeps the generator's gradients, moves nothing."""

    def __init__(self, it):
        self.it = it

    def float32(self):
        return paddle.no_grad()

    def __call__(self, name, loss):
        if name == "generator":
            loss.backward()
            self.found = {
                key: np.zeros(p.shape, np.float32) if p.grad is None else p.grad.numpy()
                for key, p in self.it.generator.named_parameters()
            }
            others = [p for key, net in self.it.networks.items() if key != "generator" for p in net.parameters()]
            assert all(p.grad is None for p in others)


def generator_gradient(**weights):
    it = with_losses(**NO_WEIGHTS | weights, r1_every=0)
    gradients = Gradients(it)
    paddle.seed(5)  # the same noise
    it.train_step(pictures(), 0, gradients)
    return gradients.found


def test_order_of_the_updates_and_what_each_moves():
    it = gfpgan(r1_first=0)
    record = Recorder(it)
    scalars = {key: float(value) for key, value in it.train_step(pictures(), 0, record).items()}
    assert [name for name, _, _ in record.calls] == ["generator", "discriminator", *CRITICS]
    unused = {f"generator/stylegan_decoder.style_mlp.{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")}
    for name, loss, found in record.calls:
        own = {key for key in values(it) if key.startswith(f"{name}/")}
        assert found == own - unused, name  # w comes from the U-Net: the mapping network has no say
        if name != "discriminator":
            assert loss == pytest.approx(scalars[f"{name}/loss"])
    joined = scalars["discriminator/loss"] + 10 / 2 * 2 * scalars["discriminator/r1"]  # one step for both
    assert record.calls[1][1] == pytest.approx(joined)


@pytest.mark.slow
def test_trained_networks_move_and_decrease_what_they_minimise():
    it, batch = gfpgan(r1_every=0), pictures()
    update, start = updater(it, lr=2e-3), values(it)
    paddle.seed(0)
    first, last = it.train_step(batch, 0, update), None
    for step in range(1, 8):
        last = it.train_step(batch, step, update)
    assert float(last["generator/pyramid"]) < 0.9 * float(first["generator/pyramid"])
    assert float(last["generator/pixel"]) < 0.9 * float(first["generator/pixel"])
    for name in it.networks:
        assert any(key.startswith(f"{name}/") for key in moved(start, values(it)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "term", ["pixel", "pyramid", "perceptual", "style", "adversarial", "part", "part_style", "identity"]
)
def test_every_term_reaches_the_generator_by_its_weight(term):
    """Doubling one weight adds that term's own gradient; all but the pyramid's pass through decoder and U-Net."""
    base = {
        "pixel_weight": 1.0,
        "pyramid_weight": 1.0,
        "adversarial_weight": 1.0,
        "part_weight": 1.0,
        "part_style_weight": 1.0,
        "perceptual_weight": 1.0,
        "style_weight": 1.0,
        "identity_weight": 1.0,
    }
    name = f"{term}_weight"
    alone = generator_gradient(**{name: 1.0})
    one, two = generator_gradient(**base), generator_gradient(**base | {name: 2.0})
    scale = max(np.abs(gradient).max() for gradient in one.values())
    for key, wanted in alone.items():
        np.testing.assert_allclose(two[key] - one[key], wanted, atol=2e-6 * scale + 1e-7, err_msg=key)
    reached = {key for key, gradient in alone.items() if np.abs(gradient).max() > 0}
    for part in ("conv_body_first", "conv_body_up", "final_conv"):
        assert any(key.startswith(part) for key in reached)
    is_pyramid = term == "pyramid"
    assert any(key.startswith("toRGB") for key in reached) == is_pyramid
    for part in ("stylegan_decoder", "condition_scale", "condition_shift", "final_linear"):
        assert any(key.startswith(part) for key in reached) != is_pyramid


def test_logged_total_is_the_weighted_sum():
    weights = {
        "pixel": 0.3,
        "pyramid": 0.7,
        "perceptual": 1.1,
        "style": 5.0,
        "adversarial": 0.2,
        "part": 0.4,
        "part_style": 30.0,
        "identity": 2.0,
    }
    it = with_losses(**{f"{name}_weight": value for name, value in weights.items()})
    scalars = it.train_step(pictures(), 1, updater(it))
    found = {name: float(scalars[f"generator/{name}"]) for name in weights}
    assert float(scalars["generator/loss"]) == pytest.approx(sum(weights[n] * found[n] for n in weights), rel=1e-5)


def test_pyramid_ends_at_its_step():
    it = gfpgan(pyramid_steps=3, **SIMPLE)
    for step, has in ((0, True), (2, True), (3, False), (7, False)):
        record = Recorder(it)
        assert ("generator/pyramid" in it.train_step(pictures(), step, record)) == has
        assert any("toRGB" in key for key in record.calls[0][2]) == has
    assert "generator/pyramid" not in gfpgan(pyramid_weight=0.0, **SIMPLE).train_step(pictures(), 0, updater(it))


def test_r1_every_so_many_steps_joins_the_discriminators_loss():
    it, batch = gfpgan(r1_every=3, **SIMPLE), pictures()
    update = updater(it)
    has = ["discriminator/r1" in it.train_step(batch, step, update) for step in range(6)]
    assert has == [False, False, True, False, False, True]  # BasicSR calls the first step 1
    real = to_signed(batch["image"])
    real.stop_gradient = False
    wanted = float(r1_penalty(it.discriminator(real), real))
    assert float(it.train_step(batch, 8, update)["discriminator/r1"]) == pytest.approx(wanted, rel=1e-5)
    assert "discriminator/r1" not in gfpgan(r1_every=0, **SIMPLE).train_step(batch, 0, updater(it))


@pytest.mark.parametrize(("first", "steps"), [(None, [15, 31]), (0, [0, 16, 32]), (20, [20, 36])])
def test_first_step_with_r1(first, steps):
    it = gfpgan(r1_every=16, r1_first=first, **SIMPLE)
    assert [step for step in range(40) if it.is_r1_step(step)] == steps
    assert not any(map(gfpgan(r1_every=0, r1_first=first, **SIMPLE).is_r1_step, range(40)))


def test_discriminators_judge_the_generators_output_before_its_step():
    it, batch = gfpgan(r1_every=0), pictures()
    real, found = to_signed(batch["image"]), {}
    paddle.seed(4)
    it.train_step(batch, 1, lambda name, loss: found.setdefault(name, float(loss)))
    paddle.seed(4)
    with paddle.no_grad():
        fake = it.generator(to_signed(batch["degraded"]), it.noise)[0]
        assert found["discriminator"] == pytest.approx(
            float(discriminator_logistic(it.discriminator(real), it.discriminator(fake))), rel=1e-5
        )
        for i, part in enumerate(PARTS):
            pair = [
                it.parts[part](crops(picture, batch["boxes"][:, i], crop_size(part, SIZE)))[0]
                for picture in (real, fake)
            ]
            assert found[f"{part}_discriminator"] == pytest.approx(float(discriminator_logistic(*pair)), rel=1e-5)
        assert float(l1(fake, real)) > 0


def test_faces_without_a_visible_part_train_on():
    it = gfpgan(r1_every=0)
    record = Recorder(it)
    scalars = it.train_step(pictures(visible=((1, 0, 0), (1, 1, 0))), 0, record)
    assert [float(scalars[f"{name}/loss"]) > 0 for name in CRITICS] == [True, True, False]
    assert [bool(found) for _, _, found in record.calls] == [True, True, True, True, False]
    assert np.isfinite(float(scalars["generator/loss"]))
    found = []
    for visible in (((1, 0, 1), (1, 1, 1)), ((1, 1, 1), (1, 1, 1))):  # an unseen eye counts for nothing
        batch = pictures(visible=visible)
        boxes = batch["boxes"].numpy()
        boxes[0, 1] = 0 if visible[0][1] == 0 else boxes[1, 1]
        batch["boxes"] = paddle.to_tensor(boxes)
        regions = gfpgan().regions(batch)
        found.append([weights.numpy().tolist() for _, weights in regions.values()])
    assert found == [[[0.5, 0.5], [0.0, 1.0], [0.5, 0.5]], [[0.5, 0.5]] * 3]


def margin(it, batch):
    """How much more real the discriminator finds the real pictures."""
    paddle.seed(0)
    fake = it.generator(to_signed(batch["degraded"]), it.noise)[0]
    return float((it.discriminator(to_signed(batch["image"])) - it.discriminator(fake)).mean())


class Only:
    """Passes on the updates of one group."""

    def __init__(self, update, name):
        self.update, self.name = update, name

    def __call__(self, name, loss):
        if name == self.name:
            self.update(name, loss)


@pytest.mark.parametrize(("name", "sign"), [("discriminator", 1), ("generator", -1)])
def test_direction_of_each_update(name, sign):
    batch, it = pictures(), gfpgan(r1_every=0, pixel_weight=0.0, pyramid_weight=0.0, **SIMPLE)
    before = margin(it, batch)
    paddle.seed(0)
    it.train_step(batch, 1, Only(updater(it, lr=1e-4), name))
    assert sign * (margin(it, batch) - before) > 0


def part_margin(it, batch, part):
    i = PARTS.index(part)
    paddle.seed(0)
    fake = it.generator(to_signed(batch["degraded"]), it.noise)[0]
    judged = [
        it.parts[part](crops(picture, batch["boxes"][:, i], crop_size(part, SIZE)))[0].mean()
        for picture in (to_signed(batch["image"]), fake)
    ]
    return float(judged[0] - judged[1])


@pytest.mark.parametrize("part", PARTS)
def test_direction_of_the_parts(part):
    changes = {
        "r1_every": 0,
        "pixel_weight": 0.0,
        "pyramid_weight": 0.0,
        "adversarial_weight": 0.0,
        "part_style_weight": 0.0,
    }
    batch = pictures(visible=[[float(part == one) for one in PARTS]] * BATCH)
    for name, sign in ((f"{part}_discriminator", 1), ("generator", -1)):
        it = gfpgan(**changes)
        before = part_margin(it, batch, part)
        paddle.seed(0)
        it.train_step(batch, 1, Only(updater(it, lr=1e-4), name))
        assert sign * (part_margin(it, batch, part) - before) > 0, name


@in_float64()
def losses(steps):
    """Rows of the logged totals from a fixed start; - for none. In float64, which no rounding leads astray."""
    it = gfpgan()
    update, rows = updater(it), []
    for step in range(steps):
        paddle.seed(step)
        batch = pictures(step)
        batch |= {name: batch[name].astype("float64") for name in batch if name != "name"}
        found = it.train_step(batch, step, update)
        names = ("generator/loss", "discriminator/loss", "discriminator/r1", *(f"{name}/loss" for name in CRITICS))
        rows.append([f"{float(found[name]):.6g}" if name in found else "-" for name in names])
    return rows


@pytest.mark.slow
def test_losses_of_ten_steps():
    """Made by `python -m tests.system.test_gfpgan`; a change of it goes with its reason in a commit of its own."""
    wanted = [line.split() for line in TRACE.read_text().splitlines() if not line.startswith("#")]
    assert len(wanted) == 10
    for step, (row, found) in enumerate(zip(wanted, losses(10), strict=True)):
        for expected, value in zip(row, found, strict=True):
            assert value == expected or float(value) == pytest.approx(float(expected), rel=2e-6), (step, row, found)


if __name__ == "__main__":
    header = "# totals: generator, discriminator, R1, left eye, right eye, mouth; see tests/system/test_gfpgan.py\n"
    TRACE.write_text(header + "".join(" ".join(row) + "\n" for row in losses(10)))
