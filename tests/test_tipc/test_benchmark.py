"""The speed benchmark: its rows, its words, its commands, and that a rate is never invented."""

import json
from pathlib import Path

import pytest

from engine.errors import ConfigError
from test_tipc import benchmark
from tests.test_tipc.conftest import SHIPPED

CASE = "dynamic_bs2_fp32_DP_N1C1"
ROWS = [
    "=====to_static_train_benchmark_params=====",
    "to_static_train:--to_static=True",
    "=====train_benchmark_params=====",
    "batch_size:2|4",
    "fp_items:fp32|fp16",
    "epoch:40",
    "--profiler_options:batch_range=[10,20]",
    "flags:FLAGS_a=1;FLAGS_b=2",
]


def write(chain, edits=None, rows=ROWS):
    path = chain.write_config(edits=edits)
    lines = Path(path).read_text().splitlines()[:51]
    Path(path).write_text("\n".join(lines + rows) + "\n")
    return path


def test_rows_stand_behind_the_right_header(chain):
    rows = benchmark.benchmark_rows(write(chain))
    assert [rows[name].value for name in ("batch_size", "fp_items", "epoch")] == ["2|4", "fp32|fp16", "40"]
    assert rows["profiler"].key == "--profiler_options"


@pytest.mark.parametrize("rows, message", [(ROWS[:2], "found no header"), (ROWS[:5], "found 2 rows")])
def test_missing_rows_are_named(chain, rows, message):
    with pytest.raises(ConfigError, match=message):
        benchmark.benchmark_rows(write(chain, rows=rows))


def test_words(chain):
    rows = benchmark.benchmark_rows(write(chain))
    assert benchmark.cases(CASE, rows) == [CASE]
    assert benchmark.cases(None, rows) == [f"dynamic_bs{b}_{p}_DP_N1C4" for b in "24" for p in ("fp32", "fp16")]
    with pytest.raises(ConfigError, match="'bs2': expected a word such as"):
        benchmark.cases("bs2", rows)
    with pytest.raises(ConfigError, match="needs 4 GPUs, Paddle sees 0"):
        benchmark.check_cards("dynamic_bs2_fp32_DP_N1C4")


def test_commands_of_the_shipped_file(capsys):
    path = str(SHIPPED / "train_infer_python.txt")
    assert benchmark.main([path, "benchmark_train", "dynamicTostatic_bs3_bf16_DP_N1C1", "--dry-run"]) == 0
    profiled, measured = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {"--batch_size=3", "--precision=bf16", "--iters=40", "--to_static=True"} <= set(measured)
    assert [word.startswith("--profiler_options=") for word in profiled].count(True) == 1
    assert not any(word.startswith("--profiler_options") for word in measured)


def test_rate_is_the_mean_of_the_middle():
    rates = [1, 1] + [100] * 5 + [7] * 11 + [2] * 5
    text = "\n".join(f"ips: {rate} images/s" for rate in rates)
    assert benchmark.speed(text) == (7.0, 23)
    with pytest.raises(ConfigError, match="22 records with 'ips: NUMBER', expected 23 at least"):
        benchmark.speed("\n".join(text.splitlines()[1:]))


@pytest.mark.slow
def test_speed_file_holds_what_was_printed(chain, monkeypatch):
    monkeypatch.setenv("BENCHMARK_LOG_DIR", str(chain.folder / "bench"))
    assert benchmark.main([write(chain), "benchmark_train", CASE]) == 0
    (path,) = (chain.folder / "bench" / "index").iterdir()
    assert path.name == f"{chain.folder.name}_GPEN_bs2_fp32_DP_N1C1_speed"
    record = json.loads(path.read_text())
    assert (record["ips"], record["convergence_value"], record["batch_size"]) == (12.5, 0.25, 2)
    assert set(record) == {
        "model_branch",
        "model_commit",
        "model_name",
        "batch_size",
        "fp_item",
        "run_mode",
        "convergence_value",
        "convergence_key",
        "ips",
        "speed_unit",
        "device_num",
        "model_run_time",
        "frame_commit",
        "frame_version",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault, rows, message",
    [
        ("stalled", ROWS, "no 'ips: NUMBER' above 0"),
        ("untraced", ROWS, "the log names no profile"),
        ("none", [row.replace("epoch:40", "epoch:9") for row in ROWS], "9 records with 'ips: NUMBER', expected 23"),
    ],
)
def test_a_run_without_a_rate_fails_and_writes_no_speed(chain, monkeypatch, capsys, fault, rows, message):
    monkeypatch.setenv("BENCHMARK_LOG_DIR", str(chain.folder / "bench"))
    path = write(chain, {16: f"norm_train:train.py --fault={fault}"}, rows)
    assert benchmark.main([path, "benchmark_train", CASE]) == 1
    assert message in capsys.readouterr().out
    assert fault == "untraced" or not (chain.folder / "bench").exists()
