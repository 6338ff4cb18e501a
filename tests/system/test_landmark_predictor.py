"""The landmark predictor: it learns, holes are white, points come out in the picture's pixels."""

import numpy as np
import paddle
import pytest

from engine import config as configuration
from engine.training.updater import Updater
from metric.landmarks import LandmarkError
from model.landmark_predictor.exported import pixels, units
from system.landmark_predictor import LandmarkPredictor, cover, drawn

SIZE = 32


@pytest.fixture
def predictor():
    paddle.seed(3)
    it = LandmarkPredictor(LandmarkPredictor.Config(width=0.1, input_size=SIZE, covered_probability=1.0))
    it.prepare_training()
    return it


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    mask = np.zeros((2, 1, SIZE, SIZE), np.float32)
    mask[:, :, 16:, 8:24] = 1
    return {
        "image": paddle.to_tensor(rng.uniform(0, 1, (2, 3, SIZE, SIZE)).astype(np.float32)),
        "mask": paddle.to_tensor(mask),
        "name": ["a", "b"],
        "landmarks": paddle.to_tensor(rng.uniform(8, 24, (2, 68, 2)).astype(np.float32)),
    }


def test_a_few_steps_lower_the_loss(predictor, batch):
    update = Updater(configuration.load("configs/landmark_predictor_lite.yaml").optimizers, predictor.trainable)
    losses = [predictor.train_step(batch, step, update)["predictor/loss"].item() for step in range(25)]
    assert min(losses[-5:]) < 0.8 * losses[0]


def test_what_is_under_the_hole_is_not_seen(predictor, batch):
    for network in predictor.networks.values():
        network.eval()
    one = predictor.generate(batch, predictor.networks)
    other = predictor.generate(batch | {"image": batch["image"] * (1 - batch["mask"])}, predictor.networks)
    np.testing.assert_array_equal(one["predicted_landmarks"].numpy(), other["predicted_landmarks"].numpy())
    assert (cover(batch["image"], batch["mask"]).numpy()[:, :, 16:, 8:24] == 1).all()


def test_units_and_pixels():
    """The first pixel's centre is half a pixel inside the picture; one turns back the other."""
    assert units(paddle.zeros([1]), 64).item() == pytest.approx(0.5 / 64)
    points = paddle.to_tensor([[0.0, 3.25]])
    np.testing.assert_allclose(pixels(units(points, 64), 64).numpy(), points.numpy(), atol=1e-5)


def test_points_are_drawn_where_they_are():
    picture = drawn(paddle.zeros([1, 3, 8, 8]), units(paddle.to_tensor([[[5.0, 2.0]]]), 8)).numpy()[0]
    np.testing.assert_array_equal(picture[1], np.eye(8)[2][:, None] * np.eye(8)[5])
    assert picture[0].max() == 0


def test_error_of_a_set(batch):
    metric = LandmarkError()
    shifted = batch["landmarks"] + paddle.to_tensor([3.0, 4.0])
    metric.update({"landmarks": batch["landmarks"], "predicted_landmarks": shifted})
    true = batch["landmarks"].numpy()
    eyes = np.linalg.norm(true[:, 36] - true[:, 45], axis=1)
    assert metric.result()["nme"] == pytest.approx((5 / eyes).mean(), rel=1e-5)
