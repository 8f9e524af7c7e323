"""The pairs of two sides, or within one: what the hashes propose, and what the images say."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.duplicates.confirm import DIFFERENT, SURE, UNSURE
from replicate.duplicates.evidence import LOW_STRUCTURE, Cuts, Looks, compare
from replicate.duplicates.search import MOST_PAIRS, Pairs, pairs_among, pairs_within
from replicate.duplicates.sides import Side, comparable
from replicate.duplicates.transforms import NONE, TRANSFORMS

UNCONFIRMED = "unconfirmed"
_RANK = {SURE: 0, UNSURE: 1, UNCONFIRMED: 2, DIFFERENT: 3}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Leak:
    """A pair within the radius.

    Attributes:
        reference: The reference image; within one side, the earlier image.
        candidate: The other.
        distance: Differing bits of the hashes, the candidate transformed.
        transform: What to do to the candidate so that it lies on the reference: ``none`` or one
            of `replicate.duplicates.transforms.TRANSFORMS`.
        distance256: Differing bits of the 256-bit pHashes; None if the images were not seen.
        ssim: Structural similarity at 256×256; None likewise.
        squared: Mean squared difference at 256×256, in [0, 1]; None likewise.
        low_structure: Whether one of the images has too little structure for a hash to tell it
            apart from others; None if that is not known.
        verdict: ``sure``, ``unsure``, ``different``, or ``unconfirmed``: the images were not seen.
    """

    reference: str
    candidate: str
    distance: int
    transform: str
    distance256: int | None = None
    ssim: float | None = None
    squared: float | None = None
    low_structure: bool | None = None
    verdict: str = UNCONFIRMED

    def as_dict(self) -> dict[str, Any]:
        """The pair as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Proposed:
    """Pairs that the hashes propose, as indices, each with its best transform.

    Attributes:
        pairs: The pairs, sorted by reference, then candidate.
        transform: For each the place in ``(NONE, *TRANSFORMS)``, shape (p,).
    """

    pairs: Pairs
    transform: npt.NDArray[np.int64]


def propose(
    reference: Side, candidates: Side | None, radius: int, transforms: bool, most: int = MOST_PAIRS
) -> Proposed:
    """What the hashes propose: exact, every pair within the radius.

    Args:
        reference: One side.
        candidates: The other; None for pairs within the first.
        radius: Bits that may differ.
        transforms: Whether flips and quarter turns count too. One side at least must have kept
            the hashes of its turned images.
        most: How many pairs there may be.

    Raises:
        UsageError: The hashes were made in different ways, or none kept its turned ones.
        GuardError: There are more pairs.
    """
    one, two = reference.hashes, (candidates or reference).hashes
    comparable(one, two)
    first = (
        pairs_among(one.hashes, radius, most)
        if candidates is None
        else pairs_within(one.hashes, two.hashes, radius, most)
    )
    found = [np.stack([first.reference, first.candidate, first.distance], axis=1)]
    if transforms:
        for place, name in enumerate(TRANSFORMS):
            found.append(_turned(one, two, place, name, radius, most, candidates is None))
    rows = np.concatenate(found)
    which = np.repeat(np.arange(len(found)), [len(some) for some in found])
    # A picture that is like its own mirror image is found twice: the nearest way counts.
    order = np.lexsort((which, rows[:, 2], rows[:, 1], rows[:, 0]))
    rows, which = rows[order], which[order]
    best = np.ones(len(rows), dtype=bool)
    best[1:] = (rows[1:, :2] != rows[:-1, :2]).any(axis=1)
    rows = rows[best]
    return Proposed(Pairs(rows[:, 0], rows[:, 1], rows[:, 2]), which[best])


def _turned(
    one: Any, two: Any, place: int, name: str, radius: int, most: int, within: bool
) -> npt.NDArray[np.int64]:
    if two.turned is not None:
        hashes = (one.hashes, two.turned[:, place])
    elif one.turned is not None:
        # To turn the reference back is the same; only quarter turns are not their own inverse.
        back = {"rotate_90": "rotate_270", "rotate_270": "rotate_90"}.get(name, name)
        hashes = (one.turned[:, TRANSFORMS.index(back)], two.hashes)
    else:
        raise UsageError(
            "Neither side holds the hashes of flipped and turned images.",
            "Give a folder of images, or search without them: --no-transforms",
        )
    found = pairs_within(
        np.ascontiguousarray(hashes[0]), np.ascontiguousarray(hashes[1]), radius, most
    )
    rows = np.stack([found.reference, found.candidate, found.distance], axis=1)
    return rows[rows[:, 0] < rows[:, 1]] if within else rows


def leaks(
    proposed: Proposed,
    reference: Side,
    candidates: Side,
    looks: Looks | None,
    cuts: Cuts,
    progress: Progress,
) -> list[Leak]:
    """The pairs, confirmed as far as there are images to look at, the surest first.

    Args:
        proposed: What the hashes propose.
        reference: One side.
        candidates: The other, or the same.
        looks: Gives images; None: nothing is confirmed.
        cuts: Where the comparisons are cut.
        progress: Told how many pairs are done, and of how many.
    """
    names = (NONE, *TRANSFORMS)
    poor = [_poor(side) for side in (reference, candidates)]
    found = []
    pairs = proposed.pairs
    rows = zip(pairs.reference, pairs.candidate, pairs.distance, proposed.transform, strict=True)
    for done, (i, j, distance, which) in enumerate(rows):
        leak = Leak(
            reference.hashes.paths[i], candidates.hashes.paths[j], int(distance), names[which]
        )
        known = [
            flags[place] for flags, place in zip(poor, (i, j), strict=True) if flags is not None
        ]
        if known:
            leak = replace(leak, low_structure=bool(any(known)))
        if looks is not None and reference.on_disk[i] and candidates.on_disk[j]:
            leak = _confirmed(leak, looks, cuts)
            progress(done + 1, len(pairs))
        found.append(leak)
    return sorted(found, key=_order)


def _poor(side: Side) -> npt.NDArray[np.bool_] | None:
    structure = side.hashes.structure
    return None if structure is None else structure < LOW_STRUCTURE


def _confirmed(leak: Leak, looks: Looks, cuts: Cuts) -> Leak:
    one, two = looks.get(leak.reference), looks.get(leak.candidate)
    if one is None or two is None:
        return leak
    seen = compare(one, two.turned(leak.transform), cuts)
    return replace(
        leak,
        distance256=seen.distance256,
        ssim=round(seen.ssim, 6),
        squared=round(seen.squared, 8),
        low_structure=seen.low_structure,
        verdict=seen.verdict,
    )


def _order(leak: Leak) -> tuple[Any, ...]:
    bits = leak.distance256 if leak.distance256 is not None else 4 * leak.distance
    return (_RANK[leak.verdict], bits, leak.distance, leak.reference, leak.candidate)


def summary(found: list[Leak]) -> dict[str, int]:
    """How many pairs there are of each verdict."""
    return dict(sorted(Counter(leak.verdict for leak in found).items()))


def n_poor(side: Side) -> int | None:
    """How many images of a side have too little structure; None if that is not known."""
    poor = _poor(side)
    return None if poor is None else int(poor.sum())
