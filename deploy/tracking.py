"""Follow the faces of a film: find them from time to time, track them between, smooth their points.

Source: Casiez et al. 2012, "1 Euro Filter"; its parameters are in eye distances and seconds here.
"""

from dataclasses import dataclass

import numpy as np

from engine.face_detection import Face, Finder

LOOK_EVERY = 0.5  # seconds between looks at the whole frame while every face is followed
SLOWEST, SPEED, RATE_OF_SPEED = 0.15, 1.0, 0.5  # Hz, Hz per eye distance per second, Hz
NEAR = 1.0  # eye distances within which a found face is the one followed


def _share(rate: float, seconds: float) -> float:
    """Weight of a new value for a low pass of `rate` Hz."""
    return 1 / (1 + 1 / (2 * np.pi * rate * seconds))


@dataclass
class Track:
    """One face: its smoothed points, and the speed of their middle in eye distances per second."""

    face: Face
    points: np.ndarray
    speed: np.ndarray

    @classmethod
    def begun(cls, face: Face) -> "Track":
        """The track of a face that was not there before."""
        return cls(face, face.points.copy(), np.zeros(2))

    def eyes(self) -> float:
        """Distance of the eyes, px."""
        return float(np.hypot(*(self.points[1] - self.points[0]))) + 1e-6

    def follow(self, face: Face, seconds: float) -> None:
        """Take the face as found `seconds` later: still points are held, quick ones are followed."""
        moved = (face.points.mean(axis=0) - self.face.points.mean(axis=0)) / self.eyes() / seconds
        self.speed = self.speed + _share(RATE_OF_SPEED, seconds) * (moved - self.speed)
        rate = SLOWEST + SPEED * float(np.hypot(*self.speed))
        self.points = self.points + _share(rate, seconds) * (face.points - self.points)
        self.face = face

    def smoothed(self) -> Face:
        """The face with its smoothed points."""
        return Face(self.points.copy(), self.face.box, self.face.score)


class Tracker:
    """The faces of a film, frame by frame."""

    def __init__(self, finder: Finder, smooths: bool = True) -> None:
        """`smooths`: False gives points as they are found."""
        self.finder, self.smooths = finder, smooths
        self.tracks: list[Track] = []
        self.looked = self.last = -np.inf

    def update(self, pixels: np.ndarray, seconds: float) -> list[Face]:
        """The faces of the next frame.

        Args:
            pixels: [H, W, 3] RGB in [0, 1].
            seconds: when it is shown; later than the frame before.

        Returns:
            faces with smoothed points.
        """
        passed = max(seconds - self.last, 1e-3)
        found = [self.finder.again(pixels, track.face) for track in self.tracks]
        held = [(track, face) for track, face in zip(self.tracks, found, strict=True) if face is not None]
        if len(held) < len(self.tracks) or seconds - self.looked >= LOOK_EVERY or not self.tracks:
            held = self._matched(self.finder.find(pixels))
            self.looked = seconds
        for track, face in held:
            if track.face is not face:
                track.follow(face, passed)
        self.tracks, self.last = [track for track, _ in held], seconds
        return [track.smoothed() if self.smooths else track.face for track in self.tracks]

    def _matched(self, faces):
        """(track, face) for each face: the nearest track, or one that begins."""
        left, pairs = list(self.tracks), []
        for face in faces:
            middle = face.points.mean(axis=0)
            near = sorted(left, key=lambda track: float(np.hypot(*(track.face.points.mean(axis=0) - middle))))
            if near and np.hypot(*(near[0].face.points.mean(axis=0) - middle)) < NEAR * near[0].eyes():
                left.remove(near[0])
                pairs.append((near[0], face))
            else:
                pairs.append((Track.begun(face), face))
        return pairs
