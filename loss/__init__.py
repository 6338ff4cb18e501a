"""Loss terms: functions of tensors, or small classes where a term owns weights."""

from engine import runtime  # noqa: F401  thread environment before Paddle
