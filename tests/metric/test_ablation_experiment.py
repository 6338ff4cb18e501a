"""Experiment files: those of the project can be run, and every mistake is one line before anything is trained."""

from pathlib import Path

import pytest
import yaml

from engine.errors import ConfigError
from engine.system import build_system
from metric.evaluation import registry
from metric.evaluation.ablation_experiment import base_config, read_experiment, variant_config
from metric.evaluation.weights import MetricWeights

EXPERIMENTS = sorted(Path("experiments").glob("*.yaml"))
GOOD = {
    "config": "configs/landmark_lite.yaml",
    "seeds": [3, 4],
    "overrides": {"train.log_every": 7},
    "variants": {"none": {"recipe.landmark": "none"}, "loss": {"recipe.landmark": "loss"}},
    "scores": {"psnr/composite": {"better": "higher"}, "j/nme/composite": {"better": "lower"}},
    "judges": {"j": {"config": "configs/landmark_predictor_lite.yaml"}},
}


def read(folder, words=(), **changes):
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes, sort_keys=False))
    return read_experiment(path, words)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiments_of_the_project(path):
    experiment = read_experiment(path)
    assert len(experiment.seeds) >= 3
    assert f"python tools/ablation.py {path}" in path.read_text(encoding="utf-8").split("\n")[1]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_score_of_an_experiment_is_computed(path):
    """Those of whole sets; those of pictures and judges are checked when the file is read."""
    experiment = read_experiment(path)
    config = base_config(experiment)
    system = build_system(config)
    asked = {score.partition("/")[0] for score in experiment.scores} & system.measures().keys()
    found, missing = registry.own_measures(system, asked, MetricWeights())
    assert asked <= {scorer.names[0] for scorer in found} and not missing.keys() & asked


def test_there_are_experiments():
    assert EXPERIMENTS


def test_who_overrides_whom(tmp_path):
    """The command line comes after the file, a variant after both, and the seed is the run's."""
    experiment = read(tmp_path, [("train.log_every", 9), ("recipe.landmark", "both")])
    config = variant_config(experiment, "loss", 4)
    assert (config.train.log_every, config.recipe.landmark, config.seed) == (9, "loss", 4)
    assert base_config(experiment).recipe.landmark == "both"
    assert base_config(experiment).seed == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"varants": {}}, "unknown key 'varants'. Did you mean 'variants'"),
        ({"seeds": [1, 1]}, "a seed is given twice"),
        ({"seeds": []}, "seeds: .*at least 1"),
        ({"variants": {"none": {}}}, "variants: .*at least 2"),
        ({"variants": {"none": {}, "a b": {}}}, "variants.a b"),
        (
            {"variants": {"none": {}, "loss": {"recipe.landmrk": "loss"}}},
            r"variants.loss.recipe.landmrk: .*unknown key 'landmrk'. Did you mean 'landmark'",
        ),
        (
            {"variants": {"none": {}, "loss": {"recipe.landmark": "lost"}}},
            r"variants.loss.recipe.landmark: .*found 'lost'",
        ),
        ({"variants": {"none": {}, "loss": {"data.validation.image_size": 32}}}, "scored on one held-out set"),
        ({"overrides": {"seed": 4}}, "overrides sets seed"),
        ({"scores": {"psnr/composit": {"better": "higher"}}}, "'psnr/composit' is not known; expected one of psnr"),
        ({"scores": {"verification/auc": {"better": "higher"}}}, "'verification/auc' is not known"),
        ({"scores": {"psnr/composite": {"better": "more"}}}, "scores.psnr/composite.better"),
        ({"baselines": {"plain": {"ssim/composite": "ssim/masked"}}}, "'ssim/composite', which is not in scores"),
        ({"baselines": {"plain": {"psnr/composite": "psnr/hidden"}}}, "'psnr/hidden' is not known"),
        ({"judges": {"j": {"config": "configs/gpen_lite.yaml"}}}, "judges.j: GPEN has no measures"),
        ({"pictures": {"shown": "nothing"}}, "pictures: 'nothing' is not known; expected one of masked, output"),
    ],
)
def test_mistakes_are_one_line(tmp_path, changes, said):
    with pytest.raises(ConfigError, match=said) as caught:
        read(tmp_path, **changes)
    assert "\n" not in str(caught.value) and "experiment.yaml" in str(caught.value)


def test_the_command_line_is_checked_too(tmp_path):
    with pytest.raises(ConfigError, match="overrides sets seed"):
        read(tmp_path, [("seed", 4)])
