"""What the files themselves say about a pair that the short hash proposes.

Both images are looked at in grey, squeezed to 256×256 (the paper's size) and compared three ways:
by pHashes of 256 bits, by structural similarity, and by what is left of their difference at 32×32
once brightness, contrast and a move of up to a pixel are allowed for. Each way can confirm a
pair; only all together can rule it out, for a crop hides from one and a caption from another.
"""

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError, UsageError
from replicate.base.resample import resize
from replicate.duplicates.confirm import DIFFERENT, SURE, UNSURE, mean_squared, moved_a_little, ssim
from replicate.duplicates.hashing import Words, low_frequencies, phash_low, structure
from replicate.duplicates.search import distances
from replicate.duplicates.transforms import turned, turned_low

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Read = Callable[[str], Pixels]

SIDE = 256  # pixels: the paper's size
_SMALL_SIDE = 32
_KEPT = 2000  # images kept ready: 66 KiB each
# Half of an image's 64 low frequencies are weaker than this, in grey levels: their signs, which
# are the hash, are those of the encoder's noise.
LOW_STRUCTURE = 0.2


@dataclass(frozen=True)
class Cuts:
    """Where each way of comparing stops being sure, and where it begins to rule out.

    The defaults are what `replicate duplicates calibrate` gave on real photos (docs/duplicates.md).

    Attributes:
        sure_bits: Up to so many of 256 bits two images are one and the same.
        sure_ssim: From this structural similarity on they are.
        sure_moved: Up to this distance at 32×32 they are.
        different_bits: Above so many of 256 bits, and
        different_ssim: below this similarity, and
        different_moved: above this distance they are different.
    """

    sure_bits: int = 51
    sure_ssim: float = 0.932
    sure_moved: float = 0.0647
    different_bits: int = 90
    different_ssim: float = 0.855
    different_moved: float = 0.2048

    def __post_init__(self) -> None:
        if (
            self.sure_bits > self.different_bits
            or self.sure_ssim < self.different_ssim
            or self.sure_moved > self.different_moved
        ):
            raise UsageError(
                "These cuts make no sense: what is sure lies beyond what is different.",
                "Make them anew: replicate duplicates calibrate IMAGES --output cuts.json",
            )

    def as_dict(self) -> dict[str, Any]:
        """The cuts as JSON values."""
        return asdict(self)


def read_cuts(path: Path) -> Cuts:
    """The cuts that `replicate duplicates calibrate --output` wrote.

    Raises:
        UsageError: The file holds no cuts.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
        return Cuts(**value.get("cuts", value))
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} holds no cuts: {error}.",
            "Make them: replicate duplicates calibrate IMAGES --output cuts.json",
        ) from error


@dataclass(frozen=True)
class Look:
    """What is kept of an image.

    Attributes:
        grey: Shape (256, 256).
        small: Shape (32, 32).
        low: The DCT's low frequencies of the 256-bit hash, shape (16, 16).
        structure: The median strength of the 63 lowest frequencies, in grey levels.
    """

    grey: Pixels
    small: Pixels
    low: Floats
    structure: float

    def turned(self, transform: str) -> "Look":
        """The same image flipped or turned."""
        return replace(
            self,
            grey=turned(self.grey, transform),
            small=turned(self.small, transform),
            low=turned_low(self.low[None], transform)[0],
        )

    @property
    def words(self) -> Words:
        """The 256-bit pHash, shape (1, 4)."""
        return phash_low(self.low[None])


def look(grey: Pixels) -> Look:
    """What is kept of an image of any size, from its grey values."""
    small = resize(grey, (_SMALL_SIDE, _SMALL_SIDE))
    return Look(
        grey=resize(grey, (SIDE, SIDE)),
        small=small,
        low=low_frequencies(resize(grey, (64, 64))[None], 16)[0],
        structure=float(structure(low_frequencies(small[None], 8), _SMALL_SIDE)[0]),
    )


@dataclass(frozen=True)
class Evidence:
    """How two images compare.

    Attributes:
        distance256: Differing bits of the 256-bit pHashes.
        ssim: Structural similarity at 256×256, in [-1, 1]; DSSIM is (1 - ssim) / 2.
        squared: Mean squared difference at 256×256, in [0, 1].
        moved: Distance at 32×32, in [0, 1], as `moved_a_little` has it.
        low_structure: Whether one of them has too little structure for a hash to tell it apart.
        verdict: ``sure``, ``unsure`` or ``different``.
    """

    distance256: int
    ssim: float
    squared: float
    moved: float
    low_structure: bool
    verdict: str

    def cut(self, cuts: Cuts) -> str:
        """The verdict with other cuts."""
        if self.squared == 0.0:
            return SURE
        return _verdict(self.distance256, self.ssim, self.moved, self.low_structure, cuts)


def compare(first: Look, second: Look, cuts: Cuts) -> Evidence:
    """Compare two images, and cut."""
    bits = int(distances(first.words, second.words)[0])
    similar = float(ssim(first.grey[None], second.grey[None])[0])
    squared = float(mean_squared(first.grey[None], second.grey[None])[0])
    moved = float(moved_a_little(first.small[None], second.small[None], part=1.0)[0])
    poor = min(first.structure, second.structure) < LOW_STRUCTURE
    verdict = _verdict(bits, similar, moved, poor, cuts)
    if squared == 0.0:
        verdict = SURE
    return Evidence(bits, similar, squared, moved, poor, verdict)


def _verdict(bits: int, similar: float, moved: float, poor: bool, cuts: Cuts) -> str:
    if bits <= cuts.sure_bits or similar >= cuts.sure_ssim or moved <= cuts.sure_moved:
        # Skies and walls are all alike: nothing but equal pixels makes such a pair sure.
        return UNSURE if poor else SURE
    ruled_out = (
        bits > cuts.different_bits
        and similar < cuts.different_ssim
        and moved > cuts.different_moved
    )
    return DIFFERENT if ruled_out else UNSURE


class Looks:
    """Images by name, each read once as long as there is room.

    Args:
        read: Gives an image's grey values by its name, or raises ItemError.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._kept: OrderedDict[str, Look] = OrderedDict()
        self.failed: dict[str, str] = {}

    def get(self, name: str) -> Look | None:
        """The image, or None if it cannot be read; `failed` then says why."""
        if name in self.failed:
            return None
        found = self._kept.pop(name, None)
        if found is None:
            try:
                found = look(self._read(name))
            except ItemError as error:
                self.failed[name] = error.reason
                return None
            if len(self._kept) >= _KEPT:
                self._kept.popitem(last=False)
        self._kept[name] = found
        return found
