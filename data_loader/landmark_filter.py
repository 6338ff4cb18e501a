"""Filter of aligned faces for training: landmarks in a frontal face's order, five points near the template.

Source: experiments_on_face_photo2drawing ("clear_mode"), with aligned pictures of 200 x 232 pixels.
Differs: the right mouth corner is checked like the other points of the mouth; the reference leaves it out.
"""

import numpy as np

from engine.face_alignment import cp2tform, five_points, moved, placed_template

SIZE = (232, 200)  # height, width of the aligned picture the rules are stated for
SCALE, MARGIN = 2.0, 4
RADIUS_SHARE = 0.10  # of the picture's area: each of the five points lies in a disc of this share


def rejections(landmarks):
    """Why a face is rejected: a list of short sentences, empty for one that is kept.

    Args:
        landmarks: [17, 2] pixels of the original picture.
    """
    template = placed_template(SCALE, MARGIN)
    if np.ptp(np.asarray(landmarks), axis=0).min() <= 0:
        return ["landmarks: all on one line"]
    points = moved(cp2tform(five_points(landmarks), template), np.asarray(landmarks, float))
    found = [f"order: {claim}" for claim, holds in _order(points).items() if not holds]
    five, (height, width) = five_points(points), SIZE
    if (five < 0).any() or (five > [width - 1, height - 1]).any():
        found.append("inside: one of the five points lies outside the aligned picture")
    distances, radius = np.linalg.norm(five - template, axis=1), np.sqrt(RADIUS_SHARE * width * height / np.pi)
    if (distances > radius).any():
        found.append(f"radius: a point lies {distances.max():.1f} px from its place, more than {radius:.1f}")
    return found


def _order(points):
    """Claim -> whether it holds, for [17, 2] aligned landmarks."""
    x, y = points.T
    contour, middle = slice(0, 4), slice(12, 17)
    return {
        "0 is the topmost of the outline": y[0] < y[1:4].min(),
        "2 is the lowest of the outline": y[2] > y[[0, 1, 3]].max(),
        "1 is the leftmost of the outline": x[contour].argmin() == 1,
        "3 is the rightmost of the outline": x[contour].argmax() == 3,
        "brows 4 < 5 < 6 < 7": (np.diff(x[4:8]) > 0).all(),
        "eyes 8 < 9 < 10 < 11": (np.diff(x[8:12]) > 0).all(),
        "mouth corners enclose nose and lips": x[14] < x[[12, 13, 15]].min() and x[[12, 13, 15]].max() < x[16],
        "nose above the mouth": y[12] < y[13:17].min(),
        "nose and mouth between the ears": x[1] < x[middle].min() and x[middle].max() < x[3],
        "hairline above the brows": y[0] < y[4:8].min(),
        "brows above the eyes": y[4:8].max() < y[8:12].min(),
        "eyes above nose and mouth": y[8:12].max() < y[middle].min(),
        "nose and mouth above the chin": y[middle].max() < y[2],
    }
