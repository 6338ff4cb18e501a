"""WebCaricature's View 2 as data sets, with a check that nobody in the test was trained on."""

from pathlib import Path

from data_loader import webcaricature
from data_loader import webcaricature_files as files
from engine.errors import InputError


def fold_sets(root, image_size, check=None):
    """The folds of View 2.

    Args:
        root: WebCaricature's folder.
        image_size: (height, width) of the faces.
        check: called with (number of the fold, its people) before its faces are read, or None.

    Yields:
        (number from 1, LabelledFaces, (matched, mismatched) pairs of the restricted setting).
    """
    if not (Path(root) / "EvaluationProtocols").is_dir():
        raise InputError(
            f"{root}: has no folder EvaluationProtocols/; expected WebCaricature's folder, which also holds "
            "OriginalImages/, FacialPoints/ and Filenames/, such as --root data/WebCaricature"
        )
    people, pairs = files.view2_people(root), files.view2_pairs(root)
    for fold, (tested, listed) in enumerate(zip(people, pairs, strict=True), 1):
        if check:
            check(fold, tested)
        settings = webcaricature.FaceSettings(root=root, fold=fold, filtered=False, image_size=image_size)
        yield fold, webcaricature.LabelledFaces(settings, 0, training=False), listed


def trained_people(word, settings, fold):
    """Names of the people that weights were trained on.

    Args:
        word: "config", "none" or a file with one name a line.
        settings: the FaceSettings of the training.
        fold: the fold it is set to; None leaves it as it is.
    """
    if word == "none":
        return set()
    if word != "config":
        try:
            return set(Path(word).read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"--trained {word}: cannot be read ({reason})") from None
    if webcaricature.is_from_webcaricature(settings):
        return set(webcaricature.subjects(settings.root, fold or settings.fold, training=True))
    return set(webcaricature.open_source(settings, training=True).people)


def refuse_leak(trained, tested, fold):
    """InputError where somebody of a fold was trained on: such a figure says nothing about strangers."""
    leaked = sorted(set(trained) & set(tested))
    if leaked:
        raise InputError(
            f"protocol official: {len(leaked)} of the {len(tested)} people of fold {fold} were trained on, such as "
            f"{leaked[0]}; expected weights trained with data.train.fold set, one per fold, or --trained none"
        )
