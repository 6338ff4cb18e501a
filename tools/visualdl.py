"""Show a run's curves and pictures with VisualDL, in browsers of any language.

python tools/visualdl.py --logdir runs/gpen_lite/visualdl

VisualDL 2.5.3 answers browsers that ask for neither English nor Chinese with an error; here they get English. The page
is for this machine alone unless --host says otherwise, and nothing is asked of the network.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.errors import InputError
from engine.flags import Flag, choice, guarded, port, read

LANGUAGES = ("en", "zh")
FLAGS = {
    "logdir": Flag("folders of logs", metavar="DIR", required=True, many=True),
    "host": Flag("address to listen on", aliases=("-t",), default="127.0.0.1", metavar="HOST"),
    "port": Flag("port to listen on; 0: any free port", port, aliases=("-p",), default=8040, metavar="N"),
    "language": Flag(
        "language of the page; default: the browser's", choice(*LANGUAGES), aliases=("-L",), metavar="en|zh"
    ),
    "cache_timeout": Flag("seconds to keep a log in memory", int, default=20, metavar="S"),
    "public_path": Flag("path of the page", default="/app", metavar="PATH"),
    "theme": Flag("theme of the page", choice("light", "dark"), metavar="light|dark"),
}


def understood(served):
    """A WSGI application whose visitors ask for a language that VisualDL has."""

    def answer(environ, start_response):
        asked = environ.get("HTTP_ACCEPT_LANGUAGE", "").lower().split(",")
        if not any(part.strip().startswith(LANGUAGES) for part in asked):
            environ = {**environ, "HTTP_ACCEPT_LANGUAGE": "en"}
        return served(environ, start_response)

    return answer


def main():
    """Start VisualDL's own application and say where it is."""
    args = read(__doc__, FLAGS)
    for folder in args.logdir:
        if not Path(folder).is_dir():
            raise InputError(f"--logdir {folder}: no such folder; expected a run's folder visualdl")
    own = Path(__file__).resolve().parent  # this file has the name of the package it starts
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != own]
    from visualdl.server.app import create_app
    from visualdl.server.args import ParseArgs
    from werkzeug.serving import make_server

    app = create_app(ParseArgs(**vars(args), telemetry=False))
    try:
        server = make_server(args.host, args.port, understood(app.wsgi_app))
    except (OSError, SystemExit):
        raise InputError(f"--port {args.port}: is in use on {args.host}; expected a free port, or 0") from None
    print(f"VisualDL at http://{args.host}:{server.port}{args.public_path}; Ctrl-C ends it", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    guarded(main)
