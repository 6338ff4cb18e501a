"""Verification by protocol: pairs as listed, leaks refused, the seed's way beside it, colour alone as a baseline."""

import json

import numpy as np
import pytest

from data_loader.batches import EvaluationBatches
from data_loader.webcaricature_files import Picture, view2_pairs
from data_loader.webcaricature_protocol import fold_sets, trained_people
from engine.errors import InputError
from engine.system import System
from engine.weights.files import write_weights
from metric.evaluation import face_pairs
from metric.evaluation.evaluate import evaluate
from tests.data_loader.webcaricature_tree import PEOPLE, write_tree
from tests.system.test_sphereface import RECIPE, sphereface
from tools import verify_faces


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("WebCaricature"))


class Seen(System):
    """Embeddings by a function of the pictures."""

    def __init__(self, embed):
        self.embed = embed

    def generate(self, batch, networks):
        return {"embedding": self.embed(batch["image"].numpy())}


def faces(root, embed):
    found = face_pairs.Faces()
    _, dataset, _ = next(fold_sets(root, (28, 24)))
    evaluate(Seen(embed), {}, EvaluationBatches(dataset, 4, 0), [found])
    return found


def person_and_picture(images):
    """Red, the person; a little blue, the picture: middle of the face."""
    middle = images[:, :, 14, 12]
    return np.stack([middle[:, 0] - 0.3, 0.1 * middle[:, 2], np.full(len(images), 0.05)], 1)


def test_colour_baselines():
    images = np.zeros([2, 3, 4, 4], np.float32)
    images[1, 0] = 1
    np.testing.assert_allclose(face_pairs.mean_colour(images), [[-0.5, -0.5, -0.5], [0.5, -0.5, -0.5]])
    images[1, 0, :2] = 0.3
    found = face_pairs.colour_histogram(images)
    assert found.shape == (2, 512) and found[0, 0] == 1
    assert found[1, 7 * 64] == found[1, 2 * 64] == 0.5


def test_restricted_pairs_are_those_listed(root):
    it = faces(root, person_and_picture)
    matched, mismatched = view2_pairs(root)[0]
    positive, negative = it.restricted(matched, mismatched)
    vectors = dict(zip(it.pictures, it.columns()[0], strict=True))
    for scores, pairs in ((positive, matched), (negative, mismatched)):
        for score, (c, p) in zip(scores, pairs, strict=True):
            a, b = vectors[c.name], vectors[p.name]
            assert score == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-3)
    with pytest.raises(InputError, match="Bill/C00001: a pair of RestrictedView2 names it"):
        it.restricted([(Picture("Bill", "C00001"), Picture("Bill", "P00001"))], [])


def test_unrestricted_pairs_are_all_of_a_photo_and_a_caricature(root):
    positive, negative = faces(root, person_and_picture).unrestricted()
    assert len(positive) == 2 * 2 * 3 and len(negative) == 2 * 2 * 3


def test_the_seeds_pairs_mix_the_kinds(root):
    it = faces(root, lambda images: images[:, :, 14, 12])
    _, identities, kinds = it.columns()
    it.parts = [[np.eye(len(kinds)), identities, kinds]]  # so that a pair of one picture with itself would show
    positive, negative = it.random_pairs(np.random.RandomState(1), 200)
    assert len(positive) == len(negative) == 200 and positive.max() < 0.5 and negative.max() < 0.5
    it.parts = [[np.stack([kinds, 1 - kinds], 1).astype(float), identities, kinds]]  # cosine 1: same kind
    positive, negative = it.random_pairs(np.random.RandomState(1), 200)
    assert 20 < (positive > 0.5).sum() < 180 and 20 < (negative > 0.5).sum() < 180
    it.parts = [[np.eye(2)[identities], identities, kinds]]
    positive, negative = it.random_pairs(np.random.RandomState(1), 50)
    assert positive.min() > 0.9 and negative.max() < 0.1


