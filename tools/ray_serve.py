"""Serve exported models over HTTP from several machines: serve.py as a Ray Serve deployment.

python tools/ray_serve.py --model gpen=inference/gpen_256 --replicas 2
python tools/ray_serve.py --address 10.0.0.1:6379 --model gpen=/models/gpen_256 --replicas 4 --host 0.0.0.0 --token TEXT

Without --address a cluster begins on this machine and ends with the program; with it the service stays on that cluster
when the program ends, until --stop. Needs requirements-serve.txt. docs/serving.md has the whole.
"""

import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deploy import ray_serve  # noqa: I001
from deploy.serving_flags import FLAGS as COMMON, limits_of, named
from engine.errors import InputError
from engine.flags import Flag, at_least, boolean, guarded, read

FLAGS = COMMON | {
    "address": Flag("head of a Ray cluster; default: a new cluster on this machine", metavar="HOST:PORT"),
    "replicas": Flag("number of processes; each holds all models", at_least(1), default=2, metavar="N"),
    "cpus": Flag("processors per replica", at_least(1), default=1, metavar="N"),
    "stop": Flag("remove the service from the cluster", boolean, default=False, bare="True"),
}


def main():
    """Connect, serve; of a cluster of its own until SIGINT or SIGTERM."""
    args = read(__doc__, FLAGS)
    limits, folders = limits_of(args), named(args.model)
    if args.stop:
        if not args.address:
            raise InputError("--stop: add --address HOST:PORT")
        ray_serve.connect(args.address)
        ray_serve.end()
        return 0
    if not folders:
        raise InputError("--model: is missing; expected NAME=DIR, a folder that export_model.py wrote")
    folders = {name: str(Path(folder).resolve()) for name, folder in folders.items()}
    plan = ray_serve.Plan(folders, limits, args.replicas, args.cpus, args.host, args.port)
    ended = threading.Event()
    ray_serve.connect(args.address, **({} if args.address else {"num_cpus": args.replicas * args.cpus}))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ray_serve.deploy(plan)
    print(f"serving {', '.join(folders)} at http://{args.host}:{args.port}, {args.replicas} replicas", flush=True)
    if not args.address:
        ended.wait()
        ray_serve.end()
    return 0


if __name__ == "__main__":
    guarded(main)
