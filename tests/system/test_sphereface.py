"""One step of SphereFace: what moves, what is logged, that margin, annealing and frozen stages count; its files."""

import json

import numpy as np
import paddle
import pytest

import predict
from engine.errors import InputError
from engine.images import to_hwc, write_image
from engine.run_config import OptimizerConfig
from engine.training.updater import Updater
from engine.weights.files import write_weights
from engine.weights.networks import load_networks, trained_networks
from loss.angular import angular_softmax
from system.sphereface import SphereFace
from tests.model.test_sphereface import released

RECIPE = {
    "image_size": [28, 24],
    "width": 1 / 32,
    "embedding_size": 6,
    "num_classes": 4,
    "margin": 4,
    "annealing_base": 1500.0,
    "annealing_gamma": 0.1,
    "annealing_floor": 5.0,
}


def sphereface(**changes):
    paddle.seed(3)
    with paddle.utils.unique_name.guard():
        it = SphereFace(SphereFace.Config(**RECIPE | changes))
        it.prepare_training()
    return it


def batch(seed=0, count=6):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    image = random.uniform(size=[count, 3, 28, 24]) * 0.2 + np.linspace(0, 0.8, 4)[labels][:, None, None, None]
    return {
        "image": paddle.to_tensor(image.astype(np.float32)),
        "identity": paddle.to_tensor(labels.astype(np.int64)),
        "name": [str(label) for label in labels],
    }


def updater(it, lr=0.01):
    return Updater({"recognizer": OptimizerConfig(kind="momentum", lr=lr)}, it.trainable)


def values(it):
    parameters = [pair for network in it.networks.values() for pair in network.named_parameters()]
    return {name: parameter.numpy().copy() for name, parameter in parameters}


def moved(it, step=0):
    before = values(it)
    it.train_step(batch(), step, updater(it))
    return {name for name, value in values(it).items() if not np.array_equal(value, before[name])}


def test_everything_moves_and_is_logged():
    it = sphereface()
    assert moved(it) == set(values(it))
    scalars = it.train_step(batch(), 9, updater(it))
    assert scalars.keys() == {"recognizer/loss", "recognizer/accuracy", "recognizer/annealing"}
    assert float(scalars["recognizer/annealing"]) == pytest.approx(750)
    assert 0 <= float(scalars["recognizer/accuracy"]) <= 1


@pytest.mark.parametrize(("start", "stages"), [(4, "4"), (5, ""), (2, "234")])
def test_fine_tuning_trains_the_later_stages(start, stages):
    it = sphereface(trained_from=start)
    wanted = {
        name
        for name in values(it)
        if name in ("weight", "fc5.weight", "fc5.bias") or (name[4] in stages and name[:4] in ("conv", "relu"))
    }
    assert moved(it) == wanted
    assert len(it.trainable["recognizer"]) == len(wanted)


def test_loss_is_the_annealed_margin_of_signed_pictures():
    it, data = sphereface(), batch()
    found = {}
    it.train_step(data, 4, lambda name, loss: found.setdefault(name, float(loss)))
    cosine, psi = it.classifier(it.recognizer.embedding(2 * data["image"] - 1))
    wanted = angular_softmax(cosine, psi, data["identity"], 1500 / 1.5)
    assert found == {"recognizer": pytest.approx(float(wanted), rel=1e-5)}
    plain = angular_softmax(cosine, cosine, data["identity"], 5.0)
    margined = angular_softmax(cosine, psi, data["identity"], 5.0)
    assert float(margined) > float(plain)


def test_loss_falls():
    it = sphereface()
    update = updater(it, 0.03)
    losses = [float(it.train_step(batch(step), step, update)["recognizer/loss"]) for step in range(12)]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


def test_more_people_than_classes():
    it, data = sphereface(num_classes=3), batch()
    with pytest.raises(InputError, match="recipe.num_classes: 3; the data has a person 3"):
        it.train_step(data, 0, updater(it))


