"""The command that fetches weights: what it downloads, converts and places; the hint where a file is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from engine.errors import InputError
from engine.weights import fetch
from engine.weights import manifest as manifest_module
from engine.weights.files import read_loss_weights, read_weights, write_torch
from engine.weights.manifest import fetch_hint
from model.gpen.network import GPENDiscriminator
from tests.tools.weights_server import entry
from tools import fetch_weights

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def published(server, tmp_path, monkeypatch):
    """A manifest with one discriminator on the server, to be placed in tmp_path."""
    arrays = {key: tensor.numpy() for key, tensor in GPENDiscriminator(8, narrow=1 / 64).state_dict().items()}
    write_torch(tmp_path / "source.pth", arrays)
    server.content = (tmp_path / "source.pth").read_bytes()
    fields = entry(server).model_dump(exclude_defaults=True)
    fields |= {"network": "gpen_discriminator", "place": "weights/critic.pdparams"}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"critic": fields}))
    monkeypatch.setattr(manifest_module, "MANIFEST", tmp_path / "manifest.yaml")
    monkeypatch.setattr(fetch, "ROOT", tmp_path)
    monkeypatch.setenv("KINTSUGI_CACHE", str(tmp_path / "cache"))
    return arrays


def test_the_command_downloads_converts_and_places(published, server, tmp_path, capsys, monkeypatch):
    place = tmp_path / "weights" / "critic.pdparams"
    fetch_weights.main([])
    assert capsys.readouterr().out.split()[:2] == ["critic", "-"]
    fetch_weights.main(["critic"])
    found = read_weights(place)
    assert found.keys() == published.keys() and all((found[key] == published[key]).all() for key in published)
    place.unlink()
    monkeypatch.setenv("KINTSUGI_OFFLINE", "1")
    fetch_weights.main(["critic"])
    assert place.exists() and len(server.seen) == 1
    fetch_weights.main(["critic", "--cache", str(tmp_path / "cache"), "--offline"])
    with pytest.raises(InputError, match="crtic: no such entry. Did you mean 'critic'"):
        fetch_weights.main(["crtic"])


def test_what_is_no_network_is_copied(published, server, tmp_path):
    fields = entry(server, network="").model_dump(exclude_defaults=True) | {"place": "weights/there/it.npz"}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump({"it": fields}))
    fetch_weights.main(["it"])
    assert (tmp_path / "weights" / "there" / "it.npz").read_bytes() == server.content


def test_a_missing_file_names_its_command(published, tmp_path, monkeypatch, caplog):
    place = tmp_path / "weights" / "critic.pdparams"
    command = "; `python tools/fetch_weights.py critic` brings it to weights/critic.pdparams"
    assert fetch_hint("elsewhere/critic.pdparams") == command and fetch_hint("other.pdparams") == ""
    with pytest.raises(InputError, match="No such file or directory") as caught:
        read_weights(place)
    assert str(caught.value).endswith(command)
    with pytest.raises(InputError) as caught:
        read_loss_weights(place, "style", "stop", "recipe.style_weight: 0")
    assert str(caught.value).endswith(f"or recipe.style_weight: 0{command}")
    monkeypatch.setattr(manifest_module, "MANIFEST", tmp_path / "none.yaml")
    assert fetch_hint(place) == ""


def test_a_missing_published_file_names_its_command():
    command = "; `python tools/fetch_weights.py gfpgan_v1_4` brings it into the cache and prints its path"
    with pytest.raises(InputError, match="No such file or directory") as caught:
        read_weights("elsewhere/GFPGANv1.4.pth")
    assert str(caught.value).endswith(command)


def test_the_cache_folder(monkeypatch, tmp_path):
    for name in ("KINTSUGI_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home")
    assert fetch.cache_folder() == Path("/home/.cache/kintsugi")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert fetch.cache_folder() == Path("/x/kintsugi")
    monkeypatch.setenv("KINTSUGI_CACHE", "/k")
    assert fetch.cache_folder() == Path("/k") and fetch.cache_folder("/n") == Path("/n")


@pytest.mark.slow
def test_in_a_process_of_its_own(published, server, tmp_path):
    command = [sys.executable, "tools/fetch_weights.py", "ir_se5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"KINTSUGI_OFFLINE": "1"})
    assert done.returncode == 2 and done.stderr.startswith("error: ir_se5: no such entry. Did you mean 'ir_se50'?")
