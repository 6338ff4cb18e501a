"""Identity terms: signs, sample by sample, where the gradient goes, what the recognition network is shown."""

import numpy as np
import paddle
import pytest

from loss import face_identity as terms

MODES = ("hinge", "cosine", "feature", "kd", "cls")


class Tiny(paddle.nn.Layer):
    """A recognition network of a few numbers."""

    def __init__(self):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 4, 3, stride=2, padding=1)
        self.fc = paddle.nn.Linear(4 * 6 * 4, 5)

    def features(self, x):
        return self.conv(x)

    def embedding(self, image):
        return self.fc(self.features(image).flatten(1))


class Classes(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.fc = paddle.nn.Linear(5, 3)

    def forward(self, x):
        return self.fc(x), None


def identity(mode, **options):
    paddle.seed(4)
    return terms.TranslationIdentity(Tiny(), (12, 8), mode, classifier=Classes(), **options)


def faces(seed, count=3, size=(12, 8)):
    return paddle.to_tensor(np.random.default_rng(seed).uniform(-1, 1, (count, 3, *size)).astype(np.float32))


def test_similarity_is_a_sample_at_a_time():
    one = paddle.to_tensor([[2.0, 0.0], [1.0, 1.0], [3.0, 0.0]])
    other = paddle.to_tensor([[5.0, 0.0], [1.0, -1.0], [-0.1, 0.0]])
    np.testing.assert_allclose(terms.similarity(one, other).numpy(), [1, 0, -1], atol=1e-6)


def test_hinge_asks_for_similarity_up_to_the_threshold():
    one = paddle.to_tensor([[1.0, 0.0], [1.0, 0.0]])
    alike, apart = paddle.to_tensor([[1.0, 0.1], [1.0, 0.0]]), paddle.to_tensor([[0.0, 1.0], [-1.0, 0.0]])
    assert float(terms.hinge(one, alike, 0.2875)) == 0
    assert float(terms.hinge(one, apart, 0.2875)) == pytest.approx((0.2875 + 1.2875) / 2)
    mixed = paddle.to_tensor([[1.0, 0.0], [-1.0, 0.0]])  # in one sum over the batch the two would cancel
    assert float(terms.hinge(one, mixed, 0.2875)) == pytest.approx(1.2875 / 2)
    assert float(terms.cosine(one, apart)) == pytest.approx(1.5)


def test_distillation_is_the_divergence_from_the_source():
    source, made = np.array([[2.0, 0.0, -1.0]]), np.array([[0.0, 1.0, 0.0]])
    p, q = (np.exp(x / 4) / np.exp(x / 4).sum() for x in (source, made))
    found = terms.distillation(*(paddle.to_tensor(x, "float32") for x in (made, source)), 4.0)
    assert float(found) == pytest.approx(16 * float((p * np.log(p / q)).sum()), rel=1e-4)


def test_classification_passes_over_unknown_people():
    logits = paddle.to_tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
    alone = -np.log(np.exp(2) / (np.exp(2) + 2))
    assert float(terms.classification(logits, paddle.to_tensor([0, -1]))) == pytest.approx(alone, rel=1e-5)
    assert float(terms.classification(logits, paddle.to_tensor([-1, -1]))) == 0


def test_feature_distance_forgets_contrast():
    maps = paddle.to_tensor(np.random.default_rng(0).standard_normal((1, 2, 6, 6)), "float32")
    assert float(terms.feature_distance(maps * 3 + 1, maps)) < 1e-3
    assert float(terms.feature_distance(-maps, maps)) == pytest.approx(4, rel=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_zero_or_least_for_the_same_face_and_gradient_to_the_made_one_only(mode):
    it, labels = identity(mode, threshold=1.0), paddle.to_tensor([0, 1, 2])
    made, source = faces(0), faces(1)
    made.stop_gradient = source.stop_gradient = False
    loss = it(made, source, labels)
    loss.backward()
    assert float(made.grad.abs().max()) > 0 and source.grad is None
    assert all(p.grad is None for p in it.network.parameters() + it.classifier.parameters())
    if mode != "cls":
        assert abs(float(it(source, source, labels))) < 1e-5 < float(loss)


@pytest.mark.parametrize("mode", MODES)
def test_a_step_against_the_gradient_makes_faces_alike(mode):
    it, labels = identity(mode, threshold=1.0), paddle.to_tensor([0, 1, 2])
    made, source = faces(0), faces(1)
    before = it(made, source, labels)
    made.stop_gradient = False
    it(made, source, labels).backward()
    moved = made.detach() - 0.05 * made.grad / made.grad.norm()
    assert float(it(moved, source, labels)) < float(before)
    if mode in ("hinge", "cosine"):
        alike = [float(terms.similarity(it.embedding(x), it.embedding(source)).mean()) for x in (made, moved)]
        assert alike[1] > alike[0]


def test_same_person_counts_chosen_samples():
    it, made, real = identity("cosine"), faces(0), faces(1)
    alone = it(made[1:2], real[1:2], None)
    chosen = paddle.to_tensor([False, True, False])
    assert float(it.same_person(made, real, chosen)) == pytest.approx(float(alone), rel=1e-5)
    assert float(it.same_person(made, real, paddle.to_tensor([False] * 3))) == 0


def test_size_of_the_face():
    image = faces(2, 1, (24, 16))
    reduced = terms.face_for_recognition(image, (12, 8)).numpy()
    np.testing.assert_allclose(reduced[0, :, 0, 0], image.numpy()[0, :, :2, :2].mean((1, 2)), rtol=1e-5)  # no padding
    np.testing.assert_allclose(reduced[0, :, 2, 2], image.numpy()[0, :, 3:6, 3:6].mean((1, 2)), rtol=1e-4, atol=1e-6)
    assert terms.face_for_recognition(image, (24, 16)) is image
    assert terms.face_for_recognition(image, (48, 32)).shape == [1, 3, 48, 32]
    assert terms.face_for_recognition(faces(2, 1, (30, 20)), (12, 8)).shape == [1, 3, 12, 8]


def test_features_are_shown_bgr():
    it = identity("feature")
    seen = []
    it.network.features = lambda x: seen.append(x.numpy()) or x
    image = faces(0, 1)
    it(image, image, None)
    np.testing.assert_allclose(seen[0], image.numpy()[:, ::-1] * 127.5 / 128, rtol=1e-6)
