"""Make the picture of the README from drawn faces and the shipped weights: docs/pictures/before_after.jpg.

python tools/make_pictures.py

Needs lite_data/ (tools/make_lite_data.py). `make pictures` does both.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.errors import InputError
from engine.flags import Flag, guarded, read
from engine.programs import called

FLAGS = {"output": Flag("picture to write", default="docs/pictures/before_after.jpg", metavar="FILE")}
DATA = Path("lite_data/val")
RESTORED, HOLED, DRAWN = "face_100001.png", "face_100004.png", "face_100007.png"
SIDE = 160
PHOTO = (240, 480)  # height, width


def predicted(name, picture, folder, *words):
    """Result of predict.py for the file `picture` with the shipped weights of configuration `name`."""
    from engine import images

    weights = f"weights/lite/{name}.pdparams"
    called("predict.py", "-c", f"configs/{name}.yaml", "--pretrained", weights, "--img", picture, "-o", folder, *words)
    return images.read_image(next(Path(folder).glob(f"{picture.stem}_*predict*.png")))


def photo_row(folder):
    """A drawn photo of three people, degraded, and with its faces restored."""
    from data_loader.group_photo import written_photo
    from engine import images

    before, words = written_photo(folder, PHOTO, "configs/gfpgan_128_lite.yaml")
    after = predicted("gfpgan_128_lite", words[1], folder / "photo", *words[2:])
    return images.side_by_side([before, after], SIDE, "cubic")


def faces_row(folder):
    """Before and after of a restored face, of a filled hole and of a caricature."""
    import numpy as np

    from engine import images

    sitter, hole = DATA / "hq" / HOLED, images.read_image(DATA / "mask" / HOLED)
    holed = np.where(hole > 0.5, 1, images.read_image(sitter))
    filled = predicted("partialconv_128_lite", sitter, folder / "hole", "--mask", DATA / "mask" / HOLED)
    restored = predicted("gfpgan_128_lite", DATA / "lq" / RESTORED, folder / "face")
    caricature = predicted("satnet_lite", DATA / "hq" / DRAWN, folder / "caricature", "--to", "caricature")
    degraded, portrait = images.read_image(DATA / "lq" / RESTORED), images.read_image(DATA / "hq" / DRAWN)
    return images.side_by_side([degraded, restored, holed, filled, portrait, caricature], SIDE, "cubic")


def main(argv=None):
    """Restore a face and a photo, fill a hole, draw a caricature; write all of them into one picture."""
    args = read(__doc__, FLAGS, argv)
    import numpy as np

    from engine import images

    if not DATA.is_dir():
        raise InputError(f"{DATA}: not there; run python tools/make_lite_data.py")
    with tempfile.TemporaryDirectory() as name:
        faces, photo = faces_row(Path(name)), photo_row(Path(name))
    images.write_image(args.output, np.concatenate([faces, images.of_width(photo, faces.shape[1], "cubic")]))
    print(f"written: {args.output}")


if __name__ == "__main__":
    guarded(main)
