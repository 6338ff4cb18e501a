"""Paper-agnostic machinery: configuration, training loop, checkpoints, logs, prediction.

Importing this package sets the environment that Paddle reads when it is imported, so it comes before that.
"""

__version__ = "0.2.0"

from engine import runtime

runtime.prepare()
runtime.quieten_paddle()
