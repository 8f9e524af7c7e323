"""What the images themselves say about pairs that the short hash proposes.

Both images are looked at in grey, squeezed to 256×256 (the paper's size) and compared three ways:
by pHashes of 256 bits, by structural similarity, and by what is left of their difference at 32×32
once brightness, contrast and a move of up to a pixel are allowed for. The papers' own distances
are measured beside them: squared L2 at both sizes, and DSSIM. Images that are all of one smaller
size are compared at that one: enlarging them would add nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError
from replicate.duplicates.cuts import LOW_STRUCTURE
from replicate.duplicates.hashing import (
    Words,
    frequencies,
    image_structure,
    phash_low,
    resized,
)
from replicate.duplicates.pixels import mean_squared, moved_a_little, ssim
from replicate.duplicates.search import distances
from replicate.duplicates.transforms import turned, turned_low

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Read = Callable[[str], Pixels]
Size = tuple[int, int]  # width, height

SIDE, SMALL_SIDE = 256, 32  # pixels: the papers' sizes
_MOVE = 1.0  # pixels of 32×32: how far one image may be moved to lie on the other
_TINY_MOVE = 0.125  # of tiny images, which people enlarge 4 to 8 times before a pixel is lost
_ROOM = 128 << 20  # bytes of images kept ready
_OVERHEAD = 3000  # bytes of an image's record beside its pixels: mostly its low frequencies
_CHUNK_VALUES = 1 << 18  # pixels of one side held in double precision at a time: 2 MiB


@dataclass(frozen=True)
class Scale:
    """At which sizes images are compared.

    Attributes:
        whole: Width and height for SSIM and squared L2.
        small: Those for the comparison that allows for moves.
    """

    whole: Size = (SIDE, SIDE)
    small: Size = (SMALL_SIDE, SMALL_SIDE)

    @classmethod
    def of(cls, sizes: set[Size]) -> "Scale":
        """The scale for images of these sizes: their own where all are squares of one small size.

        >>> Scale.of({(8, 8)}).small, Scale.of({(8, 8), (9, 9)}).small
        ((8, 8), (32, 32))
        """
        size = next(iter(sizes)) if len(sizes) == 1 else (0, 1)
        if size[0] != size[1]:  # a quarter turn must not change the shape
            return cls()
        whole = size if max(size) <= SIDE else (SIDE, SIDE)
        return cls(whole, size if max(size) <= SMALL_SIDE else (SMALL_SIDE, SMALL_SIDE))

    @property
    def tiny(self) -> bool:
        """Whether the small comparison sees all that there is of an image."""
        return self.whole == self.small


@dataclass(frozen=True)
class Look:
    """What is kept of an image.

    Attributes:
        grey: Shape (256, 256), or the scale's.
        small: Shape (32, 32), or the scale's.
        known: What `low` and `structure` are; None where ``grey`` is the whole image, so that
            they can be worked out once they are asked for.
    """

    grey: Pixels
    small: Pixels
    known: tuple[Floats, float] | None = None

    @cached_property
    def low(self) -> Floats:
        """The DCT's low frequencies of the 256-bit hash, shape (16, 16)."""
        return self.known[0] if self.known else frequencies([self.grey], 256)[0]

    @cached_property
    def structure(self) -> float:
        """The median strength of the 63 lowest frequencies, in grey levels."""
        return self.known[1] if self.known else image_structure(self.grey)

    def turned(self, transform: str) -> "Look":
        """The same image flipped or turned."""
        return Look(
            turned(self.grey, transform),
            turned(self.small, transform),
            (turned_low(self.low[None], transform)[0], self.structure),
        )

    @property
    def words(self) -> Words:
        """The 256-bit pHash, shape (1, 4)."""
        return phash_low(self.low[None])


def look(grey: Pixels, scale: Scale | None = None) -> Look:
    """What is kept of an image of any size, from its grey values."""
    scale = scale or Scale()
    whole, small = (
        grey if grey.shape[::-1] == size else resized(grey, size)
        for size in (scale.whole, scale.small)
    )
    if whole is grey:
        return Look(whole, small)
    return Look(whole, small, (frequencies([grey], 256)[0], image_structure(grey)))


