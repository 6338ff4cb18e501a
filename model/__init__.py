"""Networks only: no losses, no files. `shared/` holds the blocks with two or more users."""

from engine import runtime  # noqa: F401  thread environment before Paddle
