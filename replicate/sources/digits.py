"""The packed digits, as named labelled sets.

All four sets are fixed: they depend on no seed.

``digits:original``
    1,000 images of the UCI optdigits test set, 100 a class. Of the n images of a class in UCI
    order, those at places ⌊k·n/100⌋ for k = 0…99 are taken: spread evenly over the file, and so
    over the 13 test writers, whose images follow one another there.
``digits:test-rest``
    The other 797 images of the test set, from the same 13 writers: a control whose gap is 0 but
    for chance.
``digits:training-writers``
    800 images of the UCI training set, 80 a class, chosen by the same rule, and so spread over
    the 30 training writers: a control that is easier, for models have seen these writers.
``digits:train``
    The other 3,023 images of the training set.
"""

import functools

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.base.images import encode_png
from replicate.base.resources import data_dir
from replicate.sources.records import OriginalImage

TRAIN_ROWS = 3823
ORIGINAL_PER_CLASS = 100
HOLDOUT_PER_CLASS = 80
NAMES = ("original", "test-rest", "train", "training-writers")

Pixels = npt.NDArray[np.uint8]


@functools.cache
def packed(collection: str) -> tuple[Pixels, Pixels]:
    """A packed collection: images (n, height, width) and labels (n,), both uint8, read-only.

    Args:
        collection: ``optdigits`` (values 0–16), ``mnist`` (0–255) or ``mfeat`` (0–6).
    """
    path = data_dir("pipelines") / "digits" / "data" / f"{collection}.npz"
    with np.load(path) as archive:
        images, labels = archive["images"], archive["labels"]
    images.setflags(write=False)
    labels.setflags(write=False)
    return images, labels


def counts_to_grey(counts: Pixels) -> Pixels:
    """Ink counts 0…16 as grey values 0…255: round(v·255/16).

    >>> counts_to_grey(np.array([[0, 8, 16]], dtype=np.uint8))
    array([[  0, 128, 255]], dtype=uint8)
    """
    return np.rint(counts.astype(np.float64) * (255 / 16)).astype(np.uint8)


def grey_to_counts(grey: Pixels) -> Pixels:
    """Grey values 0…255 as the nearest ink counts 0…16; the inverse of `counts_to_grey`.

    >>> grey_to_counts(np.array([[0, 128, 255]], dtype=np.uint8))
    array([[ 0,  8, 16]], dtype=uint8)
    """
    return np.rint(grey.astype(np.float64) * (16 / 255)).astype(np.uint8)


def rows(name: str) -> npt.NDArray[np.int64]:
    """The rows of ``optdigits.npz`` that make up a set, ascending.

    Args:
        name: One of `NAMES`, without ``digits:``.

    Raises:
        UsageError: There is no such set.
    """
    _, labels = packed("optdigits")
    train, test = np.arange(TRAIN_ROWS), np.arange(TRAIN_ROWS, len(labels))
    if name in ("original", "test-rest"):
        part, chosen = test, _spread(labels, test, ORIGINAL_PER_CLASS)
    elif name in ("train", "training-writers"):
        part, chosen = train, _spread(labels, train, HOLDOUT_PER_CLASS)
    else:
        raise UsageError(
            f"There is no set of digits named {name!r}.",
            f"Use one of: {', '.join(f'digits:{known}' for known in NAMES)}",
        )
    return chosen if name in ("original", "training-writers") else np.setdiff1d(part, chosen)


def _spread(labels: Pixels, part: npt.NDArray[np.int64], per_class: int) -> npt.NDArray[np.int64]:
    chosen = []
    for label in range(10):
        members = part[labels[part] == label]
        chosen.append(members[np.arange(per_class) * len(members) // per_class])
    return np.sort(np.concatenate(chosen))


@functools.cache
def load_digits(name: str) -> tuple[OriginalImage, ...]:
    """One of the four sets, in UCI order, as 8×8 grey PNGs (bright ink on black).

    Args:
        name: One of `NAMES`, without ``digits:``.

    Raises:
        UsageError: There is no such set.
    """
    images, labels = packed("optdigits")
    return tuple(
        OriginalImage(
            f"optdigits-{row:04d}", str(labels[row]), encode_png(counts_to_grey(images[row]))
        )
        for row in rows(name)
    )
