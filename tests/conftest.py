"""Shared fixtures. Importing `engine` first sets the thread environment before Paddle is imported."""

import logging
import signal

import pytest

import engine  # noqa: F401


@pytest.fixture(autouse=True)
def unused_log():
    """Every test finds the log as a fresh process does: the scripts attach it to the stdout of the test they run in."""
    logger = logging.getLogger("kintsugi")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


@pytest.fixture(autouse=True)
def broken_pipes_are_exceptions():
    """As Python starts; tools/convert_weights.py, run in this process, lets a closed pipe end it."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """What a test puts into the cache folder is not the user's."""
    monkeypatch.setenv("KINTSUGI_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def lite_models(tmp_path_factory):
    """Folders of exported models by name; whoever asks gets the same ones."""
    from tests.script_calls import call

    root = tmp_path_factory.mktemp("models")
    for name in ("gpen", "partialconv", "satnet", "sphereface"):
        words = ["-c", f"configs/{name}_lite.yaml", f"--pretrained=weights/lite/{name}_lite.pdparams"]
        assert call("export_model", *words, "--save_inference_dir", root / name).returncode == 0
    return {path.name: path for path in sorted(root.iterdir())}
