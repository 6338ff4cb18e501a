"""The networks of metrics through their exported graphs: the numbers of the eager form, files whole or not at all."""

import argparse
import logging

import numpy as np
import paddle
import pytest

from engine.weights.files import write_weights
from metric.evaluation import graphs, registry
from metric.evaluation.flags import FLAGS
from metric.evaluation.graphs import ForwardPass
from metric.evaluation.scores import Scores
from metric.evaluation.weights import randomise
from metric.networks import BUILDERS
from tests.metric.tiny_network import Tiny

METRICS = {"inception_fid": "fid,kid", "ir_se50": "identity", "arcface_resnet18": "deg"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KINTSUGI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "graphs"


def settled(name):
    """A network of random weights whose statistics are those of its maps, so that rounding stays rounding."""
    layer = BUILDERS[name]()
    randomise(layer)
    for part in layer.sublayers():
        if hasattr(part, "_momentum"):
            part._momentum = 0.0
    layer.train()
    with paddle.no_grad():
        layer(paddle.uniform([4, *graphs.SIZES[name]], min=-1.0, max=1.0))
    layer.eval()
    return layer


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
def test_an_evaluation_gives_the_numbers_of_the_eager_form(tmp_path, cache, monkeypatch, name):
    write_weights(tmp_path / f"{name}.npz", {key: value.numpy() for key, value in settled(name).state_dict().items()})
    flags = {key: flag.default for key, flag in FLAGS.items()}
    args = argparse.Namespace(**flags | {"metric_weights": str(tmp_path), "metrics": METRICS[name]})
    rng = np.random.default_rng(0)
    made, image = rng.integers(0, 256, (2, 4, 64, 64, 3), np.uint8)

    def evaluated():
        scorers, missing = registry.of_flags(args)
        assert not missing
        scores = Scores(scorers, {})
        scores.update(list("abcd"), {}, {"image": image, "restored": made})
        return scores.report("random", {})["scores"]

    through_graphs = evaluated()
    assert [path.name.rpartition("_")[0] for path in cache.iterdir()] == [name]
    monkeypatch.setattr(graphs, "opened", lambda *_: None)
    eager = evaluated()
    assert through_graphs.keys() == eager.keys() and len(eager) >= 1
    # KID is a difference of means of cubed features, whose digits cancel
    np.testing.assert_allclose(list(through_graphs.values()), list(eager.values()), rtol=1e-3, atol=1e-6)


def test_a_graph_is_written_once_for_its_weights(cache):
    layer, image = Tiny(), paddle.rand([2, 3, 299, 299])
    wanted = layer(image).numpy()
    for _ in range(2):
        found = ForwardPass("inception_fid", layer)(image)
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-5)
        (folder,) = cache.iterdir()  # nothing is left over
        assert {path.suffix for path in folder.iterdir()} == {".json", ".pdiparams", ".yaml"}
    written = (folder / "inference.json").stat().st_mtime_ns
    ForwardPass("inception_fid", layer)(image)
    assert (folder / "inference.json").stat().st_mtime_ns == written
    layer.fc.bias.set_value(layer.fc.bias + 1)
    found = ForwardPass("inception_fid", layer)(image)
    np.testing.assert_allclose(found.numpy(), wanted + 1, rtol=1e-5, atol=1e-5)
    assert len(list(cache.iterdir())) == 2


def test_a_folder_may_take_the_place_of_the_cache(tmp_path, cache):
    ForwardPass("inception_fid", Tiny(), tmp_path)(paddle.rand([1, 3, 299, 299]))
    assert len(list((tmp_path / "graphs").iterdir())) == 1 and not cache.exists()


def test_a_damaged_graph_is_made_anew(cache):
    layer, image = Tiny(), paddle.rand([1, 3, 299, 299])
    ForwardPass("inception_fid", layer)(image)
    (folder,) = cache.iterdir()
    (folder / "inference.pdiparams").write_bytes(b"cut")
    forward = ForwardPass("inception_fid", layer)
    np.testing.assert_allclose(forward(image).numpy(), layer(image).numpy(), rtol=1e-5, atol=1e-5)
    assert forward.predictor and (folder / "inference.pdiparams").stat().st_size > 3


def test_old_graphs_go(cache):
    layer, image = Tiny(), paddle.rand([1, 3, 299, 299])
    for _ in range(graphs.KEPT + 2):
        layer.fc.bias.set_value(layer.fc.bias + 1)
        ForwardPass("inception_fid", layer)(image)
    assert len(list(cache.iterdir())) == graphs.KEPT


@pytest.mark.parametrize("fault", ["no folder", "another answer"])
def test_without_a_graph_the_eager_form_serves(tmp_path, cache, monkeypatch, caplog, fault):
    if fault == "no folder":
        (tmp_path / "cache").write_text("a file where the folder has to be")
    else:
        monkeypatch.setattr(graphs.Predictor, "run", lambda self, arrays: {"features": np.zeros((2, 6), np.float32)})
    layer, image = Tiny(), paddle.rand([1, 3, 299, 299])
    with caplog.at_level(logging.INFO, "kintsugi"):
        found = ForwardPass("inception_fid", layer)(image)
    np.testing.assert_array_equal(found.numpy(), layer(image).numpy())
    assert "its eager form serves" in caplog.text
    assert not cache.is_dir() or not list(cache.iterdir())
