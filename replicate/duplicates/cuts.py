"""Where comparisons are cut into sure, unsure and different."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError

if TYPE_CHECKING:
    from replicate.duplicates.evidence import Evidence

Verdicts = npt.NDArray[np.str_]

SURE, UNSURE, DIFFERENT = "sure", "unsure", "different"
# Half of an image's 64 low frequencies are weaker than this, in grey levels: their signs, which
# are the hash, are those of the encoder's noise.
LOW_STRUCTURE = 0.2


@dataclass(frozen=True)
class Cuts:
    """Where each way of comparing stops being sure, and where it begins to rule out.

    The defaults are what `replicate duplicates calibrate --no-transforms` gave on real photos
    (docs/duplicates.md); `usual_cuts` has those for a search among flips and turns.

    Attributes:
        sure_bits: Up to so many of 256 bits two images are one and the same.
        sure_ssim: From this structural similarity on they are.
        sure_moved: Up to this distance at 32×32 they are.
        different_bits: Above so many of 256 bits, and
        different_ssim: below this similarity, and
        different_moved: above this distance they are different.
        squared: If given, it alone decides, as in the papers: up to this mean squared difference
            two images are the same, above it different.
    """

    sure_bits: int = 51
    sure_ssim: float = 0.932
    sure_moved: float = 0.0647
    different_bits: int = 90
    different_ssim: float = 0.855
    different_moved: float = 0.2048
    squared: float | None = None

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

    @classmethod
    def of_moved(cls, sure: float, different: float) -> "Cuts":
        """Cuts by the distance of `moved_a_little` alone: all that tiny images have.

        Args:
            sure: Up to this distance, in [0, 1], two images are one and the same.
            different: Above this they are different.
        """
        # No image is within -1 bit of another, and none has an SSIM of 2.
        return cls(-1, 2.0, sure, -1, 2.0, different)

    @property
    def by_moved_alone(self) -> bool:
        """Whether nothing but that distance can confirm or spare a pair."""
        return self.squared is None and self.different_bits < 0 and self.different_ssim > 1.0

    def as_dict(self) -> dict[str, Any]:
        """The cuts as JSON values."""
        return asdict(self)

    def verdicts(self, seen: "Evidence") -> Verdicts:
        """``sure``, ``unsure`` or ``different`` for each pair, shape (p,).

        Each way of comparing can confirm a pair; only all together can rule it out, for a crop
        hides from one and a caption from another.
        """
        if self.squared is not None:
            return np.where(seen.squared <= self.squared, SURE, DIFFERENT)
        sure = (
            (seen.distance256 <= self.sure_bits)
            | (seen.ssim >= self.sure_ssim)
            | (seen.moved <= self.sure_moved)
        )
        ruled_out = (
            (seen.distance256 > self.different_bits)
            & (seen.ssim < self.different_ssim)
            & (seen.moved > self.different_moved)
        )
        # Skies and walls are all alike: nothing but equal pixels makes such a pair sure.
        told = np.where(sure & ~seen.low_structure, SURE, UNSURE)
        cut = np.where(ruled_out & ~sure, DIFFERENT, told)
        return np.where(seen.squared == 0.0, SURE, cut)


# The same measurement with flips and turns: the best of eight positions is nearer by chance.
_TURNED = Cuts(30, 0.957, 0.0014, 90, 0.904, 0.2048)


def usual_cuts(transforms: bool) -> Cuts:
    """The cuts measured on photos, for a search with or without flips and turns."""
    return _TURNED if transforms else Cuts()


@dataclass(frozen=True)
class FeatureCuts:
    """Where the cosine of two images' features is cut.

    Attributes:
        sure: From this cosine on they are near-duplicates.
        unsure: From this on they may be; below, features say nothing.
    """

    sure: float
    unsure: float

    def __post_init__(self) -> None:
        if not -1.0 <= self.unsure <= self.sure <= 1.0:
            raise UsageError(
                f"Cosines of {self.sure:g} (sure) and {self.unsure:g} (unsure) make no sense.",
                "They lie between -1 and 1, and 'sure' is the larger one.",
            )

    def told(self, verdict: str, cosine: float, low_structure: bool) -> str:
        """The verdict on a pair once its features are known too.

        Features can confirm what pixels rule out, for they do not mind a crop or a turn; that
        they are unlike rules nothing out. Skies are alike to them as well.

        Args:
            verdict: By the pixels, or ``unconfirmed``.
            cosine: Of the features; not a number: they are not known.
            low_structure: Whether one image has too little structure.
        """
        if verdict == SURE or not cosine >= self.unsure:
            return verdict
        return SURE if cosine >= self.sure and not low_structure else UNSURE

    def as_dict(self) -> dict[str, float]:
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


def measured_without_turns(path: Path) -> bool:
    """Whether a file of `calibrate --output` says, by what it holds, that no flips were sought.

    Files from before that was measured say nothing of it, and mean the same. Cuts that stand
    alone were written by hand.
    """
    value = json.loads(path.read_text("utf-8"))
    return isinstance(value, dict) and "cuts" in value and not value.get("transforms", False)
