"""One training step of GPEN: who moves when, what is logged, that every weight, interval and file counts."""

import logging
from pathlib import Path

import numpy as np
import paddle
import pytest

import system.gpen
from engine import config as configuration
from engine.errors import InputError
from engine.images import from_signed, to_signed
from engine.run_config import OptimizerConfig
from engine.system import build_system
from engine.training import checkpoint
from engine.training.ema import EMA
from engine.training.trainer import Trainer
from engine.training.updater import Updater
from loss.adversarial import discriminator_logistic
from system.gpen import GPEN
from tests.parity.runs import in_float64

ROOT = Path(__file__).resolve().parents[2]
TRACE = ROOT / "tests" / "assets" / "losses" / "gpen_smoke.txt"
SIZE, BATCH = 8, 2
RECIPE = {
    "size": SIZE,
    "channel_multiplier": 1,
    "narrow": 1 / 32,
    "style_dim": 16,
    "mapping_layers": 2,
    "adversarial_weight": 1.0,
    "pixel_weight": 1.0,
    "pixel_beta": 1.0,
    "feature_weight": 0.0,
    "identity_weight": 0.0,
    "r1_gamma": 10.0,
    "r1_every": 2,
    "path_weight": 2.0,
    "path_every": 4,
    "path_decay": 0.01,
}
ALWAYS = {"generator/loss", "generator/adversarial", "generator/pixel", "discriminator/loss"}


def gpen(**changes):
    paddle.seed(2)
    with paddle.utils.unique_name.guard():
        it = GPEN(GPEN.Config(**RECIPE | changes))
        it.prepare_training()
        return it


def pictures(seed=0, count=BATCH, size=SIZE):
    """Colour ramps of random directions, and the same with noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    slopes = random.uniform(-1, 1, (2, count, 3, 1, 1))
    image = (0.5 + 0.5 * (slopes[0] * x + slopes[1] * y)).astype(np.float32)
    degraded = np.clip(image + 0.2 * random.standard_normal(image.shape), 0, 1).astype(np.float32)
    return {"image": paddle.to_tensor(image), "degraded": paddle.to_tensor(degraded), "name": [f"{seed}"] * count}


def updater(it, lr=1e-3):
    adam = OptimizerConfig(kind="adam", lr=lr, beta1=0.0, beta2=0.99, epsilon=1e-8)
    return Updater(dict.fromkeys(it.trainable, adam), it.trainable)


class Recorder:
    """An Updater that notes names, loss, and the indices of the parameters each call moved."""

    def __init__(self, it, lr=1e-3):
        self.update, self.trainable, self.calls = updater(it, lr), it.trainable, []

    def float32(self):
        return self.update.float32()

    def _values(self):
        return {name: [p.numpy().copy() for p in parameters] for name, parameters in self.trainable.items()}

    def __call__(self, names, loss, reaches_all=False):
        before = self._values()
        self.update(names, loss, reaches_all)
        moved = {
            name: [i for i, (a, b) in enumerate(zip(before[name], after, strict=True)) if not np.array_equal(a, b)]
            for name, after in self._values().items()
        }
        self.calls.append((names, float(loss), {name: found for name, found in moved.items() if found}))


class Gradients:
    """Takes the place of an Updater: keeps the generator's gradients, moves nothing."""

    def __init__(self, it):
        self.it = it

    def __call__(self, names, loss, reaches_all=False):
        if names == ("encoder", "decoder"):
            loss.backward()
            parameters = self.it.trainable["encoder"] + self.it.trainable["decoder"]
            self.found = [np.zeros(p.shape, np.float32) if p.grad is None else p.grad.numpy() for p in parameters]


def generator_gradient(**weights):
    none = {"adversarial_weight": 0.0, "pixel_weight": 0.0, "feature_weight": 0.0, "identity_weight": 0.0}
    it = gpen(**none | weights, r1_every=0, path_every=0)
    gradients = Gradients(it)
    it.train_step(pictures(), 0, gradients)
    assert all(p.grad is None for p in it.discriminator.parameters())
    return gradients.found


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


def test_logged_total_is_the_weighted_sum():
    it = gpen(adversarial_weight=0.3, pixel_weight=7.0, feature_weight=0.5)
    scalars = {key: float(value) for key, value in it.train_step(pictures(), 1, updater(it)).items()}
    assert scalars.keys() == ALWAYS | {"generator/feature"}
    parts = 0.3 * scalars["generator/adversarial"] + 7 * scalars["generator/pixel"] + 0.5 * scalars["generator/feature"]
    assert scalars["generator/loss"] == pytest.approx(parts, rel=1e-5)


class TinyFace(paddle.nn.Layer):
    """In the place of IR-SE50: 8 features of the 112 px crop."""

    def __init__(self):
        super().__init__()
        self.project = paddle.nn.Linear(3 * 49, 8)

    def forward(self, image):
        features = self.project(paddle.nn.functional.avg_pool2d(image, 16).reshape([image.shape[0], -1]))
        return features / features.norm(axis=1, keepdim=True)


