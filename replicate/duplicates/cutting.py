"""Cuts that are measured, not guessed.

Known near-duplicates are planted: images that were edited on purpose. Images known to be
different are the others. Both go the whole way, through hash and pixels. A pair is sure up to
three times the distance that the planted near-duplicates need (real ones have a longer tail than
any sample of planted ones), but never beyond what keeps to the share of different images that may
be taken for near-duplicates by mistake.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.duplicates.cuts import Cuts
from replicate.duplicates.evidence import Evidence

Floats = npt.NDArray[np.float64]

_REACH = 3.0  # of what is sure over the farthest planted near-duplicate
_MARGIN = 0.75  # of the nearest different image: a sample never holds the nearest there is
_USUAL = 0.99  # share of them that is not ruled out
_MOST_SURE_BITS = 64  # of 256: unrelated images are 128 apart, give or take 8
_WAYS = 3  # of comparing, each of which can be wrong


def widest(nearest: Floats, max_false: float) -> float:
    """The largest distance within which at most so large a share of different images lies.

    Args:
        nearest: Distances of different images, shape (m,); infinite ones never lie within.
        max_false: Share that may, in [0, 1). None may: three quarters of the nearest distance,
            for a sample never holds the nearest that there is.

    >>> widest(np.array([0.1, 0.2, 0.3, 0.4]), 0.25) < 0.2
    True
    >>> widest(np.array([0.1, 0.2, 0.3, 0.4]), 0.25) > 0.1999
    True
    >>> widest(np.array([0.1, 0.2]), 0.0) == 0.75 * 0.1
    True
    """
    if len(nearest) == 0:
        return np.inf
    if max_false == 0.0:
        return _MARGIN * float(nearest.min())
    spared = int(np.floor(max_false * len(nearest) + 1e-9))
    first_too_many = float(np.sort(nearest)[spared])
    return float(np.nextafter(first_too_many, -np.inf)) if np.isfinite(first_too_many) else np.inf


def cuts_from(
    planted: Evidence,
    different: Evidence,
    max_false: float = 0.0,
    least: Cuts | None = None,
    tiny: bool = False,
) -> Cuts:
    """Where to cut: what is sure lies well this side of different images.

    And what is different lies beyond 99 of 100 near-duplicates that the hash proposes, by bits
    and at 32×32, and has a similarity that 99 of 100 different pairs stay within.

    Args:
        planted: Near-duplicates that were planted and that the hash proposes.
        different: Different images; of each the nearest other, or the nearest pairs of all.
        max_false: Share of them that may be sure by mistake, in [0, 1).
        least: What is different is beyond these cuts too.
        tiny: Whether the images are so small that the comparison at 32×32 sees all of them: then
            it alone decides.
    """
    # Skies and walls are never sure, so that they say nothing of where to cut.
    told, seen = different.some(~different.low_structure), planted.some(~planted.low_structure)
    if tiny:
        sure = float(np.clip(_sure(seen.moved, told.moved, max_false), 0.0, 1.0))
        return Cuts.of_moved(sure, max(float(seen.moved.max(initial=0.0)), sure))
    share = max_false / _WAYS
    least = least or Cuts(0, 1.0, 0.0, 0, 1.0, 0.0)
    bits = min(_MOST_SURE_BITS, int(_sure(seen.distance256, told.distance256, share)))
    # What is similar: 1 - SSIM is a distance.
    similar = round(1.0 - min(2.0, _sure(1.0 - seen.ssim, 1.0 - told.ssim, share)), 3)
    near = round(min(1.0, _sure(seen.moved, told.moved, share)), 4)
    # A crop has no more SSIM than another photo: only one that others hardly reach counts.
    usual = float(np.quantile(told.ssim, _USUAL)) if len(told) else 0.0
    return Cuts(
        sure_bits=bits,
        sure_ssim=similar,
        sure_moved=near,
        different_bits=max(int(_far(seen.distance256)), bits, least.different_bits),
        different_ssim=round(min(usual, similar, least.different_ssim), 3),
        different_moved=round(max(_far(seen.moved), near, least.different_moved), 4),
    )


def _sure(planted: npt.NDArray[Any], different: npt.NDArray[Any], max_false: float) -> float:
    needed = float(planted.max(initial=0.0))
    return min(_REACH * needed, widest(different.astype(np.float64), max_false))


def _far(planted: npt.NDArray[Any]) -> float:
    return float(np.quantile(planted, _USUAL)) if len(planted) else 0.0


def stricter(cuts: Cuts, others: Cuts) -> Cuts:
    """Cuts that are sure only where both are; what they rule out is what the first rule out."""
    return replace(
        cuts,
        sure_bits=min(cuts.sure_bits, others.sure_bits),
        sure_ssim=max(cuts.sure_ssim, others.sure_ssim),
        sure_moved=min(cuts.sure_moved, others.sure_moved),
    )
