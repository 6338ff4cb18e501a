import time
from types import SimpleNamespace

import pytest

from deploy.inference import Stopwatch
from deploy.predictor import Options
from deploy.timing import report
from tests.deploy.contracts import contract, image


def test_stopwatch_separates_stages():
    watch = Stopwatch()
    for pause in (0.01, 0.03):
        with watch.stage("inference"):
            time.sleep(pause)
    assert watch.mean_milliseconds("inference") == pytest.approx(20, abs=15)
    assert watch.mean_milliseconds("preprocess") == 0
    assert watch.total() == pytest.approx(sum(watch.seconds["inference"]))


def test_report_has_the_keys_of_autolog():
    watch = Stopwatch()
    watch.seconds = {"preprocess": [0.001, 0.003], "inference": [0.5, 0.1], "postprocess": [0.002, 0.002]}
    config = SimpleNamespace(cpu_math_library_num_threads=lambda: 3)
    own = contract(image(8, 8), system="system.toy.Toy")
    predictor = SimpleNamespace(config=config, contract=own, options=Options(use_mkldnn=False))
    lines = report(watch, predictor, batch_size=4, count=6)
    assert all(line[:1] == "[" and "] root INFO: " in line for line in lines)
    said = [line.split("root INFO: ")[1] for line in lines]
    assert "preprocess_time(ms): 2.0000, inference_time(ms): 300.0000, postprocess_time(ms): 2.0000" in said
    for line in ("runtime_device: cpu", "enable_mkldnn: False", "cpu_math_library_num_threads: 3", "batch_size: 4",
                 "data_num: 6", "precision: fp32", "model_name: system.toy.Toy", "total time spent(s): 0.6080",
                 "ips: 9.868 images/s", "drivier_version: None"):  # fmt: skip
        assert line in said
    titles = [line for line in said if line.startswith("-----")]
    assert [title.strip("- ") for title in titles] == [
        "Env info", "Paddle info", "Conf info", "Model info", "Data info", "Perf info"]  # fmt: skip
