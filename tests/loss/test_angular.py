"""A-Softmax in closed form: the annealed margin lowers the true class's logit, and only that."""

import numpy as np
import paddle
import pytest

from loss.angular import angular_softmax, annealing, class_accuracy


def test_annealing_is_the_references():
    assert annealing(0) == pytest.approx(1500 / 1.1)
    assert annealing(9) == pytest.approx(750)
    assert annealing(2988) > 5 and annealing(2990) == annealing(10**6) == 5
    assert annealing(3, base=8, gamma=1, floor=0) == pytest.approx(8 / 5)


def test_loss_in_closed_form():
    cosine, psi = np.array([[2.0, -1.0, 0.5], [0.3, 1.0, -2.0]]), np.array([[-3.0, -4.0, -4.0], [-5.0, -1.0, -6.0]])
    labels, weight = np.array([0, 1]), 4.0
    logits = cosine.copy()
    logits[0, 0], logits[1, 1] = (4 * 2.0 - 3.0) / 5, (4 * 1.0 - 1.0) / 5
    wanted = np.mean([np.log(np.exp(row).sum()) - row[label] for row, label in zip(logits, labels, strict=True)])
    found = angular_softmax(
        *(paddle.to_tensor(x.astype(np.float32)) for x in (cosine, psi)), paddle.to_tensor(labels), weight
    )
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_accuracy_ignores_the_margin():
    cosine = paddle.to_tensor([[0.9, 0.1], [0.2, 0.1], [0.3, 0.4], [-1.0, -2.0]])
    assert float(class_accuracy(cosine, paddle.to_tensor([0, 1, 1, 0]))) == 0.75
