"""Named, versioned transformations that originals, candidates and controls all go through.

A name such as ``digits-8x8@1`` never changes its meaning: a better version gets a new number.
"""

import difflib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from replicate.base.errors import UsageError
from replicate.base.images import decode, encode_png, grey
from replicate.sources.digit_normalisation import normalise
from replicate.sources.digits import counts_to_grey, grey_to_counts
from replicate.sources.enlarged import shrink_back

Transformation = Callable[[bytes], bytes]

_REGISTRY: dict[str, Transformation] = {}


def register(name: str, transformation: Transformation) -> None:
    """Add a transformation under a name of the form ``name@version``.

    Raises:
        UsageError: The name is malformed or taken.
    """
    base, _, version = name.partition("@")
    if not base or not version.isdigit():
        raise UsageError(f"A transformation is named name@version, not {name!r}.")
    if name in _REGISTRY:
        raise UsageError(f"There already is a transformation named {name!r}.")
    _REGISTRY[name] = transformation


def names() -> list[str]:
    """The names of all transformations, sorted."""
    return sorted(_REGISTRY)


def find(name: str) -> Transformation:
    """The transformation of that name.

    Raises:
        UsageError: There is none; the hint names the nearest.
    """
    if name in _REGISTRY:
        return _REGISTRY[name]
    near = difflib.get_close_matches(name, names(), n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names())}."
    raise UsageError(f"There is no transformation named {name!r}.", hint)


def prepare(data: bytes, steps: Sequence[str]) -> bytes:
    """Put an image file through the named transformations, in order.

    Args:
        data: The file's bytes.
        steps: Names, such as ``["digits-8x8@1"]``.

    Returns:
        The prepared file's bytes.

    Raises:
        ItemError: The image cannot be decoded or prepared; with a reason.
        UsageError: There is no such transformation.
    """
    for transformation in [find(name) for name in steps]:
        data = transformation(data)
    return data


def identity(data: bytes) -> bytes:
    """The file as it is, once it has been seen to decode.

    Raises:
        ItemError: It cannot be decoded.
    """
    decode(data)
    return data


def digits_8x8(data: bytes) -> bytes:
    """A digit as optdigits has it: an 8×8 grey PNG with pixel = round(v·255/16), v in 0…16.

    An image that already is 8×8 was made by the original's makers and is taken as it is. So is
    an 8×8 image that was enlarged, once it has been shrunk back; all others are normalised.

    Raises:
        ItemError: It cannot be decoded, or shows no ink.
    """
    picture = grey(decode(data))
    if picture.shape == (8, 8):
        counts = grey_to_counts(picture)
    elif (small := shrink_back(picture)) is not None:
        counts = np.rint(small * 16).astype(np.uint8)
    else:
        counts = normalise(picture)
    return encode_png(counts_to_grey(counts))


def display_copy(data: bytes, size: int) -> bytes:
    """The copy of a prepared image that workers see: alike for originals and candidates.

    A PNG without metadata, its longer side ``size`` pixels (bicubic). Pictures without colour
    become grey, whatever mode their file had, so that the file tells no more than the eye sees.

    Args:
        data: The prepared file's bytes.
        size: Pixels of the longer side, at least 1.

    Raises:
        ItemError: It cannot be decoded.
    """
    image = decode(data)
    scale = size / max(image.size)
    shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = np.asarray(image.resize(shape, Image.Resampling.BICUBIC), dtype=np.uint8)
    if pixels.ndim == 3 and bool((pixels == pixels[:, :, :1]).all()):
        pixels = np.ascontiguousarray(pixels[:, :, 0])
    return encode_png(pixels)


register("identity@1", identity)
register("digits-8x8@1", digits_8x8)
