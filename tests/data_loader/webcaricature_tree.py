"""A small folder in WebCaricature's layout: frontal faces of one colour a person, names with spaces."""

import numpy as np

from data_loader.webcaricature_files import VERIFICATION
from engine.images import write_image
from tests.engine.test_face_alignment import landmarks

PEOPLE = ["Adam Sandler", "Ai Wei Wei", "Bill", "Zoe de la Cruz"]
COUNTS = {"C": 2, "P": 3}


def colour(person, letter, number):
    """The colour of a picture: red says who, green says which kind, blue which picture."""
    return np.array([PEOPLE.index(person) * 50, 200 if letter == "C" else 50, number * 40]) / 255


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())  # line ends as given


def write_tree(root):
    """PEOPLE, each with COUNTS pictures of 96 x 112 pixels; View 1: the last is tested; View 2: two folds."""
    points = "".join(f"{x:f} {y:f}\n" for x, y in landmarks())
    for person in PEOPLE:
        for letter, count in COUNTS.items():
            for number in range(1, count + 1):
                name = f"{person}/{letter}{number:05d}"
                picture = np.broadcast_to(colour(person, letter, number), [112, 96, 3])
                write_image(root / "OriginalImages" / f"{name}.png", picture.astype(np.float32))
                write_text(root / "FacialPoints" / f"{name}.txt", points)
            lines = [f"{letter}{number:05d}.jpg" for number in range(1, count + 1)]
            write_text(root / "Filenames" / person / f"file_{letter.lower()}.txt", "\r\n".join(lines) + "\r\n\r\n")
    write_protocols(root)
    return root


def write_protocols(root):
    """Tabs between fields, line ends of Windows in one file, a blank line at the end of another."""
    unrestricted, restricted = root / VERIFICATION / "UnRestricted", root / VERIFICATION / "Restricted"
    one, two, three, four = PEOPLE
    trained = [f"{name}\t2\t3" for name in (one, two, three)]
    write_text(unrestricted / "UnRestrictedView1_DevTrain.txt", "\r\n".join(["3", *trained]) + "\r\n")
    write_text(unrestricted / "UnRestrictedView1_DevTest.txt", f"1\n{four}\t2\t3\n")
    folds = f"2\n2\n{one}\t2\t3\n{four}\t2\t3\n2\n{two}\t2\t3\n{three}\t2\t3\n\n"
    write_text(unrestricted / "UnRestrictedView2.txt", folds)
    write_text(
        restricted / "RestrictedView2.txt",
        "\n".join(
            [
                "2",
                "2",
                f"{one}\tC00001\tP00002",
                f"{four}\tC00002\tP00003",
                f"{one}\tC00002\t{four}\tP00001",
                f"{one}\tP00001\t{four}\tC00001",
                "1",
                f"{two}\tC00001\tP00001",
                f"{two}\tC00001\t{three}\tP00001",
            ]
        )
        + "\n",
    )
