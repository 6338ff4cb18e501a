"""Lexing, recognition and remarks of the TIPC parser."""

import pytest

from engine.errors import ConfigError, InputError
from test_tipc.parser import Line, check_mode, read_config, setting
from test_tipc.slots import MODES
from tests.test_tipc.conftest import SHIPPED


def errors(config):
    return [str(notice) for notice in config.notices if notice.is_error]


@pytest.mark.parametrize("name, dialect", [("train_infer_python", "full51"), ("train_infer_python_32", "lite32")])
def test_shipped_files_are_recognised_and_clean(name, dialect):
    config = read_config(SHIPPED / f"{name}.txt")
    assert config.dialect == dialect
    assert config.notices == []
    assert config.value("model_name") == "GPEN"
    assert config.value("train_model_name") == "latest.pdparams"


@pytest.mark.parametrize(
    "text, key, value, cut",
    [
        ("a:b:c:d", "a", "b", "c:d"),
        ("no colon", "no colon", "", ""),
        ("a:", "a", "", ""),
        ("2onnx: p2o ", "2onnx", " p2o ", ""),
    ],
)
def test_line_is_cut_at_the_second_colon(text, key, value, cut):
    line = Line(1, text)
    assert (line.key, line.value, line.cut) == (key, value, cut)


@pytest.mark.parametrize(
    "key, value, text",
    [
        ("--a", "1", "--a=1"),
        ("null", "1", " "),
        ("--a", "null", " "),
        ("--a", " ", " "),
        ("--a", "", " "),
        ("-o x.y", "2", "-o x.y=2"),
    ],
)
def test_setting(key, value, text):
    assert setting(key, value) == text


def test_mode_lists(chain):
    config = read_config(chain.write_config(edits={7: "-o epochs:lite_train_lite_infer=2=3|whole_infer=9"}))
    assert config.for_mode("iterations", "lite_train_lite_infer") == "2"
    assert config.for_mode("iterations", "whole_infer") == "9"
    assert config.for_mode("iterations", "lite_train_whole_infer") == ""


def test_choices_split_as_bash_splits(chain):
    config = read_config(chain.write_config(edits={42: "--use_mkldnn:True|False|"}))
    assert config.choices("use_mkldnn") == ["True", "False"]


def test_inserted_line_is_named(chain):
    path = chain.write_config(edits={16: "norm_train:train.py\nextra:1"})
    assert any(
        "chain.txt:25: error: misplaced: 'eval:' belongs to slot 24, stands in slot 25" in e
        for e in errors(read_config(path))
    )


def test_line_inserted_above_trainer_is_named(chain):
    path = chain.write_config(edits={5: "--device:cpu\nextra:1"})
    with pytest.raises(ConfigError, match="'trainer:' must be line 15 .* found at line 16"):
        read_config(path)


@pytest.mark.parametrize(
    "line, text, message",
    [
        (24, "eval:", "24: error: empty command: write 'eval:null'"),
        (6, "--precision:", "6: error: empty list: '--precision:' would run nothing"),
        (14, "key:value", "14: error: misplaced: slot 14 should be a separator"),
        (41, "--use_gpu:xpu", "41: error: unknown device word 'xpu'; known: False, cpu, True, gpu"),
        (16, "norm_train:train.py && rm -r x", "16: error: shell syntax & in a command"),
    ],
)
def test_slot_errors_name_file_and_line(chain, line, text, message):
    found = errors(read_config(chain.write_config(edits={line: text})))
    assert any(f"chain.txt:{message}" in error for error in found), found


def test_cut_value_and_trailing_blank_are_warnings(chain):
    config = read_config(chain.write_config(edits={12: "train_infer_img_dir:http://host/x", 43: "--cpu_threads:1 "}))
    texts = [str(notice) for notice in config.notices]
    assert any("chain.txt:12: warning: value is cut at its second ':'; 'http' is used" in text for text in texts)
    assert any("chain.txt:43: warning: trailing blank" in text for text in texts)
    assert config.value("cpu_threads") == "1 "


def test_crlf_reads_like_lf_with_a_warning(chain):
    path = chain.write_config()
    plain = read_config(path)
    with open(path, "rb+") as file:
        content = file.read().replace(b"\n", b"\r\n")
        file.seek(0)
        file.write(content)
    crlf = read_config(path)
    assert crlf.slots == plain.slots
    assert "CRLF" in crlf.notices[0].text and not crlf.notices[0].is_error


def test_blank_line_pushes_the_last_slot_out(chain):
    config = read_config(chain.write_config(edits={2: "model_name:GPEN\n"}))
    assert config.value("model_name") == "GPEN" and config.value("trainer") == "norm_train"
    assert any("slot 51 (infer_param) of 51 is missing: blank lines push it out" in error for error in errors(config))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nothing.txt: cannot be read .* expected a TIPC file"):
        read_config(tmp_path / "nothing.txt")


def test_unknown_mode_gets_a_suggestion():
    with pytest.raises(ConfigError, match="Did you mean 'lite_train_lite_infer'"):
        check_mode("lite_train_infer")
    assert [check_mode(mode) for mode in MODES] == [None] * 4
