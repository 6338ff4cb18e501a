"""One training step of GFP-GAN: who moves when, which loss reaches which network, parts, prior, noise, files."""

import logging
from pathlib import Path

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from engine.images import from_signed, to_signed
from engine.run_config import OptimizerConfig
from engine.training import checkpoint
from engine.training.updater import Updater
from loss.adversarial import discriminator_logistic
from loss.facial_parts import PARTS, crop_size, crops
from loss.identity import GreyIdentityLoss
from loss.perceptual import PerceptualLoss
from loss.pixel import l1
from loss.regularization import r1_penalty
from model.backbones.arcface import ResNet18ArcFace
from model.backbones.vgg import VGG
from model.shared.basicsr_stylegan2 import StyleGAN2Generator
from system import gfpgan_weights
from system.gfpgan import GENERATORS, GFPGAN
from tests.parity.runs import in_float64

TRACE = Path(__file__).resolve().parents[1] / "assets" / "losses" / "gfpgan_smoke.txt"
SIZE, BATCH = 32, 2
NO_WEIGHTS = {
    f"{name}_weight": 0.0
    for name in ("pixel", "pyramid", "perceptual", "style", "adversarial", "part", "part_style", "identity")
}
RECIPE = {
    "form": "original",
    "size": SIZE,
    "channel_multiplier": 1,
    "narrow": 1 / 32,
    "discriminator_multiplier": 1,
    "style_dim": 16,
    "mapping_layers": 2,
    "fixes_decoder": False,
    **NO_WEIGHTS,
    "pixel_weight": 0.1,
    "pyramid_weight": 1.0,
    "pyramid_steps": 10,
    "adversarial_weight": 0.1,
    "part_weight": 1.0,
    "part_style_weight": 200.0,
    "r1_gamma": 10.0,
    "r1_every": 2,
}
CRITICS = [f"{part}_discriminator" for part in PARTS]
SIMPLE = {"part_weight": 0.0, "part_style_weight": 0.0}


def gfpgan(is_prepared=True, **changes):
    paddle.seed(2)
    with paddle.utils.unique_name.guard():
        it = GFPGAN(GFPGAN.Config(**RECIPE | changes))
        if is_prepared:
            it.prepare_training()
    return it


