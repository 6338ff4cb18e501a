"""Write a model repository for Triton Inference Server: OUT/NAME/1/model.onnx and OUT/NAME/config.pbtxt.

python tools/triton_repository.py inference/gpen_256 repository --name gpen
tritonserver --model-repository repository

The ONNX form is compared with Paddle Inference before it is kept. Triton then answers the /v2 protocol, as serve.py.
Needs requirements-onnx.txt.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engine  # noqa: F401  thread environment before Paddle
from engine.flags import Flag, at_least, guarded, read

PLACES = {
    "model": Flag("folder that export_model.py wrote", metavar="MODEL", required=True),
    "out": Flag("folder of the model repository", metavar="OUT", required=True),
}
FLAGS = {
    "name": Flag("name of the model in Triton; default: that of the folder", metavar="NAME"),
    "batch": Flag("most pictures per run", at_least(1), default=8, metavar="N"),
}


def main():
    """Convert, compare, write, say how far the two are apart."""
    args = read(__doc__, FLAGS, places=PLACES)
    from deploy.triton import write_repository

    name = args.name or Path(args.model).resolve().name
    for batch, difference in write_repository(args.model, args.out, name, args.batch).items():
        print(f"{args.out}/{name}: {batch}: largest difference to Paddle Inference {difference:.1e}")
    return 0


if __name__ == "__main__":
    guarded(main)
