"""Galleries of known people, drawn or from a folder, among which the faces of a data set are identified."""

import numpy as np

from data_loader.folder import ImageFolder
from data_loader.restoration import SyntheticSource
from engine.images import to_uint8


def known_pictures(section, folder, count, landmarks):
    """`drawn_gallery` of a drawn set, `folder_gallery` of files, or why there is none, a text."""
    if section.root is None:
        return drawn_gallery(section, count)
    return landmarks.absent or (folder_gallery(folder, section, landmarks) if folder else "no --gallery given")


def drawn_gallery(section, count):
    """(pictures [M, H, W, 3] uint8, landmarks [M, 68, 2], people) of a drawn set's people, none of them of the set.

    Args:
        section: settings of the set, with `synthetic` and `image_size`.
        count: pictures of each person.
    """
    own = section.synthetic
    source = SyntheticSource(own.model_copy(update={"variants": own.variants + count}), section.image_size)
    chosen = range(own.variants * source.num_identities, len(source))
    pictures = [to_uint8(source.read(i)) for i in chosen]
    return np.stack(pictures), np.stack([source.landmarks(i) for i in chosen]), [person(source.name(i)) for i in chosen]


def folder_gallery(folder, section, landmarks):
    """The same of a folder with a sub-folder a person; `landmarks(pictures)` finds the points."""
    source = ImageFolder(folder, (section.image_size,) * 2, section.resize_kernel)
    pictures = np.stack([to_uint8(source.read(i)) for i in range(len(source))])
    return pictures, landmarks(pictures), [person(source.name(i)) for i in range(len(source))]


def person(name):
    """The person of a picture: "face_00042_3" is drawn, of 00042; "someone/12" is a file, of someone."""
    return name.partition("/")[0] if "/" in name else name.rpartition("_")[0]
