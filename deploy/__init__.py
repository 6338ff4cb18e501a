"""From a picture to a picture: export, Paddle Inference, ONNX, files. Imports no network's code."""

import engine.runtime  # noqa: F401  thread environment before Paddle
