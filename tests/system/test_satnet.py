"""One training step of SATNet: who moves when, what every term is and reaches, which direction is which."""

import numpy as np
import paddle
import pytest

from engine.errors import InputError
from loss.adversarial import discriminator_loss
from system.satnet import OTHER
from tests.system.small_satnet import (
    BATCH,
    CRITICS,
    GENERATORS,
    NONE,
    PLAIN,
    RECIPE,
    SIZE,
    STYLE,
    Recorder,
    parts,
    pictures,
    reached,
    satnet,
    updater,
)


def test_discriminators_step_first_and_each_step_moves_its_own_two_networks():
    it = satnet()
    record = Recorder(it)
    scalars = it.train_step(pictures(), 0, record)
    assert [(names, moved) for names, _, moved in record.calls] == [
        ("discriminators", set(CRITICS)),
        ("generators", set(GENERATORS)),
    ]
    assert record.calls[0][1] == pytest.approx(sum(float(scalars[f"{name}/loss"]) for name in CRITICS), rel=1e-5)
    weighted = sum(
        weight * float(scalars[f"{name}/{term}"])
        for name in GENERATORS
        for term, weight in (("image", 10), ("style", 1), ("content", 1), ("cycle", 10), ("adversarial", 1))
    )
    assert record.calls[1][1] == pytest.approx(float(scalars["generators/loss"])) == pytest.approx(weighted, rel=1e-5)


def test_groups_are_the_four_networks():
    it = satnet()
    for group, names in (("generators", GENERATORS), ("discriminators", CRITICS)):
        wanted = {id(p) for name in names for p in it.networks[name].parameters()}
        assert {id(p) for p in it.trainable[group]} == wanted and len(it.trainable[group]) == len(wanted)


@pytest.mark.parametrize(
    ("term", "wanted"),
    [
        ("image", parts("enc_content", "enc_style", "dec", "mlp")),
        ("style", parts("enc_content", "enc_style", "dec", "mlp")),  # of the made picture, so content too
        ("content", parts("enc_content", "dec", "mlp")),
        ("cycle", parts("enc_content", "enc_style", "dec", "mlp")),
        ("adversarial", parts("enc_content", "dec", "mlp")),
    ],
)
def test_every_term_reaches_its_parts_and_no_discriminator(term, wanted):
    assert reached(satnet(**NONE | {f"{term}_weight": 1.0})) == wanted


def test_weights_of_zero_reach_nothing():
    assert reached(satnet(**NONE)) == set()


def test_terms_are_their_definitions(monkeypatch):
    """Every term by hand; a is the caricature, b the photo, as the reference writes them."""
    it, batch = satnet(**PLAIN, gan="lsgan"), pictures()
    drawn = {"caricature": paddle.rand([BATCH, STYLE, 1, 1]), "photo": paddle.rand([BATCH, STYLE, 1, 1])}
    order = iter([*drawn.values()] * 2)
    monkeypatch.setattr(it, "drawn_style", lambda count: next(order))
    found = it.train_step(batch, 0, lambda names, loss: None)
    gen_a, gen_b = it.networks["caricature_generator"], it.networks["photo_generator"]
    dis_a = it.networks["caricature_discriminator"]
    x_a, x_b = batch["caricature"] * 2 - 1, batch["photo"] * 2 - 1
    (c_a, s_a), (c_b, s_b) = gen_a.encode(x_a), gen_b.encode(x_b)
    x_ba, x_ab = gen_a.decode(c_b, drawn["caricature"]), gen_b.decode(c_a, drawn["photo"])
    (c_b_again, s_a_again), (c_a_again, s_b_again) = gen_a.encode(x_ba), gen_b.encode(x_ab)
    wanted = {
        "caricature_generator/image": (gen_a.decode(c_a, s_a) - x_a).abs().mean(),
        "photo_generator/image": (gen_b.decode(c_b, s_b) - x_b).abs().mean(),
        "caricature_generator/style": (s_a_again - drawn["caricature"]).abs().mean(),
        "photo_generator/style": (s_b_again - drawn["photo"]).abs().mean(),
        "caricature_generator/content": (c_b_again - c_b).abs().mean(),
        "photo_generator/content": (c_a_again - c_a).abs().mean(),
        "caricature_generator/cycle": (gen_b.decode(c_b_again, s_b) - x_b).abs().mean(),
        "photo_generator/cycle": (gen_a.decode(c_a_again, s_a) - x_a).abs().mean(),
        "caricature_generator/adversarial": sum((logits - 1).square().mean() for logits in dis_a(x_ba)),
        "caricature_discriminator/loss": sum(
            (fake.square().mean() + (real - 1).square().mean())
            for fake, real in zip(dis_a(x_ba), dis_a(x_a), strict=True)
        ),
    }
    for key, value in wanted.items():
        assert float(found[key]) == pytest.approx(float(value), rel=1e-4), key


