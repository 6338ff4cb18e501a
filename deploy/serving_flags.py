"""Flags of the programs that serve models over HTTP, and what they mean."""

import re
from argparse import ArgumentTypeError
from collections.abc import Sequence
from typing import Any

from deploy.limits import Limits
from engine.errors import InputError
from engine.flags import Flag, at_least, port

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def seconds(text: str) -> float:
    """A positive number of seconds."""
    if not 0 < float(text) < 1e6:
        raise ArgumentTypeError(f"found {text}, expected a number of seconds above 0")
    return float(text)


FLAGS = {
    "model": Flag("folder of an exported model, and its name in the service", metavar="NAME=DIR", many=True),
    "host": Flag("address to listen on", default="127.0.0.1", metavar="HOST"),
    "port": Flag("port to listen on; 0: any free port", port, default=8000, metavar="N"),
    "token": Flag("token that clients send as Authorization: Bearer", metavar="TEXT"),
    "batch": Flag("most pictures of several requests per run; 1: an answer does not depend on other requests",
                  at_least(1), default=Limits.batch, metavar="N"),
    "max_body": Flag("most bytes per request", at_least(1), default=Limits.body, metavar="N"),
    "max_pixels": Flag("most pixels per picture", at_least(1), default=Limits.pixels, metavar="N"),
    "max_seconds": Flag("most seconds from the first byte to the answer", seconds, default=Limits.seconds, metavar="S"),
    "max_requests": Flag("most requests at one time", at_least(1), default=Limits.requests, metavar="N"),
}  # fmt: skip


def limits_of(args: Any) -> Limits:
    """The limits of a command line. InputError: other machines may ask and no token is named."""
    if args.host not in LOOPBACK and not args.token:
        raise InputError(f"--host {args.host}: other machines can reach the service; add --token TEXT")
    most = args.max_body, args.max_pixels, args.max_seconds, args.max_requests
    return Limits(*most, args.token or "", args.batch)


def named(words: Sequence[str]) -> dict[str, str]:
    """Name -> folder of words NAME=DIR. InputError for another word, or a name that cannot stand in an address."""
    for word in words:
        if not all(word.partition("=")):
            raise InputError(f"--model {word}: expected NAME=DIR")
        if not re.fullmatch(r"[\w.-]+=.*", word):
            raise InputError(f"--model {word}: a name has letters, digits, '_', '-' and '.' only")
    names = [word.partition("=")[0] for word in words]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--model {twice[0]}: is named twice; give each model a name of its own")
    return {name: folder for name, _, folder in (word.partition("=") for word in words)}
