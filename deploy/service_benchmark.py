"""Cost of the service beside the work itself: a request against the same picture in a loop."""

import http.client
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from paddle import nn

from deploy.benchmark import first_graph
from deploy.export import write_graph
from deploy.files import encoded, returned
from deploy.predictor import Predictor, keep_memory
from deploy.session import Session
from engine import images, picture_files
from engine.errors import InputError
from engine.measuring import Limit, Row, in_turns
from engine.picture_files import Picture
from engine.ports import Exported, Port
from engine.run_config import RunConfig

ROOT = Path(__file__).resolve().parents[1]
CLIENTS, EACH = 8, 4  # clients, and pictures of each in one measurement
SERIES = 20  # requests of one client in one measurement
BOUNDARY = "a-boundary"


def light() -> Exported:
    """A network that takes no time to speak of, 64 px."""
    source, target = ([Port(name, (-1, 3, 64, 64))] for name in ("image", "restored"))
    return Exported(nn.Conv2D(3, 3, 5, padding=2), source, target)


def rows(config: RunConfig, title: str, repeats: int, pixels: np.ndarray) -> Iterator[Row]:
    """Rows of one convolution, where what is not the network shows, and of a system that restores faces.

    Args: see `graph_rows`.
    """
    yield from graph_rows(light(), "one convolution", repeats, pixels)
    yield from graph_rows(first_graph(config), f"{title}, random weights", repeats, pixels)


def graph_rows(exported: Exported, title: str, repeats: int, pixels: np.ndarray) -> Iterator[Row]:
    """Rows for one client and for eight, each beside the bare loop: decode, Session.apply, encode.

    Args:
        exported: of a system that restores faces.
        title: how the rows begin.
        repeats: of each measurement.
        pixels: [S, S, 3] RGB in [0, 1], a face of the network's size.
    """
    keep_memory()
    limit, content = Limit(), encoded(Picture(images.to_uint8(pixels)), ".png")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "inference"
        write_graph(exported, base)
        session = Session(Predictor(folder), 1)
        source, target = session.contract.picture.name, session.contract.outputs[0].name

        def bare():
            picture = picture_files.decode(content, "image")
            return encoded(returned(picture, session.apply({source: picture.pixels()})[target]), ".png")

        with _serving(folder) as ask:
            works: dict[str, tuple[Callable[[], object], int]] = {
                "Session.apply": (lambda: [session.apply({source: pixels}) for _ in range(SERIES)], SERIES),
                "decode, apply, encode": (lambda: [bare() for _ in range(SERIES)], SERIES),
                "one client": (lambda: ask(content, 1, SERIES), SERIES),
                f"{CLIENTS} clients": (lambda: ask(content, CLIENTS, EACH), CLIENTS * EACH),
            }
            timings = in_turns(limit, {name: work for name, (work, _) in works.items()}, repeats)
            each = {name: timing.seconds / works[name][1] for name, timing in timings.items()}
            for name, timing in timings.items():
                yield Row("service", f"{title}: {works[name][1]} x {name}", timing, None, _note(name, each))


def _note(name, each):
    """What a row says beside its time; `each`: seconds per picture of every row."""
    apply, bare = each["Session.apply"], each["decode, apply, encode"]
    if name == "one client":
        return f"{1e3 * (each[name] - apply):.1f} ms over Session.apply, {1e3 * (each[name] - bare):.1f} over the loop"
    share = f", {bare / each[name]:.2f} of the loop's" if name.endswith("clients") else ""
    return f"{1 / each[name]:.1f} pictures/s{share}"


@contextmanager
def _serving(folder: str) -> Iterator[Callable[[bytes, int, int], None]]:
    """A server in a process of its own; ask(picture, clients, requests of each)."""
    words = [f"--model=served={folder}", "--port=0", "--page=False"]
    with subprocess.Popen([sys.executable, "serve.py", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            found = re.search(r":(\d+)$", child.stdout.readline().strip())
            if found is None:
                raise InputError("serve.py did not start; run pip install -r requirements-web.txt")
            port = int(found[1])
            with ThreadPoolExecutor(CLIENTS) as pool:

                def ask(content, clients, count):
                    for done in [pool.submit(_asked, port, content, count) for _ in range(clients)]:
                        done.result()

                yield ask
        finally:
            child.terminate()


def _asked(port: int, content: bytes, count: int) -> None:
    """Restore a picture some times over one connection."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(count):
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        connection.request("POST", "/v1/restore?aligned=true", body, kind)
        answer = connection.getresponse()
        if answer.status != 200:
            raise InputError(f"the service answered {answer.status}: {answer.read()[:200]!r}")
        answer.read()
    connection.close()
