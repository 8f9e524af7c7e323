"""Named, versioned transformations that originals, candidates and controls all go through.

A name such as ``digits-8x8@1`` never changes its meaning: a better version gets a new number.
Those of photographs, which have parameters in their names, are in `transformations`.
"""

import difflib
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

import numpy as np

from replicate.base.errors import UsageError
from replicate.base.images import decode, encode_png, grey
from replicate.sources.digit_normalisation import normalise
from replicate.sources.digits import counts_to_grey, grey_to_counts
from replicate.sources.enlarged import shrink_back
from replicate.sources.transformations import FAMILIES, Transformation, of_family, png
from replicate.sources.transformations import grey as without_colour

GROUP = "replicate.transformations"

_REGISTRY: dict[str, Transformation] = {}


def register(name: str, transformation: Transformation) -> None:
    """Add a transformation under a name of the form ``name@version``.

    Raises:
        UsageError: The name is malformed or taken.
    """
    base, _, version = name.partition("@")
    if not base or not version.isdigit():
        raise UsageError(f"A transformation is named name@version, not {name!r}.")
    if name in _REGISTRY or of_family(name) is not None:
        raise UsageError(f"There already is a transformation named {name!r}.")
    _REGISTRY[name] = transformation


def names() -> list[str]:
    """The names of all transformations, sorted; of those with parameters an example."""
    brought = {point.name for point in entry_points(group=GROUP)}
    return sorted({*_REGISTRY, *(example for _, example, _ in FAMILIES), *brought})


def find(name: str) -> Transformation:
    """The transformation of that name: one of ours, or one that an installed package brings.

    A package brings one by an entry point of the group ``replicate.transformations`` that has the
    transformation's full name, such as ``pad-square@1``, and loads a function from bytes to bytes.

    Raises:
        UsageError: There is none, and the hint names the nearest; or a package's cannot be loaded.
    """
    found = _REGISTRY.get(name) or of_family(name)
    if found is not None:
        return found
    for point in entry_points(group=GROUP):
        if point.name == name:
            return _loaded(point)
    near = difflib.get_close_matches(name, names(), n=1, cutoff=0.4)
    known = f"Known, with other numbers as well: {', '.join(names())}."
    hint = f"Did you mean {near[0]!r}? {known}" if near else known
    raise UsageError(f"There is no transformation named {name!r}.", hint)


def _loaded(point: EntryPoint) -> Transformation:
    base, _, version = point.name.partition("@")
    if not base or not version.isdigit():
        raise UsageError(
            f"The package that brings {point.name!r} must name it name@version.",
            "Ask its authors: results would not say which version made them.",
        )
    try:
        found: Transformation = point.load()
    except Exception as error:
        raise UsageError(
            f"The transformation {point.name!r} cannot be loaded from {point.value}: {error}.",
            "Install the package that brings it again, or ask its authors.",
        ) from error
    return found


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


register("identity@1", identity)
register("digits-8x8@1", digits_8x8)
register("png@1", png)
register("grey@1", without_colour)
