"""The manifest of published weights: the one that is shipped, and mistakes in one."""

from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.weights.known import known_networks
from engine.weights.manifest import read_manifest


def test_the_manifest_that_is_shipped():
    entries = read_manifest()
    assert {"gpen_bfr_256", "ir_se50", "gfpgan_v1_4", "vgg19", "inception_fid", "lpips_alex"} <= entries.keys()
    for name, one in entries.items():
        if not one.parts:
            given = {field for field in ("size", "sha256") if getattr(one, field)}
            assert given ^ {"size", "sha256"} == set(one.unpublished), name
        assert one.licence and one.purpose, name
        assert not one.network or one.network in known_networks(), name
        assert not one.place or one.place.startswith("weights/")
        assert one.network or not one.place.endswith(".pdparams"), name
        assert not one.place or Path(one.place).suffix in (".pdparams", Path(one.file).suffix), name
        assert not one.url or one.url.startswith("https://"), name
    assert len({one.file for one in entries.values() if one.file}) == sum(bool(one.file) for one in entries.values())


@pytest.mark.parametrize(("text", "line"), [
    ("a: {licence: x, purpose: y}", r"a.*expected one of url, page and parts"),
    ("a: {licence: x, purpose: y, url: 'https://x', file: ..}", r"a.file: .*pattern"),
    *((f"a: {{licence: x, purpose: y, url: 'https://x', file: f, place: {place}}}", r"a.place: .*pattern")
      for place in ("../..", "weights/../../x", "/etc/passwd", "weights/", "weights//x", "other/x", "weights/.git")),
    ("a: {licence: x, purpose: y, url: 'ftp://x', file: f}", r"a.url: .*pattern"),
    ("a: {licence: x, purpose: y, url: 'https://x', file: ../f}", r"a.file: .*pattern"),
    ("a: {licence: x, purpose: y, url: 'https://x', file: f, sha256: abc}", r"a.sha256: .*pattern"),
    ("a: {licence: x, purpose: y, parts: [b]}", r"a.parts: no entry 'b'"),
    ("a: 3", r"a"),
])  # fmt: skip
def test_mistakes_in_a_manifest(tmp_path, text, line):
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"m.yaml.{line}"):
        read_manifest(tmp_path / "m.yaml")
