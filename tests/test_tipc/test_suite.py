"""Which chains of which systems `make tipc` runs; that a chain runs is the chains' own tests."""

from pathlib import Path

import pytest

from engine.errors import ConfigError
from test_tipc import suite

SYSTEMS = sorted(path.name for path in Path("test_tipc/configs").iterdir())


def test_the_lite_chain_is_every_system():
    assert suite.chosen([], "lite") == [(name, "lite") for name in SYSTEMS]


def test_one_chain_of_one_system():
    assert suite.chosen(["GPEN"], "onnx") == [("GPEN", "onnx")]


def test_all_leaves_out_what_has_no_file():
    pairs = suite.chosen([], "all")
    assert ("GPEN", "data_parallel") in pairs and ("PartialConv", "data_parallel") not in pairs
    assert {name for _, name in pairs} >= {"lite", "amp", "to_static", "data_parallel", "onnx", "int8", "benchmark"}
    assert {system for system, name in pairs if name == "onnx"} == set(SYSTEMS)


@pytest.mark.parametrize(
    ("models", "chain", "text"),
    [
        (["GEPN"], "lite", "test_tipc/configs/GEPN/: no such system; known: GFPGAN, GPEN"),
        ([], "onxn", "--chain=onxn: unknown; known: lite, amp"),
        (["SATNet"], "int8", "--chain=int8: SATNet has no train_ptq_infer_python.txt"),
    ],
)
def test_a_wrong_word_is_one_line(models, chain, text):
    with pytest.raises(ConfigError) as caught:
        suite.chosen(models, chain)
    assert str(caught.value).startswith(text) and "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(suite.RESULTS.glob("*.txt")), ids=lambda path: path.stem)
def test_recorded_results_are_those_of_the_shipped_weights(path):
    """`make tipc CHAIN=compare MODEL=NAME`, the documented command, in this process."""
    model = path.stem.split("_")[1]
    assert suite.run_one(model, "compare")[0] == 0
