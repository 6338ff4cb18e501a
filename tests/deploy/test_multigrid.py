import cv2
import numpy as np
import pytest

from deploy import blending, multigrid

SIDE = 240


def hole(kind):
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    if kind == "square":
        drawn[10:230, 10:230] = 1
    elif kind == "to the edges":
        drawn[:, 20:] = 1
    elif kind == "strokes":
        for i in range(9):
            cv2.line(drawn, (0, 26 * i), (SIDE - 1, SIDE - 25 * i), 1, 9)
    else:
        drawn[::2, ::2] = 1  # pixels without a neighbour
        drawn[60:200, 30:210] = 1
    return drawn.astype(bool)


def blended(monkeypatch, small, *arguments):
    monkeypatch.setattr(multigrid, "SMALL", small)
    return blending.poisson(*arguments)


@pytest.mark.parametrize("kind", ["square", "to the edges", "strokes", "islands"])
@pytest.mark.parametrize("mixed", [False, True])
def test_the_answer_is_that_of_the_factorisation(kind, mixed, monkeypatch):
    random = np.random.default_rng(0)
    output, image = random.random((2, SIDE, SIDE, 3))
    arguments = output, image, hole(kind), mixed
    direct = blended(monkeypatch, np.inf, *arguments)
    factorised, used = multigrid.factorised, []
    monkeypatch.setattr(multigrid, "factorised", lambda matrix: used.append(matrix.shape[0]) or factorised(matrix))
    assert np.abs(blended(monkeypatch, 0, *arguments) - direct).max() < 0.05 / 255
    assert len(used) == 1  # for the coarsest grid alone
    assert used[0] <= multigrid.COARSEST


def test_it_is_for_large_holes(monkeypatch):
    random = np.random.default_rng(0)
    output, image = random.random((2, SIDE, SIDE, 3))
    made, v_cycle = [], multigrid.v_cycle
    monkeypatch.setattr(multigrid, "v_cycle", lambda *words: made.append(1) or v_cycle(*words))
    small = np.zeros((SIDE, SIDE), bool)
    small[50:150, 50:150] = True
    blending.poisson(output, image, small)
    assert not made
    blending.poisson(output, image, hole("square"))
    assert made
