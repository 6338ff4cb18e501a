"""What SATNet makes of a picture: translations, their variants and styles, the exported graphs, released weights."""

import numpy as np
import paddle
import pytest

from deploy.export import export
from engine.training import checkpoint
from engine.weights.networks import load_networks
from system.satnet import OTHER, VARIANTS, named_styles
from tests.system.small_satnet import BATCH, GENERATORS, RECIPE, SIZE, STYLE, pictures, satnet, updater


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
