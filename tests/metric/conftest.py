"""A small network in the place of the large ones of metrics."""

import pytest

from metric import networks
from tests.metric.tiny_network import Tiny


@pytest.fixture
def tiny(monkeypatch):
    for name in ("inception_fid", "ir_se50", "arcface_resnet18"):
        monkeypatch.setitem(networks.BUILDERS, name, Tiny)
