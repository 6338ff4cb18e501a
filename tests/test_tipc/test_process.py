"""Words without a shell, time limits, interpreters."""

import sys
import time
from pathlib import Path

import pytest

from engine.errors import ConfigError
from test_tipc.process import argument_list, execute, interpreter


def test_words_are_split_quoted_and_globbed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text("")
    words = argument_list('python x.py --a="1 2" *.txt $HOME', "/py")
    assert words == ["/py", "x.py", "--a=1 2", "a.txt", "b.txt", "$HOME"]


def test_pattern_without_match_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"'run\*/x' matches no file"):
        argument_list("python x.py run*/x", "/py")


def test_open_quote_is_an_error():
    with pytest.raises(ConfigError, match="cannot be split"):
        argument_list("python 'x", "/py")


def test_status_and_output_are_kept(tmp_path):
    outcome = execute([sys.executable, "-c", "import sys; print('out'); sys.exit('err')"], tmp_path / "a" / "log", 20)
    assert outcome.status == 1 and not outcome.timed_out
    assert (tmp_path / "a" / "log").read_text().splitlines() == ["out", "err"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_time_limit_ends_the_whole_group(tmp_path):
    marker = tmp_path / "pid"
    child = f"import os, time; open({str(marker)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    began = time.monotonic()
    outcome = execute([sys.executable, "-c", code], tmp_path / "log", 2)
    assert outcome.timed_out and outcome.status != 0 and time.monotonic() - began < 20
    state = Path("/proc", marker.read_text(), "stat")
    ended = lambda: not state.exists() or " Z " in state.read_text()  # noqa: E731  gone, or dead and not yet collected
    deadline = time.monotonic() + 5
    while not ended() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ended()


def test_program_that_cannot_start(tmp_path):
    assert execute([str(tmp_path / "none")], tmp_path / "log", 5).status == 127


def test_interpreter_word_is_honoured_or_replaced_with_a_notice():
    assert interpreter(sys.executable) == (sys.executable, "")
    path, notice = interpreter("python3.7-none")
    assert path == sys.executable and "python3.7-none cannot be run" in notice