def pictures(seed=0, visible=((1, 1, 1), (1, 1, 1))):
    """Colour ramps of random directions, the same with noise, and boxes of the parts."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    slopes = random.uniform(-1, 1, (2, BATCH, 3, 1, 1))
    image = (0.5 + 0.5 * (slopes[0] * x + slopes[1] * y)).astype(np.float32)
    degraded = np.clip(image + 0.2 * random.standard_normal(image.shape), 0, 1).astype(np.float32)
    boxes = np.float32([[[9, 12, 15, 18], [18, 12, 24, 18], [11, 20, 20, 28]]] * BATCH)
    arrays = {"image": image, "degraded": degraded, "boxes": boxes, "visible": np.float32(visible)}
    return {key: paddle.to_tensor(array) for key, array in arrays.items()} | {"name": [f"{seed}"] * BATCH}


def updater(it, lr=1e-3):
    adam = OptimizerConfig(kind="adam", lr=lr, beta1=0.0, beta2=0.99, epsilon=1e-8)
    return Updater(dict.fromkeys(it.trainable, adam), it.trainable)


def values(it):
    return {f"{name}/{key}": p.numpy().copy() for name, net in it.networks.items() for key, p in net.named_parameters()}


def moved(before, after):
    return {key for key, array in before.items() if not np.array_equal(array, after[key])}


class Recorder:
    """An Updater that notes names, loss, and the parameters each call moved."""

    def __init__(self, it, lr=1e-3):
        self.update, self.it, self.calls = updater(it, lr), it, []

    def float32(self):
        return self.update.float32()

    def __call__(self, name, loss):
        before = values(self.it)
        self.update(name, loss)
        self.calls.append((name, float(loss), moved(before, values(self.it))))


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


class TinyVGG(paddle.nn.Layer):
    """In the place of VGG-19: as many features as there are layers, of one convolution."""

    def __init__(self):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 4, 3, padding=1)

    def forward(self, image):
        return {name: self.conv(image) * (i + 1) for i, name in enumerate(PerceptualLoss.LAYERS)}


class TinyFace(paddle.nn.Layer):
    """In the place of ArcFace: 8 features of the grey picture."""

    def __init__(self):
        super().__init__()
        self.project = paddle.nn.Linear(64, 8)

    def forward(self, face):
        return self.project(paddle.nn.functional.avg_pool2d(face, 16).reshape([face.shape[0], -1]))


def with_losses(**changes):
    it = gfpgan(when_missing="skip", **changes)
    paddle.seed(8)
    it.perceptual = PerceptualLoss(TinyVGG()) if it.config.perceptual_weight or it.config.style_weight else None
    paddle.seed(9)
    it.identity = GreyIdentityLoss(TinyFace()) if it.config.identity_weight else None
    return it


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


def test_fixed_decoder_stays_and_the_rest_learns():
    it = gfpgan(fixes_decoder=True, **SIMPLE)
    decoder = {id(p) for p in it.generator.stylegan_decoder.parameters()}
    assert not decoder & {id(p) for p in it.trainable["generator"]}
    record = Recorder(it)
    it.train_step(pictures(), 0, record)
    wanted = {f"generator/{key}" for key, p in it.generator.named_parameters() if id(p) not in decoder}
    assert record.calls[0][2] == wanted
    assert not any(p.stop_gradient for p in it.trainable["generator"])


@pytest.mark.parametrize("form", ["original", "bilinear"])
def test_prior_is_loaded_into_the_decoder_with_a_report(tmp_path, caplog, form):
    paddle.seed(11)
    prior = {key: value.numpy() for key, value in StyleGAN2Generator(SIZE, 16, 2, 1, 1 / 32).state_dict().items()}
    path = tmp_path / "prior.pdparams"
    checkpoint.write_weights(path, {f"params_ema/{key}": array for key, array in prior.items()})
    it = gfpgan(False, form=form, decoder_weights=path, fixes_decoder=True, **SIMPLE)
    encoder = it.generator.conv_body_first[0].weight.numpy()
    with caplog.at_level(logging.INFO, logger="kintsugi"):
        it.prepare_training()
    for key, value in it.generator.stylegan_decoder.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), prior[key])
    np.testing.assert_array_equal(it.generator.conv_body_first[0].weight.numpy(), encoder)
    elements = sum(array.size for array in prior.values())
    assert f"loaded into the decoder: {len(prior)} arrays (7 of them noise), {elements} elements" in caplog.text
    with pytest.raises(InputError, match="prior.pdparams: weights of another size"):
        gfpgan(decoder_weights=path, narrow=1 / 16)
    with pytest.raises(InputError, match="none.pth: cannot be read"):
        gfpgan(decoder_weights=tmp_path / "none.pth")


def test_noise_is_drawn_in_training_and_stored_in_evaluation():
    it, batch = gfpgan(**SIMPLE), pictures()
    for key, parameter in it.generator.named_parameters():
        if ".style_conv" in key and parameter.shape == [1]:
            parameter.set_value(paddle.full([1], 0.5))
    degraded = to_signed(batch["degraded"])
    assert np.abs((it.generator(degraded)[0] - it.generator(degraded)[0]).numpy()).max() > 1e-3
    it.generator.eval()
    first = it.generate(batch, it.networks)["restored"].numpy()
    np.testing.assert_array_equal(first, it.generate(batch, it.networks)["restored"].numpy())
    noises = it.generator.stylegan_decoder.noises
    noises.noise6.set_value(noises.noise6 + 1.0)
    assert np.abs(it.generate(batch, it.networks)["restored"].numpy() - first).max() > 1e-3


def test_missing_loss_networks(tmp_path, caplog):
    missing = {
        "identity_weight": 1.0,
        "identity_network": tmp_path / "face.pdparams",
        "style_weight": 1.0,
        "perceptual_network": tmp_path / "vgg.pdparams",
    }
    it = gfpgan(False, **missing)  # predicting needs none of them
    with pytest.raises(InputError, match="vgg.pdparams: missing; .*recipe.when_missing: skip"):
        it.prepare_training()
    it = gfpgan(False, **missing, when_missing="skip")
    with caplog.at_level(logging.WARNING, logger="kintsugi"):
        it.prepare_training()
    assert "perceptual: off" in caplog.text and "identity: off" in caplog.text
    assert it.log_header == {"perceptual": "off", "identity": "off"}
    assert {"generator/identity", "generator/style"} & it.train_step(pictures(), 1, updater(it)).keys() == set()


def test_loss_networks_are_read_from_official_files(tmp_path, monkeypatch):
    """A VGG file has more layers than are used; ArcFace's keys begin with "module."."""
    small = {"conv1_2": 0.1}
    monkeypatch.setattr(PerceptualLoss, "LAYERS", small)
    vgg = {key: value.numpy() for key, value in VGG(19, ["conv2_1"]).state_dict().items()}
    checkpoint.write_weights(tmp_path / "vgg.pdparams", vgg)
    face = TinyFace()
    checkpoint.write_weights(
        tmp_path / "face.pdparams",
        {"module.project.weight": face.project.weight.numpy().T, "module.project.bias": face.project.bias.numpy()},
    )
    monkeypatch.setattr(gfpgan_weights, "ResNet18ArcFace", TinyFace)
    it = gfpgan(
        False,
        perceptual_weight=1.0,
        perceptual_network=tmp_path / "vgg.pdparams",
        identity_weight=1.0,
        identity_network=tmp_path / "face.pdparams",
        **SIMPLE,
    )
    it.prepare_training()
    assert it.log_header == {"perceptual": "on", "identity": "on"}
    np.testing.assert_array_equal(it.perceptual.network.features[2].weight.numpy(), vgg["features.2.weight"])
    np.testing.assert_array_equal(it.identity.backbone.project.weight.numpy(), face.project.weight.numpy())
    assert all(p.stop_gradient for p in it.perceptual.network.parameters() + it.identity.backbone.parameters())
    assert it.networks.keys() == {"generator", "discriminator"}
    assert issubclass(ResNet18ArcFace, paddle.nn.Layer)


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


