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
from contextlib import ExitStack, contextmanager
from pathlib import Path

import engine  # noqa: F401  thread environment before Paddle
from deploy.serving_flags import FLAGS as COMMON
from deploy.serving_flags import limits_of, named
from engine.errors import InputError
from engine.flags import Flag, at_least, boolean, guarded, read
from engine.programs import called

ROOT = Path(__file__).resolve().parent
SHIPPED = (  # the first of a task is the one for requests that name none
    "gfpgan_128_lite",
    "gpen_lite",
    "partialconv_128_lite",
    "landmark_lite",
    "satnet_lite",
    "sphereface_lite",
)
FLAGS = COMMON | {
    "page": Flag("also serve the page, at /", boolean, default=True),
    "data": Flag("folder of pictures, or WebCaricature, to show in the page", metavar="DIR"),
    "cpu_threads": Flag("threads per model; default: usable cores", at_least(1), metavar="N"),
}


def key_of(*files):
    """Hash of everything that an export depends on, 12 hex digits: the files, and the code of networks and exporter."""
    code = [path for room in ("model", "system") for path in sorted((ROOT / room).rglob("*.py"))]
    code += [ROOT / "deploy" / name for name in ("export.py", "contract.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in (*files, *code))).hexdigest()[:12]


def shipped(cache):
    """Name -> folder of the small models, exported by export_model.py where that was not done for these files."""
    found = {}
    for config in SHIPPED:
        weights = ROOT / "weights" / "lite" / f"{config}.pdparams"
        folder = cache / "served" / f"{config}-{key_of(weights, ROOT / 'configs' / f'{config}.yaml')}"
        found[config.partition("_")[0]] = folder
        if (folder / "inference.yaml").is_file():
            continue
        print(f"exporting {config} into {folder}, once", flush=True)
        words = ["-c", f"configs/{config}.yaml", f"--pretrained={weights}", f"--save_inference_dir={folder}"]
        called("export_model.py", *words, folder=ROOT)
    return found


def bound(host, port):
    """A socket with its address. asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise InputError(f"--host {host} --port {port}: cannot listen there ({error.strerror})") from None
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
    limits, folders = limits_of(args), named(args.model)
    if args.data and not args.page:
        raise InputError("--data: is shown in the page; leave --page False out")
    listener = bound(args.host, args.port)  # mistakes are told before models are loaded
    try:
        import uvicorn

        from deploy.page.data_set import DataSet
        from deploy.page.mounting import mounted
        from deploy.predictor import keep_memory
        from deploy.served import Models
        from deploy.service import make_app
        from engine.weights.fetch import cache_folder
    except ImportError as error:
        raise InputError(f"{error.name} is missing; expected pip install -r requirements-web.txt") from None
    data = DataSet(args.data) if args.data else None
    keep_memory()
    options = {"cpu_threads": args.cpu_threads} if args.cpu_threads else {}
    models = Models.open(folders or shipped(cache_folder()), batch=limits.batch, **options)
    app = make_app(models, limits)
    with ExitStack() as ending:
        ending.callback(models.end)
        pages_end = ending.enter_context(mounted(app, data)) if args.page else None
        config = uvicorn.Config(app, args.host, args.port, log_level="warning", server_header=False)
        listener.listen(128)  # only now: a client that came while models were loaded would have waited
        print(f"serving {', '.join(models.names())} at http://{args.host}:{listener.getsockname()[1]}", flush=True)
        server = uvicorn.Server(config)
        server.capture_signals = lambda: ended_by_signals(server, pages_end)
        server.run([listener])
    return 0


if __name__ == "__main__":
    guarded(main)