@pytest.mark.parametrize("gan", ["hinge", "lsgan", "nsgan"])
@pytest.mark.parametrize(("group", "sign"), [("discriminators", 1), ("generators", -1)])
def test_direction_of_each_update(gan, group, sign, monkeypatch):
    it = satnet(**PLAIN, **NONE | {"adversarial_weight": 1.0}, gan=gan)
    style = paddle.rand([BATCH, STYLE, 1, 1])
    monkeypatch.setattr(it, "drawn_style", lambda count: style)
    batch, update = pictures(), updater(it, lr=1e-4)

    def margin():
        """How much more real the critics find real pictures."""
        total = 0.0
        for domain, source in OTHER.items():
            content = it.networks[f"{source}_generator"].enc_content(batch[source] * 2 - 1)
            fake = it.networks[f"{domain}_generator"].decode(content, style)
            critic = it.networks[f"{domain}_discriminator"]
            pairs = zip(critic(batch[domain] * 2 - 1), critic(fake), strict=True)
            total += sum(float((real - made).mean()) for real, made in pairs)
        return total

    before = margin()
    it.train_step(batch, 0, lambda names, loss: update(names, loss) if names == group else None)
    assert sign * (margin() - before) > 0


def test_r1_is_the_gradient_at_real_pictures_and_adds_half_gamma():
    it, batch = satnet(r1_gamma=6.0), pictures()
    record = Recorder(it)
    critic = it.networks["photo_discriminator"]
    critic.eval()  # spectral vectors stay
    real = batch["photo"] * 2 - 1
    real.stop_gradient = False
    (gradient,) = paddle.grad(sum(logits.mean() for logits in critic(real)) * BATCH, real)
    scalars = it.train_step(batch, 0, record)
    assert float(scalars["photo_discriminator/r1"]) == pytest.approx(float(gradient.square().sum()) / BATCH, rel=1e-4)
    wanted = sum(float(scalars[f"{name}/loss"]) + 6 / 2 * float(scalars[f"{name}/r1"]) for name in CRITICS)
    assert record.calls[0][1] == pytest.approx(wanted, rel=1e-5)
    assert not any(key.endswith("/r1") for key in satnet().train_step(batch, 0, lambda names, loss: None))


def test_with_critic_crop_every_look_is_a_crop_at_a_place_of_its_own(monkeypatch):
    it, looks = satnet(critic_crop=3, r1_gamma=1.0), []
    for name in CRITICS:
        critic = it.networks[name]
        monkeypatch.setattr(critic, "forward", lambda image, judge=critic.forward: looks.append(image) or judge(image))
    numbered = paddle.arange(SIZE[0] * SIZE[1], dtype="float32").reshape(SIZE) / 1000
    batch = pictures() | {name: numbered.expand([BATCH, 3, *SIZE]) for name in OTHER}
    places, made = set(), []
    for step in range(25):
        looks.clear()
        paddle.seed(step)
        it.train_step(batch, step, lambda names, loss: None)
        assert [tuple(look.shape[2:]) for look in looks] == [(SIZE[0] - 3, SIZE[1] - 3)] * 6
        for real in (looks[1], looks[3]):  # fake and real of each domain, then what the generators made
            row, column = divmod(round(float(real[0, 0, 0, 0] + 1) * 500), SIZE[1])
            crop = numbered[row : row + SIZE[0] - 3, column : column + SIZE[1] - 3]
            np.testing.assert_allclose(real[1, 2].numpy(), crop.numpy() * 2 - 1, atol=1e-6)
            places.add((row, column))
        made.append(looks[4])
    assert {row for row, _ in places} == {column for _, column in places} == {0, 1, 2, 3}
    assert len(places) > 8
    paddle.seed(0)
    assert satnet().seen(made[0]) is made[0]
    with pytest.raises(ValueError, match=r"\[20, 16\] less critic_crop 12 is too small"):
        satnet(critic_crop=12)