def test_generate_takes_and_gives_0_to_1():
    it, batch = gfpgan(**SIMPLE), pictures()
    it.generator.eval()
    batch["degraded"] = batch["degraded"] * 4 - 1  # far out, so that something is clipped
    found = it.generate(batch, it.networks)["restored"].numpy()
    linear = from_signed(it.generator(to_signed(batch["degraded"]))[0]).numpy()
    np.testing.assert_allclose(found, linear.clip(0, 1), atol=1e-6)
    assert found.shape == (BATCH, 3, SIZE, SIZE)


@pytest.mark.parametrize("form", GENERATORS)
def test_exported_form_computes_generate(form):
    it, batch = gfpgan(form=form, **SIMPLE), pictures()
    it.generator.eval()
    exported = it.inference(it.networks)[""]
    wanted = it.generate(batch, it.networks)["restored"].numpy()
    with paddle.no_grad():
        np.testing.assert_allclose(exported.built()(batch["degraded"]).numpy(), wanted, atol=1e-5)
        np.testing.assert_array_equal(exported.reference(batch["degraded"]).numpy(), wanted)
    assert 0.01 < wanted.std()


def test_pictures_of_another_size_are_one_line():
    with pytest.raises(InputError, match=r"pictures are 16 x 16, the network takes 32 x 32; data.\*.image_size"):
        gfpgan(**SIMPLE).network_input(paddle.zeros([1, 3, 16, 16]))


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
