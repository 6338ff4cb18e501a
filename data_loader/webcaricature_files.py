"""WebCaricature's files: pictures, landmarks, protocol files. Names may hold spaces; fields are tab separated.

    OriginalImages/<Person Name>/{C,P}00001.jpg     FacialPoints/<Person Name>/{C,P}00001.txt (17 lines "x y")
    Filenames/<Person Name>/file_{c,p}.txt          EvaluationProtocols/FaceVerification/{Restricted,UnRestricted}/*.txt

C is a caricature, P a photo. Source: Huo et al. 2018 (WebCaricature).
"""

from dataclasses import dataclass
from glob import escape
from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.face_alignment import NUM_LANDMARKS
from engine.files import read_text

KINDS = ("photo", "caricature")
LETTERS = {"photo": "P", "caricature": "C"}
MOST, FARTHEST = 2**26, 1e6  # bytes of a file, pixels from the corner of a picture
VERIFICATION = Path("EvaluationProtocols") / "FaceVerification"


@dataclass(frozen=True)
class Picture:
    """One picture of a person: `file` is its name without suffix, "C00001" or "P00001"."""

    person: str
    file: str

    @property
    def kind(self):
        """ "photo" or "caricature"."""
        return "caricature" if self.file.startswith("C") else "photo"

    @property
    def name(self):
        """Such as "Adam Sandler/C00001"."""
        return f"{self.person}/{self.file}"


def is_webcaricature(root):
    """True where `root` has the data set's folders."""
    return (Path(root) / "OriginalImages").is_dir() and (Path(root) / "FacialPoints").is_dir()


def list_pictures(root, people=None):
    """Every picture that Filenames lists, by person and file; only those of `people` (names), if given.

    Raises:
        InputError: a folder or file list is missing, or a name is neither C... nor P...
    """
    folder = Path(root) / "Filenames"
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected WebCaricature's lists of file names")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if people is None else people
    pictures = []
    for person in names:
        for kind in KINDS:
            letter = LETTERS[kind]
            path = folder / person / f"file_{letter.lower()}.txt"
            for number, line in enumerate(_lines(path), 1):
                file = Path(line.strip()).stem
                if not file.startswith(letter):
                    raise InputError(f"{path}:{number}: found {line[:60]!r}; expected a name that begins with {letter}")
                pictures.append(Picture(person, file))
    return pictures


def image_path(root, picture):
    """The picture's file: .jpg, or what else has its name.

    Raises:
        InputError: there is none.
    """
    path = Path(root) / "OriginalImages" / picture.person / f"{picture.file}.jpg"
    try:
        found = path if path.is_file() else next(iter(sorted(path.parent.glob(f"{escape(picture.file)}.*"))), None)
    except (OSError, ValueError):  # no name of a file: too long, or with a NUL
        found = None
    if found is None:
        raise InputError(f"{path}: missing; Filenames lists it")
    return found


def read_landmarks(root, picture):
    """[17, 2] float64 (x, y).

    Raises:
        InputError: the file is missing or is not 17 lines of two numbers.
    """
    path = Path(root) / "FacialPoints" / picture.person / f"{picture.file}.txt"
    lines = _lines(path)
    try:
        points = np.array([[float(word) for word in line.replace(",", " ").split()] for line in lines])
    except ValueError:
        points = np.zeros(0)
    if points.shape != (NUM_LANDMARKS, 2) or not (np.abs(points) < FARTHEST).all():
        raise InputError(f"{path}: expected {NUM_LANDMARKS} lines of two numbers, found {len(lines)} lines")
    return points


def view1(root, part):
    """Names of the people of UnRestrictedView1_DevTrain or _DevTest, `part` being "DevTrain" or "DevTest"."""
    reader = _Reader(root, "UnRestricted", f"UnRestrictedView1_{part}.txt")
    people = reader.people(reader.count())
    reader.expect_end()
    return people


def view2_people(root):
    """The folds of UnRestrictedView2: ten lists of names."""
    reader = _Reader(root, "UnRestricted", "UnRestrictedView2.txt")
    folds = [reader.people(reader.count()) for _ in range(reader.count())]
    reader.expect_end()
    return folds


def view2_pairs(root):
    """The folds of RestrictedView2: ten pairs (matched, mismatched) of lists of (caricature, photo) Pictures."""
    reader = _Reader(root, "Restricted", "RestrictedView2.txt")
    folds = []
    for _ in range(reader.count()):
        count = reader.count()
        matched = [reader.pair(3) for _ in range(count)]
        folds.append((matched, [reader.pair(4) for _ in range(count)]))
    reader.expect_end()
    return folds


class _Reader:
    """Walks over a protocol file line by line; every mistake is an InputError that names file and line."""

    def __init__(self, root, setting, name):
        self.path, self.at = Path(root) / VERIFICATION / setting / name, 0
        self.lines = _lines(self.path)

    def fields(self, count):
        """The next line's tab-separated fields."""
        if self.at >= len(self.lines):
            raise InputError(f"{self.path}: ends after line {self.at}; expected {count} more fields")
        fields = [word.strip() for word in self.lines[self.at].split("\t") if word.strip()]
        self.at += 1
        if len(fields) != count:
            raise self.error(f"{count} fields between tabs")
        return fields

    def error(self, expected):
        """The InputError for the line just read."""
        return InputError(f"{self.path}:{self.at}: found {self.lines[self.at - 1][:60]!r}; expected {expected}")

    def count(self):
        """A line with one number."""
        (word,) = self.fields(1)
        if not word.isdecimal() or len(word) > 6:
            raise self.error("a number")
        return int(word)

    def people(self, count):
        """Names of `count` lines "name, number of caricatures, number of photos"."""
        return [self.fields(3)[0] for _ in range(count)]

    def pair(self, count):
        """(caricature, photo) of a line "name, C, P" or "name, file, name, file"; files in either order."""
        words = self.fields(count)
        first, second = ((words[0], words[1]), (words[0], words[2])) if count == 3 else (words[:2], words[2:])
        pictures = sorted((Picture(name, Path(file).stem) for name, file in (first, second)), key=lambda p: p.file[:1])
        if [picture.file[:1] for picture in pictures] != ["C", "P"]:
            raise self.error("one file C... and one file P...")
        return tuple(pictures)

    def expect_end(self):
        """InputError where lines are left."""
        if self.at < len(self.lines):
            self.at += 1
            raise self.error("the end of the file")


def _lines(path):
    """Lines of a text file that are not blank."""
    text = read_text(path, "a text file of WebCaricature", ("utf-8-sig", "latin-1"), MOST)
    return [line for line in text.splitlines() if line.strip()]