@pytest.fixture
def identity_file(tmp_path, monkeypatch):
    monkeypatch.setattr(system.gpen, "IRSE50", TinyFace)
    paddle.seed(8)
    checkpoint.write_weights(tmp_path / "face.pdparams", {k: v.numpy() for k, v in TinyFace().state_dict().items()})
    return tmp_path / "face.pdparams"


@pytest.mark.parametrize("term", ["adversarial", "pixel", "feature", "identity"])
def test_every_term_reaches_the_generator_by_its_weight(term, identity_file):
    """Doubling one weight adds that term's own gradient, which is not zero in encoder and decoder."""
    base = {
        "adversarial_weight": 1.0,
        "pixel_weight": 1.0,
        "feature_weight": 1.0,
        "identity_weight": 1.0,
        "identity_network": identity_file,
    }
    name = f"{term}_weight"
    alone = generator_gradient(**{name: 1.0, "identity_network": identity_file})
    one, two = generator_gradient(**base), generator_gradient(**base | {name: 2.0})
    largest = max(np.abs(gradient).max() for gradient in alone)
    for wanted, a, b in zip(alone, one, two, strict=True):
        np.testing.assert_allclose(b - a, wanted, atol=1e-4 * largest + 1e-7)
    encoders = len(gpen().trainable["encoder"])
    assert largest > 1e-5
    assert max(np.abs(g).max() for g in alone[:encoders]) > 0 and max(np.abs(g).max() for g in alone[encoders:]) > 0


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


def test_missing_identity_network(tmp_path, caplog):
    missing = {"identity_weight": 1.0, "identity_network": tmp_path / "face.pdparams"}
    with pytest.raises(InputError, match="face.pdparams: missing; .*recipe.when_missing: skip") as error:
        gpen(**missing)
    assert "\n" not in str(error.value)
    with caplog.at_level(logging.WARNING, logger="kintsugi"):
        it = gpen(**missing, when_missing="skip")
    assert len(caplog.records) == 1 and "identity: off" in caplog.text
    assert it.log_header == {"identity": "off"}
    assert it.train_step(pictures(), 1, updater(it)).keys() == ALWAYS
    assert gpen(identity_weight=0.0).log_header == {"identity": "off"}


def test_identity_loss_is_on_and_frozen(identity_file):
    it = gpen(identity_weight=1.0, identity_network=identity_file)
    weight = it.identity.backbone.project.weight.numpy().copy()
    assert it.train_step(pictures(), 1, updater(it)).keys() == ALWAYS | {"generator/identity"}
    assert it.log_header == {"identity": "on"} and it.networks.keys() == {"generator", "discriminator"}
    np.testing.assert_array_equal(it.identity.backbone.project.weight.numpy(), weight)


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


def test_generate_takes_and_gives_0_to_1():
    it, batch = gpen(), pictures()
    batch["degraded"] = batch["degraded"] * 4 - 1  # far out, so that something is clipped
    found = it.generate(batch, it.networks)["restored"].numpy()
    linear = from_signed(it.generator(to_signed(batch["degraded"]))).numpy()
    np.testing.assert_allclose(found, linear.clip(0, 1), atol=1e-6)
    assert found.shape == (BATCH, 3, SIZE, SIZE)
    assert set(it.scored) <= {"degraded", "restored"} and set(it.shown) == {"degraded", "restored", "image"}


def test_smaller_input_size():
    it = gpen(size=16, in_size=8)
    batch = pictures(size=16)
    small = it.network_input(batch["degraded"])
    assert small.shape == [BATCH, 3, 8, 8]
    np.testing.assert_allclose(
        small[:, :, 0, 0].numpy(), 2 * batch["degraded"][:, :, :2, :2].mean([2, 3]).numpy() - 1, atol=1e-6
    )
    assert all(np.isfinite(float(value)) for value in it.train_step(batch, 0, updater(it)).values())
    assert it.generate(batch, it.networks)["restored"].shape == [BATCH, 3, 16, 16]
    exported = it.inference(it.networks)[""]
    assert (exported.inputs[0].shape, exported.outputs[0].shape) == ((-1, 3, 8, 8), (-1, 3, 16, 16))


def test_exported_form_computes_generate():
    it, batch = gpen(), pictures()
    exported = it.inference(it.networks)[""]
    wanted = it.generate(batch, it.networks)["restored"].numpy()
    with paddle.no_grad():
        np.testing.assert_allclose(exported.built()(batch["degraded"]).numpy(), wanted, atol=1e-5)
        np.testing.assert_array_equal(exported.reference(batch["degraded"]).numpy(), wanted)


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


if __name__ == "__main__":
    header = "# generator/loss discriminator/loss discriminator/r1 generator/path; see tests/system/test_gpen.py\n"
    TRACE.write_text(header + "".join(" ".join(row) + "\n" for row in losses(20)))


def test_pictures_of_another_size_are_one_line():
    it = gpen()
    with pytest.raises(InputError, match=r"pictures are 16 x 16, the network takes 8 x 8; data.\*.image_size must be"):
        it.network_input(paddle.zeros([1, 3, 16, 16]))


@pytest.mark.parametrize("change", [{"narrow": 0}, {"mapping_layers": 0}, {"r1_every": -1}, {"channel_multiplier": 0}])
def test_sizes_and_intervals_have_bounds(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        gpen(**change)
