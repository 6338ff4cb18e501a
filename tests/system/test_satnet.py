"""One training step of SATNet: who moves when, what every term is and reaches, which direction is which."""

import logging

import numpy as np
import paddle
import pytest

from deploy.export import export
from engine.errors import InputError
from engine.run_config import OptimizerConfig
from engine.training import checkpoint
from engine.training.updater import Updater
from engine.weights.networks import load_networks
from loss.adversarial import discriminator_loss
from loss.face_identity import same_person
from model.sphereface.network import Sphere20a
from system.satnet import OTHER, VARIANTS, SATNet, named_styles

SIZE, BATCH, STYLE = (20, 16), 2, 3
RECIPE = {
    "image_size": SIZE,
    "spectral_init": "all",
    "gan": "hinge",
    "generator": {"dim": 4, "mlp_dim": 8, "style_dim": STYLE, "n_downsample": 1, "n_res": 1, "attention": True},
    "discriminator": {"dim": 8, "n_layer": 2, "num_scales": 2, "norm": "sn", "init": "gaussian", "attention": True},
    "adversarial_weight": 1.0,
    "image_weight": 10.0,
    "style_weight": 1.0,
    "content_weight": 1.0,
    "cycle_weight": 10.0,
    "identity": {"mode": "none"},
    "identity_weight": 0.0,
}
NONE = {f"{term}_weight": 0.0 for term in ("adversarial", "image", "style", "content", "cycle")}
GENERATORS, CRITICS = ([f"{domain}_{kind}" for domain in OTHER] for kind in ("generator", "discriminator"))
PLAIN = {
    "generator": RECIPE["generator"] | {"attention": False},
    "discriminator": RECIPE["discriminator"] | {"attention": False, "norm": "none"},
}


def satnet(**changes):
    paddle.seed(2)
    with paddle.utils.unique_name.guard():
        it = SATNet(SATNet.Config(**RECIPE | changes))
        it.prepare_training()
    for name in GENERATORS:  # its start, 1e-8, lets no gradient through to the rest of the attention
        for key, value in it.networks[name].named_parameters():
            if key.endswith("gamma") and value.shape == [1]:
                value.set_value(paddle.to_tensor([0.5]))
    return it


def pictures(seed=0, people=((0, 1), (0, 2))):
    """Photos with a red ramp, caricatures with blue stripes, and who they show."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / SIZE[0]
    photo = np.stack([random.uniform(0.3, 1, (3, 1, 1)) * y for _ in range(BATCH)])
    caricature = np.stack([random.uniform(0.3, 1, (3, 1, 1)) * (np.sin(20 * x) > 0) for _ in range(BATCH)])
    return {
        "photo": paddle.to_tensor(photo, "float32"),
        "caricature": paddle.to_tensor(caricature, "float32"),
        "identity": paddle.to_tensor(people[0]),
        "caricature_identity": paddle.to_tensor(people[1]),
        "name": [f"{seed}_{i}" for i in range(BATCH)],
    }


def updater(it, lr=1e-3):
    adam = OptimizerConfig(kind="adam", lr=lr, beta1=0.0, beta2=0.9, epsilon=1e-8)
    return Updater(dict.fromkeys(it.trainable, adam), it.trainable)


def weights_of(it):
    return {
        name: {key: p.numpy().copy() for key, p in network.named_parameters()} for name, network in it.networks.items()
    }


class Recorder:
    """An Updater that notes its calls: which optimizer, the loss, the networks that moved."""

    def __init__(self, it):
        self.update, self.it, self.calls = updater(it), it, []

    def __call__(self, names, loss):
        before = weights_of(self.it)
        self.update(names, loss)
        after = weights_of(self.it)
        moved = {name for name in before if any((before[name][key] != after[name][key]).any() for key in before[name])}
        self.calls.append((names, float(loss), moved))


class Gradients:
    """Takes the place of an Updater: keeps the largest gradient of each part of each generator, moves nothing."""

    def __init__(self, it):
        self.it, self.found = it, {}

    def __call__(self, names, loss):
        if names != "generators":
            return
        loss.backward()
        for name, network in self.it.networks.items():
            for key, p in network.named_parameters():
                part = f"{name}.{key.partition('.')[0]}" if name in GENERATORS else name
                size = 0.0 if p.grad is None else float(p.grad.abs().max())
                self.found[part] = max(self.found.get(part, 0.0), size)


def reached(it, batch=None):
    """Parts of the networks that the generators' loss reaches."""
    gradients = Gradients(it)
    it.train_step(batch or pictures(), 0, gradients)
    return {part for part, size in gradients.found.items() if size > 1e-7}


def parts(*names):
    return {f"{generator}.{name}" for generator in GENERATORS for name in names}


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


def test_discriminators_judge_fresh_styles_of_the_other_sources_content():
    it, batch = satnet(), pictures()
    losses = [it.critic_losses({domain: batch[domain] * 2 - 1 for domain in OTHER}) for _ in range(2)]
    assert float(losses[0]["photo"]["loss"]) != float(losses[1]["photo"]["loss"])
    assert all(p.grad is None for name in GENERATORS for p in it.networks[name].parameters())
    sum(terms["loss"] for terms in losses[0].values()).backward()
    assert all(p.grad is None for name in GENERATORS for p in it.networks[name].parameters())


