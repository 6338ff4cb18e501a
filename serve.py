"""A page in the browser and a service over HTTP: restore, fill, caricature, detect, verify.

python serve.py
python serve.py --data data/WebCaricature
python serve.py --model gfpgan=inference/gfpgan --model gpen=inference/gpen_256 --port 8000

Without --model the small weights that are shipped are exported once, into the cache folder, and served. The service is
for this machine alone unless --host says otherwise, which needs --token. docs/serving.md has the routes.
"""

import hashlib
import signal
import socket
import subprocess
import sys
from argparse import ArgumentTypeError
from contextlib import ExitStack, contextmanager
from pathlib import Path

import engine  # noqa: F401  thread environment before Paddle
from deploy.limits import Limits
from engine.errors import InputError
from engine.flags import Flag, at_least, boolean, guarded, read

ROOT = Path(__file__).resolve().parent
SHIPPED = ("gpen_lite", "gfpgan_lite", "partialconv_lite", "landmark_lite", "satnet_lite", "sphereface_lite")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def seconds(text):
    """A positive number of seconds."""
    if not 0 < float(text) < 1e6:
        raise ArgumentTypeError(f"found {text}, expected a number of seconds above 0")
    return float(text)


FLAGS = {
    "model": Flag("an exported model and its name here", metavar="NAME=DIR", many=True),
    "host": Flag("address to listen at", default="127.0.0.1", metavar="HOST"),
    "port": Flag("port to listen at; 0: any that is free", at_least(0), default=8000, metavar="N"),
    "token": Flag("what Authorization: Bearer has to say", metavar="TEXT"),
    "page": Flag("the page at /, beside the service", boolean, default=True),
    "data": Flag("a folder of pictures, or WebCaricature, to look at in the page", metavar="DIR"),
    "cpu_threads": Flag("of each model; default: usable cores", at_least(1), metavar="N"),
    "max_body": Flag("bytes of a request", at_least(1), default=Limits.body, metavar="N"),
    "max_pixels": Flag("of a picture", at_least(1), default=Limits.pixels, metavar="N"),
    "max_seconds": Flag("from the first byte to the answer", seconds, default=Limits.seconds, metavar="S"),
    "max_requests": Flag("requests at work at one time", at_least(1), default=Limits.requests, metavar="N"),
}


def key_of(*files):
    """What an export depends on, as 12 hex digits: the files, and the code of networks and exporter."""
    code = [path for room in ("model", "system") for path in sorted((ROOT / room).rglob("*.py"))]
    code += [ROOT / "deploy" / name for name in ("export.py", "contract.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in (*files, *code))).hexdigest()[:12]


def shipped(cache):
    """Name -> folder of the small models, exported by export_model.py where that was not done for these files."""
    found = {}
    for config in SHIPPED:
        weights = ROOT / "weights" / "lite" / f"{config}.pdparams"
        folder = cache / "served" / f"{config}-{key_of(weights, ROOT / 'configs' / f'{config}.yaml')}"
        found[config.removesuffix("_lite")] = folder
        if (folder / "inference.yaml").is_file():
            continue
        print(f"exporting {config} into {folder}, once", flush=True)
        words = ["-c", f"configs/{config}.yaml", f"--pretrained={weights}", f"--save_inference_dir={folder}"]
        run = subprocess.run([sys.executable, "export_model.py", *words], cwd=ROOT, capture_output=True, text=True)
        if run.returncode:
            raise InputError(f"exporting {config} failed: {run.stderr.strip() or run.stdout.strip()}")
    return found


def named(words):
    """Name -> folder of words NAME=DIR. InputError for another word."""
    for word in words:
        if not all(word.partition("=")):
            raise InputError(f"--model {word}: expected NAME=DIR")
    names = [word.partition("=")[0] for word in words]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--model {twice[0]}: is named twice; expected another name for each")
    return {name: folder for name, _, folder in (word.partition("=") for word in words)}


def bound(host, port):
    """A listening socket. asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        raise InputError(f"--host {host} --port {port}: cannot be listened at ({error.strerror})") from None
    return listener


@contextmanager
def ended_by_signals(server, pages_end):
    """SIGINT and SIGTERM let a server finish what it has begun; uvicorn's own way dies of the signal afterwards."""

    def leave(number, frame):
        server.handle_exit(number, frame)
        if pages_end:
            pages_end()

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main():
    """Open the models, say where the service is, serve until SIGINT or SIGTERM."""
    args = read(__doc__, FLAGS)
    if args.host not in LOOPBACK and not args.token:
        raise InputError(f"--host {args.host}: other machines can ask; expected --token TEXT beside it")
    folders = named(args.model)
    try:
        import uvicorn

        from deploy.page.mounting import mounted
        from deploy.predictor import keep_memory
        from deploy.served import Models
        from deploy.service import make_app
        from engine.weights.fetch import cache_folder
    except ImportError as error:
        raise InputError(f"{error.name} is missing; expected pip install -r requirements-web.txt") from None
    keep_memory()
    options = {"cpu_threads": args.cpu_threads} if args.cpu_threads else {}
    models = Models.open(folders or shipped(cache_folder()), **options)
    limits = Limits(args.max_body, args.max_pixels, args.max_seconds, args.max_requests, args.token or "")
    app = make_app(models, limits)
    with ExitStack() as ending:
        ending.callback(models.end)
        pages_end = ending.enter_context(mounted(app, args.data)) if args.page else None
        config = uvicorn.Config(app, args.host, args.port, log_level="warning", server_header=False)
        listener = bound(args.host, args.port)
        print(f"serving {', '.join(models.names())} at http://{args.host}:{listener.getsockname()[1]}", flush=True)
        server = uvicorn.Server(config)
        server.capture_signals = lambda: ended_by_signals(server, pages_end)
        server.run([listener])
    return 0


if __name__ == "__main__":
    guarded(main)
