"""Every face of a photo through a network: aligned crops in, the network's changes pasted back."""

from collections.abc import Sequence

import cv2
import numpy as np

from deploy.contract import Contract
from deploy.session import Session
from engine import images
from engine.errors import InputError
from engine.face_alignment import alignment, moved
from engine.face_detection import Face, warped

INSET, SOFT = 0.02, 0.08  # of the crop's side: nothing is pasted outside, all of it further inside


def crop_size(contract: Contract) -> tuple[int, int]:
    """(height, width) of the crops a network takes; its template, where none is named, is FFHQ's."""
    return contract.picture.shape[2], contract.picture.shape[3]


def template(contract: Contract) -> str:
    """Placement of faces for a network; FFHQ's if its contract names none."""
    return contract.template or "ffhq"


def paste(picture: np.ndarray, change: np.ndarray, matrix: np.ndarray, replaces: bool = False) -> None:
    """Add a crop's change to a picture, in place, softly towards the crop's edge.

    Args:
        picture: [H, W, 3].
        change: [h, w, 3], restored less crop.
        matrix: [2, 3] from the picture to the crop.
        replaces: `change` is a crop that takes the picture's place.
    """
    (height, width), back = change.shape[:2], cv2.invertAffineTransform(matrix)
    corners = np.array([(x - 0.5, y - 0.5) for x in (0, width) for y in (0, height)])
    reach = moved(back, corners)
    left, top = np.maximum(np.floor(reach.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(reach.max(axis=0)).astype(int) + 1, picture.shape[1::-1])
    if left >= right or top >= bottom:
        return
    local = matrix.copy()
    local[:, 2] += matrix[:, :2] @ (left, top)
    rows, columns = np.mgrid[: bottom - top, : right - left]
    x, y = (a * columns + b * rows + c for a, b, c in local)
    depth = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y)) + 0.5
    ramp = np.clip((depth / min(height, width) - INSET) / SOFT, 0, 1)
    mask = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)[..., None]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    change = cv2.warpAffine(change, local, (right - left, bottom - top), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    place = picture[top:bottom, left:right]
    place += mask * (change - place if replaces else change)


def matrices(faces: Sequence[Face], contract: Contract) -> list[np.ndarray]:
    """[2, 3] from the photo to the crop of each face, larger faces last, as they are pasted."""
    found = [alignment(face.points, crop_size(contract), template(contract)) for face in faces]
    return sorted(found, key=lambda matrix: -float(np.hypot(*matrix[:, 0])))


def pasted(
    pixels: np.ndarray,
    crops: Sequence[np.ndarray],
    results: Sequence[np.ndarray],
    places: Sequence[np.ndarray],
    strength: float = 1.0,
    upscale: int = 1,
    paste_as: str = "difference",
) -> np.ndarray:
    """A photo with restored crops.

    Args:
        pixels: [H, W, 3] RGB in [0, 1].
        crops: what the network was shown, [h, w, 3] each.
        results: what it made of them, of any one size.
        places: of `matrices`, photo to crop.
        strength: share of the network's change that is pasted.
        upscale: the photo is enlarged this many times before faces are pasted (Lanczos).
        paste_as: "difference": the network's change is added, so what it leaves alone stays as it was; "replace": the
            crop takes the photo's place, as in published programs.

    Returns:
        [H * upscale, W * upscale, 3]; outside the crops the plain photo, or its plain enlargement.
    """
    size = (pixels.shape[0] * upscale, pixels.shape[1] * upscale)
    picture = pixels.copy() if upscale == 1 else np.clip(images.resize(pixels, size, "lanczos"), 0, 1)
    for matrix, before, after in zip(places, crops, results, strict=True):
        to_crop = matrix / upscale
        to_crop[:, 2] = matrix[:, 2] + matrix[:, :2].sum(axis=1) * (0.5 / upscale - 0.5)
        times = len(after) / len(before)
        to_crop *= times
        to_crop[:, 2] += (times - 1) / 2
        shown = images.resize(before, after.shape[:2], "linear")
        change = strength * (after - shown)
        if paste_as == "replace":
            paste(picture, shown + change, to_crop, replaces=True)
        else:
            paste(picture, change, to_crop)
    return np.clip(picture, 0, 1)


def restore(
    pixels: np.ndarray,
    faces: Sequence[Face],
    session: Session,
    *,
    strength: float = 1.0,
    upscale: int = 1,
    paste: str = "difference",
) -> np.ndarray:
    """A photo with its faces restored by a graph; see `pasted`.

    Args:
        pixels: [H, W, 3] RGB in [0, 1].
        faces: those to restore.
        session: of a graph that restores one aligned face, see `Contract.restores`; its contract names the template.
        strength, upscale, paste: see `pasted`.
    """
    contract = session.contract
    if not contract.restores:
        raise InputError("this model does not restore faces; expected one that makes a face of a face")
    places = matrices(faces, contract)
    crops = [warped(pixels, matrix, crop_size(contract)) for matrix in places]
    results = session.apply({contract.picture.name: crops})[contract.outputs[0].name] if crops else []
    return pasted(pixels, crops, results, places, strength, upscale, paste)
