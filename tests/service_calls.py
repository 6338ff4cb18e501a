"""A server on loopback, a photo for it, and requests to it."""

import io
import re
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from data_loader.group_photo import group_photo
from engine import images
from tests.script_calls import ROOT, command

httpx = pytest.importorskip("httpx", reason="httpx (requirements-dev.txt) is absent")


def photo_of_three(path):
    """Write a photo of three faces; returns the file's path."""
    images.write_image(path, group_photo(240, 320)[0])
    return path


@contextmanager
def serving(models, log, *words):
    """(address, process) of a server."""
    line = command("serve", *(f"--model={name}={folder}" for name, folder in models.items()), "--port=0", *words)
    with open(log, "w") as file:
        child = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=file, text=True)
    try:
        said = child.stdout.readline()
        yield re.search(r"http://127\.0\.0\.1:\d+", said)[0], child
    finally:
        child.kill()
        child.communicate()


def ask(server, route, **parts):
    files = {name: (f"{name}.png", content) for name, content in parts.items()}
    return httpx.post(f"{server[0]}{route}", files=files, timeout=120)


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)))