@pytest.fixture
def command(root, tmp_path):
    """Arguments of a small network with trained (random) weights on the small tree."""
    it = sphereface()
    arrays = {
        f"{name}/{key}": value.numpy()
        for name, network in it.networks.items()
        for key, value in network.state_dict().items()
    }
    for name in ("one", "fold_1", "fold_2"):
        write_weights(tmp_path / f"{name}.pdparams", arrays)
    recipe = [f"recipe.{key}={json.dumps(value)}" for key, value in RECIPE.items()]
    data = [
        f"data.{split}.{key}={value}"
        for split in ("train", "validation")
        for key, value in (("root", root), ("image_size", "[28, 24]"))
    ]
    return ["-c", "configs/sphereface.yaml", "-o", *recipe, *data, "data.train.jitter=0"], tmp_path


def run(command, *words, weights="one"):
    arguments, folder = command
    return verify_faces.main(
        [
            *arguments,
            "--pretrained",
            str(folder / f"{weights}.pdparams"),
            *words,
            "--output",
            str(folder / "figures.json"),
        ]
    )


def test_official_protocol_refuses_people_that_were_trained_on(command, root):
    """View 1 trains on three of the four people, so the folds hold trained people."""
    with pytest.raises(InputError, match="1 of the 2 people of fold 1 were trained on, such as Adam Sandler"):
        run(command, "--root", str(root))
    names = command[1] / "names.txt"
    names.write_text("Somebody Else\nBill\n")
    with pytest.raises(InputError, match="1 of the 2 people of fold 2 were trained on, such as Bill"):
        run(command, "--root", str(root), "--trained", str(names))


@pytest.mark.parametrize(("weights", "words"), [("fold_{fold}", []), ("one", ["--trained", "none"])])
def test_official_protocol_with_weights_that_saw_nobody(command, root, capsys, weights, words):
    assert run(command, "--root", str(root), *words, weights=weights) == 0
    table = json.loads((command[1] / "figures.json").read_text())
    assert table.keys() == {"official restricted", "official unrestricted"}
    for figures in table.values():
        assert figures.keys() >= {"tar_far_0.1", "tar_far_1", "auc", "accuracy", "auc_std"}
    assert "few pairs: official restricted: tar_far_0.1" in capsys.readouterr().err


def test_the_seeds_protocol_is_named_leaky(command, root, capsys, monkeypatch):
    monkeypatch.setattr(face_pairs.Faces.random_pairs, "__defaults__", (20,))
    assert run(command, "--root", str(root), "--protocol", "seed") == 0
    assert "seed (leaky)" in capsys.readouterr().out


def test_a_single_fold_has_no_accuracy_and_no_threshold():
    shown = face_pairs.line(
        "network", {f"{key}{end}": 0.5 for key in ("tar_far_0.1", "tar_far_1", "auc") for end in ("", "_std")}
    )
    found = [part.strip() for part in shown.split("  ") if part.strip()]
    assert found[1:] == ["50.00 +- 50.00", "50.00 +- 50.00", "0.500 +- 0.500", "-", "-"]


def test_trained_people_of_a_fold(command, root):
    config = verify_faces.parse("x", {}, command[0], standing=(), own={}).config
    assert trained_people("config", config.data.train, None) == set(PEOPLE[:3])
    assert trained_people("config", config.data.train, 1) == {"Ai Wei Wei", "Bill"}
    assert trained_people("none", config.data.train, 1) == set()
    with pytest.raises(InputError, match="--trained nofile: cannot be read"):
        trained_people("nofile", config.data.train, 1)


@pytest.mark.slow
def test_validation_people_with_baselines(command, capsys):
    words = []
    for split in ("train", "validation"):
        words += [f"data.{split}.root=null", f"data.{split}.synthetic={{identities: [0, 4], variants: 2}}"]
    at = command[0].index("data.train.jitter=0")
    arguments = [*command[0][:at], *words, *command[0][at:]]
    assert verify_faces.main([*arguments, "--pretrained", str(command[1] / "one.pdparams")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["network", "mean colour", "colour histogram"]
    assert verify_faces.main([*arguments, "--pretrained", str(command[1] / "one.pdparams"), "--protocol", "seed"]) == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[1:]] == [
        "network (seed's)", "mean colour (seed's)", "colour histogram (seed's)"]  # fmt: skip
