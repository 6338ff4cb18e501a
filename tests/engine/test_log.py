import os
import pty
import subprocess
import sys
import termios
import time
from pathlib import Path

from engine import log
from engine.log import progress, stages

ROOT = Path(__file__).resolve().parents[2]


def on_a_terminal(*words):
    """What a program writes to a terminal that is its standard output and error; it has to end well."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, 100))
    process = subprocess.Popen([sys.executable, *map(str, words)], cwd=ROOT, stdout=its, stderr=its)
    os.close(its)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # Linux: the last writer has closed the terminal
        pass
    os.close(ours)
    assert process.wait() == 0, shown
    return shown.decode()


def test_silent_without_a_terminal(capsys):
    assert list(progress(iter([1, 2]), 2, "batch")) == [1, 2]
    with stages(2) as begin:
        begin("reading")
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(progress(iter([1, 2]), 2, "batch")) == [1, 2]
    assert "batch" in capsys.readouterr().err


def test_the_seconds_of_a_stage_go_on(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with stages(2) as begin:
        begin("reading")
        begin("writing")
        time.sleep(1.3)
    err = capsys.readouterr().err
    assert "reading" in err and "writing" in err and "1/2 [00:01]" in err


def test_conversion_shows_its_stages_on_a_terminal_and_one_line_in_a_file(tmp_path):
    files = ["weights/lite/gpen_lite.pdparams", tmp_path / "W.pth"]
    words = ["tools/convert_weights.py", *files, "--as", "gpen_generator"]
    shown = on_a_terminal(*words)
    assert all(f"{name}: " in shown for name in ("reading", "recognising", "writing")) and "2/3" in shown
    ended = subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(f"{tmp_path / 'W.pth'}: ") and ended.stdout.count("\n") == 1
    assert "reading" not in ended.stderr


def test_a_line_of_the_log_does_not_stick_to_the_bar(tmp_path):
    """Comparing an exported graph writes lines while its bar is there."""
    words = ["export_model.py", "-c", "configs/sphereface_lite.yaml", "--save_inference_dir", tmp_path / "model"]
    shown = on_a_terminal(*words, "--pretrained", "weights/lite/sphereface_lite.pdparams")
    assert "writing the graph: " in shown
    assert shown.count("oneDNN on, batch 1") == 1 and "\rPaddle 3, oneDNN on, batch 1" in shown


def test_messages_go_to_stdout_once(capsys):
    log.to_console()
    log.to_console()
    log.logger.info("a line")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a line\n", "")
