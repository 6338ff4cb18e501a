"""Data sets: pictures from disk or drawn, made into batches. RGB float32 in [0, 1]; 1 in a mask is a hole."""

from engine import runtime  # noqa: F401  thread environment before Paddle
