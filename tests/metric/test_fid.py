"""FID: closed forms, singular covariances, streaming, saved statistics, memory."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg

from engine.errors import InputError
from metric.fid import FeatureStatistics, frechet_distance, load_statistics, save_statistics

RNG = np.random.default_rng(0)


def covariance(size, rank=None):
    factor = RNG.normal(size=(size, rank or size))
    return factor @ factor.T


def statistics_of(features, *cuts):
    statistics = FeatureStatistics()
    for part in np.split(features, cuts):
        statistics.update(part)
    return statistics


def test_equal_covariances_leave_the_squared_distance_of_the_means():
    shared, mean = covariance(12), RNG.normal(size=12)
    offset = np.zeros(12)
    offset[:2] = 3, -4
    assert frechet_distance(mean, shared, mean + offset, shared) == pytest.approx(25, abs=1e-9)
    assert frechet_distance(mean, shared, mean, shared) == pytest.approx(0, abs=1e-10)


def test_diagonal_covariances():
    first, second = np.array([1.0, 4, 9, 0]), np.array([16.0, 0, 1, 25])
    expected = np.sum((np.sqrt(first) - np.sqrt(second)) ** 2)
    assert frechet_distance(np.zeros(4), np.diag(first), np.zeros(4), np.diag(second)) == pytest.approx(expected)


def test_covariances_of_rank_one():
    """u u' and v v': the root of the product has the trace |u . v|."""
    u, v = RNG.normal(size=(2, 40))
    expected = u @ u + v @ v - 2 * abs(u @ v)
    distance = frechet_distance(np.zeros(40), np.outer(u, u), np.zeros(40), np.outer(v, v))
    assert distance == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(np.zeros(40), np.zeros((40, 40)), np.zeros(40), np.outer(v, v)) == pytest.approx(v @ v)


def test_any_covariances_agree_with_a_matrix_root():
    first, second = covariance(20), covariance(20)
    expected = np.trace(first + second - 2 * scipy.linalg.sqrtm(first @ second).real)
    assert frechet_distance(np.zeros(20), first, np.zeros(20), second) == pytest.approx(expected, rel=1e-8)


def test_fewer_pictures_than_features():
    """10 and 12 pictures with 64 features, against the eigenvalues of the small product of the centred features."""
    one, other = RNG.normal(size=(10, 64)), RNG.normal(0.3, 2, size=(12, 64))
    first, second = statistics_of(one).result(), statistics_of(other).result()
    assert frechet_distance(*first, *first) == pytest.approx(0, abs=1e-9)
    centred = [(each - each.mean(0)) / np.sqrt(len(each) - 1) for each in (one, other)]
    trace = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    difference = one.mean(0) - other.mean(0)
    expected = difference @ difference + sum((each**2).sum() for each in centred) - 2 * trace
    assert frechet_distance(*first, *second) == pytest.approx(expected, rel=1e-9)


def test_batches_give_numpys_mean_and_covariance():
    features = RNG.normal(1e4, 1, size=(700, 5))  # a large offset: sums of squares would cancel
    mean, spread = statistics_of(features, 1, 8, 300, 301, 650).result()
    np.testing.assert_allclose(mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(spread, np.cov(features, rowvar=False), atol=1e-10)


def test_adding_after_a_result():
    features = RNG.normal(size=(9, 3))
    statistics = statistics_of(features[:5])
    statistics.result()
    statistics.update(features[5:])
    np.testing.assert_allclose(statistics.result()[1], np.cov(features, rowvar=False), atol=1e-12)


def test_memory_does_not_grow_with_the_number_of_pictures():
    def peak(batches):
        tracemalloc.start()
        statistics = FeatureStatistics()
        for _ in range(batches):
            statistics.update(np.ones((16, 128), np.float32))
        statistics.result()
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest

    assert peak(400) < 1.05 * peak(40)


def test_saved_statistics_come_back(tmp_path):
    statistics = statistics_of(RNG.normal(size=(6, 4)))
    save_statistics(tmp_path / "s.npz", statistics, {"resize": "legacy", "weights": "w"})
    mean, spread, facts = load_statistics(tmp_path / "s.npz")
    np.testing.assert_array_equal(mean, statistics.result()[0])
    np.testing.assert_array_equal(spread, statistics.result()[1])
    assert facts == {"n": "6", "resize": "legacy", "weights": "w"}


def test_statistics_as_pytorch_fid_writes_them(tmp_path):
    np.savez(tmp_path / "s.npz", mu=np.arange(3.0), sigma=np.eye(3))
    mean, spread, facts = load_statistics(tmp_path / "s.npz")
    assert (mean.tolist(), np.trace(spread), facts) == ([0, 1, 2], 3, {})


@pytest.mark.parametrize("arrays, told", [
    ({"mu": np.zeros(3)}, "no saved FID statistics"),
    ({"mu": np.zeros(3), "sigma": np.eye(4)}, r"mean \(3,\) and covariance \(4, 4\)"),
])  # fmt: skip
def test_other_files_are_named(tmp_path, arrays, told):
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(InputError, match=rf"s\.npz: .*{told}"):
        load_statistics(tmp_path / "s.npz")


def test_files_that_are_no_archive_are_named(tmp_path):
    (tmp_path / "s.npz").write_bytes(b"\x80\x04K\x01.")
    for name in ("s.npz", "absent.npz"):
        with pytest.raises(InputError, match=f"{name}: .*expected saved FID statistics"):
            load_statistics(tmp_path / name)


def test_one_picture_has_no_covariance():
    with pytest.raises(InputError, match="2 pictures or more; found 1"):
        statistics_of(np.zeros((1, 3))).result()


def test_features_that_are_no_numbers_are_one_line():
    mean, covariance = np.zeros(3), np.eye(3)
    for bad in ((mean * np.nan, covariance), (mean, covariance * np.inf)):
        with pytest.raises(InputError, match="FID: NaN or infinite features"):
            frechet_distance(mean, covariance, *bad)
        with pytest.raises(InputError, match="FID: NaN or infinite features"):
            frechet_distance(*bad, mean, covariance)
