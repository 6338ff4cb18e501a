"""What the service refuses to start with, and which models it exports again."""

import runpy
import socket

import pytest

from tests.script_calls import ROOT, call

pytest.importorskip("httpx", reason="httpx (requirements-dev.txt) is absent")
pytest.importorskip("fastapi", reason="fastapi (requirements-web.txt) is absent")


def test_exports_are_made_again_where_weights_configuration_or_code_changed(tmp_path, monkeypatch):
    for room in ("model", "deploy"):
        (tmp_path / room).mkdir()
    files = [tmp_path / name for name in ("w", "c", "model/a.py", "deploy/export.py", "deploy/contract.py")]
    for path in files:
        path.write_text("1")
    found = runpy.run_path(str(ROOT / "serve.py"))["key_of"]
    monkeypatch.setitem(found.__globals__, "ROOT", tmp_path)
    keys = {found(*files[:2])}
    for path in files:
        path.write_text("2")
        keys.add(found(*files[:2]))
    assert len(keys) == 1 + len(files)


def test_mistakes_are_one_line(tmp_path):
    for words, expected in (
        (["--host=0.0.0.0"], "--host 0.0.0.0: other machines can reach the service; add --token TEXT"),
        (["--model=gpen"], "--model gpen: expected NAME=DIR"),
        (["--model=a/b=x"], "--model a/b=x: a name has letters, digits, '_', '-' and '.' only"),
        (["--model=a=x", "--model=a=y"], "--model a: is named twice"),
        (["--max_seconds=0"], "--max_seconds: found 0, expected a number of seconds above 0"),
        (["--port=0", f"--model=a={tmp_path}"], str(tmp_path)),
        (["--port=0", f"--data={tmp_path / 'none'}"], "none: no such folder"),  # before models are exported
        (["--data=.", "--page=False"], "--data: is shown in the page"),
        (["--port=99999"], "--port: expected 0 to 65535, found 99999"),
        (["--host=300.1.1.1", "--token=x"], "--host 300.1.1.1 --port 8000: cannot listen there ("),
    ):
        result = call("serve", *words)
        assert result.returncode == 2 and expected in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_a_port_in_use_is_told_before_anything_is_loaded():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = call("serve", f"--port={port}", "--model=a=nowhere")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"--host 127.0.0.1 --port {port}: cannot listen there (Address already in use)" in result.stderr
