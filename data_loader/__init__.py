"""Pictures on disk, or drawn, to batches. Batches are RGB float32 [0, 1]; a mask's 1 is a hole."""

from engine import runtime  # noqa: F401  thread environment before Paddle