def test_discriminators_judge_fresh_styles_of_the_other_sources_content():
    it, batch = satnet(), pictures()
    losses = [it.critic_losses({domain: batch[domain] * 2 - 1 for domain in OTHER}) for _ in range(2)]
    assert float(losses[0]["photo"]["loss"]) != float(losses[1]["photo"]["loss"])
    assert all(p.grad is None for name in GENERATORS for p in it.networks[name].parameters())
    sum(terms["loss"] for terms in losses[0].values()).backward()
    assert all(p.grad is None for name in GENERATORS for p in it.networks[name].parameters())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_size": (21, 16)}, "multiples of 2"),
        ({"image_size": (16, 12)}, "at least 16"),
        ({"discriminator": RECIPE["discriminator"] | {"num_scales": 5}}, "too small"),
        ({"same_identity_weight": 1.0}, "identity.mode"),
        ({"identity": {"mode": "kd"}}, "num_classes"),
    ],
)
def test_impossible_settings_are_named(change, reason):
    with pytest.raises(ValueError, match=reason):
        satnet(**change)


def test_pictures_of_another_size_are_one_line():
    with pytest.raises(InputError, match=r"pictures are 8 x 8, the networks take 20 x 16; data.\*.image_size"):
        satnet().network_input(paddle.zeros([1, 3, 8, 8]))


def test_learns_to_draw_its_own_domains():
    it = satnet(**NONE | {"image_weight": 1.0})
    update, batch = updater(it, lr=3e-3), pictures()
    losses = [float(it.train_step(batch, step, update)["photo_generator/image"]) for step in range(12)]
    assert losses[-1] < 0.7 * losses[0]


def test_hinge_of_the_discriminators_is_the_shared_loss():
    it, batch = satnet(**PLAIN), pictures()
    critic, image = it.networks["photo_discriminator"], batch["photo"] * 2 - 1
    real, fake = critic(image), critic(-image)
    by_hand = sum((1 - r).clip(min=0).mean() + (1 + f).clip(min=0).mean() for r, f in zip(real, fake, strict=True))
    assert float(discriminator_loss("hinge", real, fake)) == pytest.approx(float(by_hand), rel=1e-6)


def test_forwards_come_in_the_seeds_order():
    """What power iterations of spectral norms see: trainer.py of MUNIT and of the seed, dis_update, gen_update."""
    it, seen = satnet(**PLAIN), []
    names = {"caricature": "a", "photo": "b"}
    for domain, short in names.items():
        generator, critic = it.networks[f"{domain}_generator"], it.networks[f"{domain}_discriminator"]
        for part in ("enc_content", "dec"):
            getattr(generator, part).register_forward_pre_hook(lambda *_, what=f"{part} {short}": seen.append(what))
        critic.register_forward_pre_hook(
            lambda _, inputs, what=f"critic {short}": seen.append(f"{what} {'real' if is_real(inputs[0]) else 'fake'}")
        )
    batch = pictures()
    reals = [(batch[domain] * 2 - 1).numpy() for domain in names]

    def is_real(image):
        return any(np.array_equal(image.numpy(), real) for real in reals)

    it.train_step(batch, 0, lambda name, loss: None)
    assert [one for one in seen if one.startswith("critic")] == [
        "critic a fake", "critic a real", "critic b fake", "critic b real", "critic a fake", "critic b fake",
    ]  # fmt: skip
    generators = [one for one in seen if not one.startswith("critic")]
    after_critics = generators[4:]
    assert after_critics[:2] == ["enc_content a", "enc_content b"]
    assert after_critics[2:6] == ["dec a", "dec b", "dec a", "dec b"]
    assert after_critics[6:8] == ["enc_content a", "enc_content b"]
    assert sorted(after_critics[8:]) == ["dec a", "dec b"]
