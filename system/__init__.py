"""One file per paper: its networks, its losses, its update rule."""

from engine import runtime  # noqa: F401  thread environment before Paddle