def test_embeddings_are_unit_vectors_of_the_picture_and_its_mirror():
    it, data = sphereface(), batch()
    one = it.generate(data, it.networks)["embedding"]
    np.testing.assert_allclose(np.linalg.norm(one.numpy(), axis=1), np.ones(6), atol=1e-5)
    raw = it.recognizer.embedding(2 * data["image"] - 1).numpy()
    np.testing.assert_allclose(one.numpy(), raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-5)
    both = sphereface(flip_average=True)
    found = both.generate(data, both.networks)["embedding"].numpy()
    mirrored = {"image": paddle.flip(data["image"], axis=[3])}
    np.testing.assert_allclose(both.generate(mirrored, both.networks)["embedding"].numpy(), found, atol=1e-5)
    assert np.abs(found - one.numpy()).max() > 1e-3
    assert it.measures().keys() == {"verification"} and it.scored == it.shown == ()


def test_exported_form_computes_generate():
    it, data = sphereface(flip_average=True), batch()
    exported = it.inference(it.networks)[""]
    assert (exported.inputs[0].shape, exported.outputs[0].shape) == ((-1, 3, 28, 24), (-1, 6))
    assert exported.outputs[0].kind == "vector"
    wanted = it.generate(data, it.networks)["embedding"].numpy()
    np.testing.assert_allclose(exported.layer(data["image"]).numpy(), wanted, atol=1e-6)
    np.testing.assert_allclose(exported.reference(data["image"]).numpy(), wanted, atol=1e-6)


def test_fine_tuning_starts_from_a_released_file(tmp_path):
    """Its classifier of other people is left out; the network is taken over bit by bit."""
    source, it = sphereface(num_classes=9), sphereface(num_classes=4, trained_from=4)
    for parameter in source.recognizer.parameters():
        parameter.set_value(paddle.rand(parameter.shape))
    file = tmp_path / "sphere20a.pdparams"
    write_weights(file, released(source.recognizer, source.classifier))
    before = it.classifier.weight.numpy().copy()
    assert load_networks(it, file) == ["recognizer"]
    np.testing.assert_array_equal(it.classifier.weight.numpy(), before)
    for key, value in source.recognizer.state_dict().items():
        np.testing.assert_array_equal(it.recognizer.state_dict()[key].numpy(), value.numpy())
    same = sphereface(num_classes=9)
    assert load_networks(same, file) == ["recognizer", "classifier"]
    np.testing.assert_array_equal(same.classifier.weight.numpy(), source.classifier.weight.numpy())


def test_predict_prints_vectors(tmp_path, monkeypatch, capsys):
    it = sphereface()
    write_weights(
        tmp_path / "w.pdparams",
        {f"recognizer/{key}": value.numpy() for key, value in it.recognizer.state_dict().items()},
    )
    images = batch()["image"].numpy()
    for i in range(2):
        write_image(tmp_path / "in" / f"{i}.png", to_hwc(images[i]))
    recipe = [f"recipe.{key}={json.dumps(value)}" for key, value in RECIPE.items()]
    monkeypatch.setattr(
        "sys.argv",
        [
            "predict.py",
            "-c",
            "configs/sphereface.yaml",
            "-o",
            *recipe,
            "--pretrained",
            str(tmp_path / "w.pdparams"),
            "--image_dir",
            str(tmp_path / "in"),
            "--output_dir",
            str(tmp_path / "out"),
        ],
    )
    assert predict.main() == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines() if "\t" in line]
    assert [name for name, _ in rows] == ["0.png", "1.png"]
    wanted = it.generate({"image": paddle.to_tensor(images[:2])}, it.networks)["embedding"].numpy()
    np.testing.assert_allclose([json.loads(numbers) for _, numbers in rows], wanted, atol=0.02)  # 8-bit files


def test_a_classifier_alone_is_no_network(tmp_path):
    it = sphereface()
    write_weights(tmp_path / "c.pdparams", {"classifier/weight": it.classifier.weight.numpy()})
    with pytest.raises(InputError, match="holds classifier but not recognizer, which is needed here"):
        trained_networks(it, tmp_path / "c.pdparams", "configs/sphereface.yaml")


def test_a_file_of_another_width_is_refused(tmp_path):
    source = sphereface(width=1 / 16)
    write_weights(tmp_path / "w.pdparams", released(source.recognizer, source.classifier))
    with pytest.raises(InputError, match="weights of another size"):
        load_networks(sphereface(), tmp_path / "w.pdparams")
