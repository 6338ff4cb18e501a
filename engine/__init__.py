"""Paper-agnostic machinery: configuration, training loop, checkpoints, logs, prediction.

Importing this package sets the thread environment and imports Paddle, so it comes before any other import of Paddle.
"""

__version__ = "0.1.0"

from engine import runtime

runtime.prepare()
runtime.import_paddle()
