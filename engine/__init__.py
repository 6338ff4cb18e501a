"""Paper-agnostic machinery: configuration, training loop, checkpoints, logs, prediction.

Importing this package sets the thread environment, so it must come before the first `import paddle`.
"""

from engine import runtime

runtime.prepare()