class Stub:
    """In the place of TranslationIdentity: notes what it is asked."""

    def __init__(self):
        self.calls, self.pairs = [], []

    def __call__(self, made, source, labels):
        self.calls.append((source, labels))
        return (made - source).square().mean()

    def same_person(self, made, real, chosen):
        self.pairs.append((real, chosen))
        return (made - real).square().mean()


def test_identity_compares_a_made_picture_with_its_own_source():
    it, batch = satnet(**NONE | {"identity_weight": 2.0}), pictures()
    it.identity = Stub()
    scalars = it.train_step(batch, 0, lambda names, loss: None)
    shown = dict(zip(OTHER, it.identity.calls, strict=True))
    for domain, (source, labels) in shown.items():
        np.testing.assert_allclose(source.numpy(), batch[OTHER[domain]].numpy() * 2 - 1)
        wanted = batch["identity" if domain == "caricature" else "caricature_identity"]
        np.testing.assert_array_equal(labels.numpy(), wanted.numpy())
    total = sum(float(scalars[f"{name}/identity"]) for name in GENERATORS)
    assert float(scalars["generators/loss"]) == pytest.approx(2 * total, rel=1e-5)
    assert reached(it) == parts("enc_content", "dec", "mlp")


def test_same_identity_compares_with_the_real_picture_of_the_same_person():
    changes = NONE | {
        "same_identity_weight": 3.0,
        "identity": {"mode": "cosine", "network": "none.pdparams", "when_missing": "skip"},
    }
    it, batch = satnet(**changes), pictures()
    it.identity = Stub()
    it.train_step(batch, 0, lambda names, loss: None)
    for domain, (real, chosen) in zip(OTHER, it.identity.pairs, strict=True):
        np.testing.assert_allclose(real.numpy(), batch[domain].numpy() * 2 - 1)
        assert chosen.numpy().tolist() == [True, False]


def test_same_person_needs_a_known_identity():
    labels = {"photo": paddle.to_tensor([3, -1, 2]), "caricature": paddle.to_tensor([3, -1, 5])}
    assert same_person(labels).numpy().tolist() == [True, False, False]


def test_swap_counts_pairs_of_one_person():
    it = satnet(**NONE | {"swap_weight": 1.0})
    strangers = pictures(people=((0, 1), (2, 3)))
    scalars = it.train_step(strangers, 0, lambda names, loss: None)
    assert float(scalars["photo_generator/swap"]) == 0 and reached(it, strangers) == set()
    assert float(it.train_step(pictures(), 0, lambda names, loss: None)["photo_generator/swap"]) > 0
    assert reached(it, pictures(people=((0, 1), (0, 1)))) == parts("enc_content", "enc_style", "dec", "mlp")


def test_generate_translates_each_domain_by_the_others_content():
    it, batch = satnet(), pictures()
    for network in it.networks.values():
        network.eval()
    found = it.generate(batch, it.networks)
    styles = named_styles(batch["name"], STYLE)
    for domain, source in OTHER.items():
        content = it.networks[f"{source}_generator"].enc_content(batch[source] * 2 - 1)
        wanted = (it.networks[f"{domain}_generator"].decode(content, styles) + 1) / 2
        np.testing.assert_allclose(found[f"to_{domain}"].numpy(), wanted.numpy(), atol=1e-6)
        assert 0 <= found[f"to_{domain}"].numpy().min() and found[f"to_{domain}"].numpy().max() <= 1
    assert found.keys() == {"to_photo", "to_caricature"} < {*it.shown}


def test_variants_are_several_styles_of_each_picture():
    it, batch = satnet(), pictures()
    for network in it.networks.values():
        network.eval()
    found = it.variants(batch, it.networks)
    assert found.keys() == {"variants_of_photo", "variants_of_caricature"}
    for domain, source in OTHER.items():
        made = found[f"variants_of_{domain}"].numpy()
        assert made.shape == (BATCH, VARIANTS, 3, *SIZE) and 0 <= made.min() and made.max() <= 1
        styles = named_styles([f"{name} variant 2" for name in batch["name"]], STYLE)
        wanted = it.translate(it.networks, domain, batch[source], styles).numpy()
        np.testing.assert_allclose(made[:, 2], wanted, atol=1e-6)
        assert np.abs(made[:, 0] - made[:, 1]).max() > 1e-3


def test_styles_follow_from_names_alone():
    one, two = named_styles(["a", "b"], 4).numpy(), named_styles(["b"], 4).numpy()
    np.testing.assert_array_equal(one[1], two[0])
    many = named_styles([str(i) for i in range(500)], 8).numpy()
    assert abs(many.mean()) < 0.05 and many.std() == pytest.approx(1, abs=0.05)


