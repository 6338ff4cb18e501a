"""A tiny ablation really trained: what is compared, what is not done twice, what goes on, what ends it."""

import json
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
import yaml

from engine.images import read_image
from system.landmark import LandmarkInpainting
from system.landmark_predictor import LandmarkPredictor
from tests.script_calls import call, command

PLAIN, SLOW, KEYS = "plain", "slow.rate", ("psnr/composite", "judge/nme/composite")
EXPERIMENT = {
    "config": "configs/landmark_lite.yaml",
    "seeds": [0, 5],
    "overrides": LandmarkInpainting.smoke
    | {
        "data.num_workers": 0,
        "data.batch_size": 2,
        "data.train.synthetic.identities": [0, 4],
        "data.validation.synthetic": {"identities": [90, 94], "variants": 1, "keeps": True},
        "train.log_every": 1,
        "train.save_every": 1,
        "train.validate_every": 0,
        "train.preview_every": 0,
    },
    "variants": {PLAIN: {}, SLOW: {"optimizers.completion.lr": 1e-3}},
    "scores": {KEYS[0]: {"better": "higher"}, KEYS[1]: {"better": "lower"}},
    "baselines": {"mean pixel": {KEYS[0]: "psnr/masked"}},
    "judges": {
        "judge": {
            "config": "configs/landmark_predictor_lite.yaml",
            "seed": 2,
            "overrides": LandmarkPredictor.smoke
            | {
                "data.num_workers": 0,
                "data.batch_size": 2,
                "data.train.synthetic.identities": [0, 4],
                "train.steps": 1,
                "train.validate_every": 0,
                "train.preview_every": 0,
            },
        }
    },
    "pictures": {"shown": "composite", "beside": ["masked", "image"], "count": 3},
}


def ablate(folder, *words, **changes):
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT | changes, sort_keys=False))
    return call("tools/ablation", path, "--output", folder / "out", "--device", "cpu", *words)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(result of the command, its folder) of the whole ablation."""
    folder = tmp_path_factory.mktemp("ablation")
    result = ablate(folder)
    assert result.returncode == 0, result.stderr
    return result, folder


@pytest.fixture
def copied(finished, tmp_path):
    """A folder of one's own with everything trained."""
    shutil.copytree(finished[1] / "out", tmp_path / "out")
    return tmp_path


def results(folder):
    return json.loads((folder / "out" / "results.json").read_text())


@pytest.fixture
def no_training(monkeypatch):
    def started(words, **options):
        assert not any(str(word).endswith("train.py") for word in words), "something is trained"
        return real(words, **options)

    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", started)


@pytest.mark.slow
def test_variants_are_trained_and_compared(finished):
    result, folder = finished
    found, runs = results(folder), results(folder)["runs"]
    assert {name: list(seeds) for name, seeds in runs.items()} == {PLAIN: ["0", "5"], SLOW: ["0", "5"]}
    for key in KEYS:
        values = {name: np.array([scores[key] for scores in seeds.values()]) for name, seeds in runs.items()}
        for name in runs:
            own = found["variants"][name][key]
            assert (own["mean"], own["sd"]) == pytest.approx((values[name].mean(), values[name].std(ddof=1)))
        own = found["differences"][SLOW][key]
        gaps = values[SLOW] - values[PLAIN]
        assert (own["mean"], own["sd"]) == pytest.approx((gaps.mean(), gaps.std(ddof=1)))
    gap = np.abs(np.subtract(*[[scores[KEYS[0]] for scores in seeds.values()] for seeds in runs.values()]))
    assert gap.min() > 1e-3  # a variant that is different is different for every seed
    table = (folder / "out" / "table.md").read_text()
    assert table in result.stdout and f"| {SLOW} | 2 |" in table and "not run" not in table


@pytest.mark.slow
def test_all_are_scored_on_the_same_pictures_and_holes(finished):
    """What the training cannot change is equal in all runs, though they differ in seed."""
    runs = [scores for seeds in results(finished[1])["runs"].values() for scores in seeds.values()]
    assert len({scores["psnr/masked"] for scores in runs}) == 1
    assert len({scores["judge/nme/image"] for scores in runs}) == 1
    assert len({scores["psnr/composite"] for scores in runs}) == 4


@pytest.mark.slow
def test_pictures_have_a_column_for_each_variant(finished):
    folder, side = finished[1] / "out", 32
    sheet = read_image(folder / "pictures.png")[-3 * side :]
    assert sheet.shape[1] == 4 * side
    own = read_image(folder / SLOW / "seed_0" / "sheet.png")
    composite, true = (LandmarkInpainting.shown.index(kind) for kind in ("composite", "image"))
    np.testing.assert_array_equal(sheet[:, 3 * side :], own[:, composite * side : (composite + 1) * side])
    np.testing.assert_array_equal(sheet[:, side : 2 * side], own[:, true * side : (true + 1) * side])


@pytest.mark.slow
def test_what_is_finished_is_not_done_again(copied, no_training):
    before = results(copied)
    assert ablate(copied).returncode == 0
    assert results(copied) == before


@pytest.mark.slow
def test_another_configuration_is_refused(copied, no_training):
    result = ablate(copied, "-o", "recipe.adversarial_weight=1")
    assert result.returncode == 2
    assert f"{PLAIN}/seed_0: was trained with another 'recipe.adversarial_weight'" in result.stderr


@pytest.mark.slow
def test_an_interrupted_training_goes_on_at_its_checkpoint(copied):
    """Its last step and its scores are gone; it ends with the very same numbers."""
    before, place = results(copied), copied / "out" / SLOW / "seed_0"
    for name in ("trained.json", "scores.json"):
        (place / name).unlink()
    shutil.rmtree(place / "run" / "step_0000002")
    (place / "console.txt").unlink()
    assert ablate(copied, "--report").returncode == 0  # of what is finished
    assert list(results(copied)["runs"][SLOW]) == ["5"]
    assert ablate(copied).returncode == 0
    assert "step_0000001 at step 1" in (place / "console.txt").read_text()
    assert results(copied) == before


@pytest.mark.slow
def test_a_training_that_fails_says_why(tmp_path):
    judges = {"judge": EXPERIMENT["judges"]["judge"] | {"overrides": {"data.train.root": "absent"}}}
    result = ablate(tmp_path, judges=judges)
    assert result.returncode == 2
    assert "judges/judge: training ended with status 2: error: absent" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_sigterm_ends_the_training_too(tmp_path):
    """The training saves its checkpoint and is gone when the command is."""
    path = tmp_path / "long.yaml"
    overrides = EXPERIMENT["overrides"] | {"recipe.phase_steps": [0, 0, 100_000], "train.save_every": 0}
    path.write_text(
        yaml.safe_dump(
            EXPERIMENT | {"overrides": overrides, "judges": {}, "scores": {KEYS[0]: {"better": "higher"}}},
            sort_keys=False,
        )
    )
    run = tmp_path / "out" / PLAIN / "seed_0"
    process = subprocess.Popen(command("tools/ablation", path, "--output", tmp_path / "out"), stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (run / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert "stopped by" in (run / "console.txt").read_text()
    assert len(list((run / "run").glob("step_*/meta.json"))) == 1
    assert not (run / "trained.json").exists()
