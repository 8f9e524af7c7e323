"""A testbed: many small models on one's own train set, tested on one's own sets."""

import hashlib

import numpy as np
import numpy.typing as npt

from replicate.base.digests import digest_value
from replicate.base.errors import ItemError, UsageError
from replicate.base.images import decode, grey
from replicate.base.resample import resize
from replicate.zoo.image_sets import ImageSet
from replicate.zoo.training import data_digest
from replicate.zoo.work import ScoringSet, TrainingSet

MOST_SIDE = 96  # pixels: the small models are for small images


def grey_images(images: ImageSet, side: int) -> tuple[npt.NDArray[np.uint8], dict[str, str]]:
    """Every image of a set, grey, squashed to side × side pixels (Lanczos).

    Args:
        images: The set.
        side: Pixels, 4 to 96.

    Returns:
        uint8 (n, side, side), those that cannot be read black; and these with their reasons.

    Raises:
        UsageError: The side is out of range.
    """
    if not 4 <= side <= MOST_SIDE:
        raise UsageError(f"Small models see images of 4 to {MOST_SIDE} pixels, not {side}.")
    pixels = np.zeros((len(images.items), side, side), np.uint8)
    failed: dict[str, str] = {}
    for at, item in enumerate(images.items):
        try:
            pixels[at] = resize(grey(decode(images.read(at))), (side, side))
        except ItemError as error:
            failed[item] = error.reason
        except OSError:
            failed[item] = "file_missing"
    return pixels, failed


def training_set(
    images: ImageSet, classes: tuple[str, ...], side: int
) -> tuple[TrainingSet, dict[str, str]]:
    """A folder as a training set; images that cannot be read are left out."""
    pixels, failed = grey_images(images, side)
    labels = _labels(images, classes)
    keep = np.array([item not in failed for item in images.items])
    if not keep.any():
        raise UsageError(f"No image of {images.root} can be read.")
    pixels, labels = pixels[keep], labels[keep]
    return TrainingSet(pixels, labels, data_digest(pixels, labels)), failed


def scoring_set(
    images: ImageSet, classes: tuple[str, ...], side: int
) -> tuple[ScoringSet, dict[str, str]]:
    """A folder as a set to score; images that cannot be read are left out."""
    pixels, failed = grey_images(images, side)
    labels = _labels(images, classes)
    keep = np.array([item not in failed for item in images.items])
    pixels = pixels[keep]
    digest = digest_value([images.digest, side, hashlib.sha256(pixels.tobytes()).hexdigest()])
    return ScoringSet(images.name, pixels, labels[keep], digest), failed


def _labels(images: ImageSet, classes: tuple[str, ...]) -> npt.NDArray[np.int64]:
    if images.class_ids is None:
        raise UsageError(
            f"{images.root} has images outside of class folders.",
            "Give a folder with one folder a class.",
        )
    place = {name: at for at, name in enumerate(classes)}
    unknown = sorted(set(images.class_ids) - set(classes))
    if unknown:
        raise UsageError(
            f"{images.root} has the class {unknown[0]!r}, which the training set does not have.",
            f"Its classes are: {', '.join(classes[:12])}.",
        )
    return np.array([place[name] for name in images.class_ids], np.int64)