def test_exported_graphs_are_the_two_directions_and_their_style_encoders():
    it, batch = satnet(), pictures()
    for network in it.networks.values():
        network.eval()
    graphs = it.inference(it.networks)
    assert [graph.outputs[0].name for graph in graphs.values()] == ["caricature", "photo", "style", "style"]
    styles = named_styles(batch["name"], STYLE)
    for name, domain in (("", "caricature"), ("to_photo", "photo")):
        with paddle.no_grad():
            image = batch[OTHER[domain]]
            wanted = it.generate(batch, it.networks)[f"to_{domain}"].numpy()
            np.testing.assert_allclose(graphs[name].layer(image, styles).numpy(), wanted, atol=1e-5)
            np.testing.assert_array_equal(graphs[name].reference(image, styles).numpy(), wanted)
            encoder = graphs[graphs[name].inputs[1].encoder.removeprefix("../")]
            style = it.networks[f"{domain}_generator"].enc_style(batch[domain] * 2 - 1).flatten(1)
            np.testing.assert_allclose(encoder.layer(batch[domain]).numpy(), style.numpy(), atol=1e-6)


def test_released_checkpoint_is_taken_by_its_domains(tmp_path):
    """gen_*.pt: {"a": ..., "b": ...}; only the generators, so the discriminators stay."""
    it, other = satnet(), satnet(image_weight=1.0)
    for value in other.networks["photo_generator"].parameters():
        value.set_value(value * 0.5)
    arrays = {
        f"{'ab'[i]}/{key}": value.numpy()
        for i, domain in enumerate(OTHER)
        for key, value in other.networks[f"{domain}_generator"].state_dict().items()
    }
    arrays["a/dec.model.0.model.0.model.0.norm.running_mean"] = np.zeros(8, np.float32)
    checkpoint.write_weights(tmp_path / "gen.pdparams", arrays)
    assert sorted(load_networks(it, tmp_path / "gen.pdparams")) == sorted(GENERATORS)
    for name in GENERATORS:
        for key, value in it.networks[name].state_dict().items():
            np.testing.assert_array_equal(value.numpy(), other.networks[name].state_dict()[key].numpy())


def test_weights_of_a_plain_network_go_into_a_deformable_one(tmp_path):
    plain, bent = satnet(), satnet(generator=RECIPE["generator"] | {"deformable": True})
    arrays = {
        f"{name}/{key}": value.numpy()
        for name in GENERATORS
        for key, value in plain.networks[name].state_dict().items()
    }
    checkpoint.write_weights(tmp_path / "plain.pdparams", arrays)
    assert sorted(load_networks(bent, tmp_path / "plain.pdparams")) == sorted(GENERATORS)
    batch = pictures()
    results = []
    for it in (plain, bent):
        for network in it.networks.values():
            network.eval()
        results.append(it.generate(batch, it.networks)["to_photo"].numpy())
    np.testing.assert_allclose(*results, atol=1e-5)
    bent.train_step(batch, 0, updater(bent))
    moved = {
        key
        for key, value in bent.networks["photo_generator"].named_parameters()
        if "offset" in key and float(value.abs().max()) > 0
    }
    assert len(moved) == 4


@pytest.mark.slow
def test_bent_blocks_are_exported_as_they_compute(tmp_path):
    """With offsets of several pixels; `export` compares with the dynamic graph and refuses more than 1e-4."""
    it, random = satnet(generator=RECIPE["generator"] | {"deformable": True}), np.random.default_rng(0)
    for network in it.networks.values():
        network.eval()
        for key, value in network.named_parameters():
            if "offset" in key:
                value.set_value(random.normal(0, 0.3, value.shape).astype(np.float32))
    assert max(export(it.inference(it.networks)[""], tmp_path).values()) < 1e-4


def test_identity_network_is_read_frozen_and_in_no_checkpoint(tmp_path):
    face = Sphere20a(SIZE, 1 / 64, 4)
    arrays = {f"recognizer/{key}": value.numpy() for key, value in face.state_dict().items()}
    checkpoint.write_weights(tmp_path / "face.pdparams", arrays)
    section = {
        "mode": "hinge",
        "network": tmp_path / "face.pdparams",
        "image_size": SIZE,
        "width": 1 / 64,
        "embedding_size": 4,
        "threshold": 1.0,
    }
    it = satnet(identity=section, identity_weight=10.0)
    assert it.log_header == {"identity": "hinge"} and it.networks.keys() == {*GENERATORS, *CRITICS}
    scalars = it.train_step(pictures(), 0, updater(it))
    assert 0 <= float(scalars["photo_generator/identity"]) <= 2
    for key, value in it.identity.network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), arrays[f"recognizer/{key}"])


def test_missing_identity_network(tmp_path, caplog):
    section = {"mode": "hinge", "network": tmp_path / "face.pdparams"}
    with pytest.raises(InputError, match="face.pdparams: missing; .*recipe.identity.mode: none"):
        satnet(identity=section, identity_weight=1.0)
    with caplog.at_level(logging.WARNING, logger="kintsugi"):
        it = satnet(identity=section | {"when_missing": "skip"}, identity_weight=1.0)
    assert "identity: off" in caplog.text and it.log_header == {"identity": "off"}


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