@dataclass(frozen=True)
class Evidence:
    """How pairs of images compare, each array of shape (p,).

    Attributes:
        distance256: Differing bits of the 256-bit pHashes.
        ssim: Structural similarity at 256×256, in [-1, 1].
        squared: Mean squared difference at 256×256, in [0, 1].
        squared32: Mean squared difference at 32×32, in [0, 1].
        moved: Distance at 32×32, in [0, 1], as `moved_a_little` has it.
        low_structure: Whether one of them has too little structure for a hash to tell it apart.
    """

    distance256: Index
    ssim: Floats
    squared: Floats
    squared32: Floats
    moved: Floats
    low_structure: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.moved)

    @property
    def dssim(self) -> Floats:
        """The papers' structural distance, (1 - SSIM) / 2, in [0, 1]."""
        return (1.0 - self.ssim) / 2.0

    def some(self, which: Any) -> "Evidence":
        """A selection of the pairs, by index or flags."""
        return Evidence(**{one.name: getattr(self, one.name)[which] for one in fields(self)})


def joined(parts: Sequence[Evidence]) -> Evidence:
    """Several parts as one, in their order."""
    names = [one.name for one in fields(Evidence)]
    parts = [_NOTHING, *parts]
    return Evidence(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


_NO_VALUES = np.zeros(0)
_NOTHING = Evidence(
    np.zeros(0, np.int64), _NO_VALUES, _NO_VALUES, _NO_VALUES, _NO_VALUES, np.zeros(0, bool)
)


def compare(first: Sequence[Look], second: Sequence[Look]) -> Evidence:
    """Compare images side by side.

    Args:
        first: Images of one scale.
        second: As many of the same scale.
    """
    step = max(1, _CHUNK_VALUES // first[0].grey.size) if first else 1
    return joined(
        [
            _compared(first[start : start + step], second[start : start + step])
            for start in range(0, len(first), step)
        ]
    )


def _compared(first: Sequence[Look], second: Sequence[Look]) -> Evidence:
    whole = [np.stack([one.grey for one in side]) for side in (first, second)]
    small = [np.stack([one.small for one in side]) for side in (first, second)]
    words = [phash_low(np.stack([one.low for one in side])) for side in (first, second)]
    structures = [np.array([one.structure for one in side]) for side in (first, second)]
    return Evidence(
        distance256=distances(words[0], words[1]),
        ssim=ssim(whole[0], whole[1]),
        squared=mean_squared(whole[0], whole[1]),
        squared32=mean_squared(small[0], small[1]),
        moved=_moved(first, second),
        low_structure=np.minimum(structures[0], structures[1]) < LOW_STRUCTURE,
    )


def apart(first: Sequence[Look], second: Sequence[Look]) -> Floats:
    """The distance ``moved`` of `Evidence` alone, for many pairs of tiny images, shape (p,)."""
    step = max(1, _CHUNK_VALUES // first[0].small.size) if first else 1
    starts = range(0, len(first), step)
    parts = [_moved(first[start : start + step], second[start : start + step]) for start in starts]
    return np.concatenate(parts) if parts else np.zeros(0)


def _moved(first: Sequence[Look], second: Sequence[Look]) -> Floats:
    part = _TINY_MOVE if first[0].grey.shape == first[0].small.shape else _MOVE
    one, two = (np.stack([look.small for look in side]) for side in (first, second))
    return moved_a_little(one, two, part)


class Looks:
    """Images by name, each read once as long as there is room.

    Args:
        read: Gives an image's grey values by its name, or raises ItemError.
        scale: At which sizes they are compared.
    """

    def __init__(self, read: Read, scale: Scale | None = None) -> None:
        self.read = read
        self.scale = scale or Scale()
        self._kept: OrderedDict[str, Look] = OrderedDict()
        self._size = 0
        self.failed: dict[str, str] = {}

    def get(self, name: str) -> Look | None:
        """The image, or None if it cannot be read; `failed` then says why."""
        if name in self.failed:
            return None
        found = self._kept.get(name)
        if found is not None:
            self._kept.move_to_end(name)
            return found
        try:
            found = look(self.read(name), self.scale)
        except ItemError as error:
            self.failed[name] = error.reason
            return None
        self._kept[name] = found
        self._size += _bytes(found)
        while self._size > _ROOM and len(self._kept) > 1:
            self._size -= _bytes(self._kept.popitem(last=False)[1])
        return found


def _bytes(one: Look) -> int:
    return one.grey.size + one.small.size + _OVERHEAD
