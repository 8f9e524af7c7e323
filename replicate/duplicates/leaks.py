"""The pairs of two sides, or within one: what proposes them, and what the images say."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.duplicates.cuts import DIFFERENT, LOW_STRUCTURE, SURE, UNSURE, Cuts, FeatureCuts
from replicate.duplicates.evidence import Evidence, Look, Looks, apart, compare
from replicate.duplicates.proposing import HASH, NAMES, Proposed, turned_looks
from replicate.duplicates.search import Pairs
from replicate.duplicates.sides import Side

UNCONFIRMED = "unconfirmed"
_RANK = {SURE: 0, UNSURE: 1, UNCONFIRMED: 2, DIFFERENT: 3}
_CHUNK_VALUES = 1 << 22  # pixels of images held ready at a time
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
        dssim: (1 - ssim) / 2, in [0, 1]; None likewise.
        squared: Mean squared difference at 256×256, in [0, 1]; None likewise.
        squared32: Mean squared difference at 32×32, in [0, 1]; None likewise.
        moved: What brightness, contrast and a move of up to a pixel leave of the difference at
            32×32, in [0, 1]; None likewise.
        low_structure: Whether one of the images has too little structure for a hash to tell it
            apart from others; None if that is not known.
        similarity: The cosine of the images' features; None if there are none.
        found_by: ``hash``, ``features``, or ``hash and features``.
        verdict: ``sure``, ``unsure``, ``different``, or ``unconfirmed``: the images were not seen.
    """

    reference: str
    candidate: str
    distance: int
    transform: str
    distance256: int | None = None
    ssim: float | None = None
    dssim: float | None = None
    squared: float | None = None
    squared32: float | None = None
    moved: float | None = None
    low_structure: bool | None = None
    similarity: float | None = None
    found_by: str = HASH
    verdict: str = UNCONFIRMED

    def as_dict(self) -> dict[str, Any]:
        """The pair as JSON values."""
        return asdict(self)


def leaks(
    proposed: Proposed,
    reference: Side,
    candidates: Side,
    looks: Looks | None,
    cuts: Cuts,
    progress: Progress,
    different: bool = True,
    features: FeatureCuts | None = None,
) -> list[Leak]:
    """The pairs, confirmed as far as there are images to look at, the surest first.

    Args:
        proposed: What the hashes propose.
        reference: One side.
        candidates: The other, or the same.
        looks: Gives images; None: nothing is confirmed.
        cuts: Where the comparisons are cut.
        progress: Told how many pairs are done, and of how many.
        different: Whether pairs that the images rule out are handed back too.
        features: Where the cosines of features are cut, if there are any.
    """
    found: list[Leak] = []
    step = 1024 if looks is None else max(1, _CHUNK_VALUES // int(np.prod(looks.scale.whole)))
    for start in range(0, len(proposed), step):
        some = proposed.some(slice(start, start + step))
        found += _looked_at(some, reference, candidates, looks, cuts, features, different)
        if looks is not None:
            progress(min(start + step, len(proposed)), len(proposed))
    return sorted(found, key=_order)


def _looked_at(
    proposed: Proposed,
    reference: Side,
    candidates: Side,
    looks: Looks | None,
    cuts: Cuts,
    features: FeatureCuts | None,
    different: bool,
) -> Iterator[Leak]:
    """Some of the pairs, in their order."""
    places: list[int] = []
    first: list[Look] = []
    second: list[Look] = []
    if looks is not None:
        places, first, second = turned_looks(proposed, reference, candidates, looks)
    ruled_out: list[int] = []
    if not different and cuts.by_moved_alone and places:
        # Tiny images have pairs by the million: what one distance rules out is not compared on.
        near = apart(first, second) <= cuts.different_moved
        if features is not None and proposed.cosine is not None:
            near |= proposed.cosine[places] >= features.unsure
        ruled_out = [place for place, stays in zip(places, near, strict=True) if not stays]
        kept = np.flatnonzero(near).tolist()
        places = [places[i] for i in kept]
        first, second = ([some[i] for i in kept] for some in (first, second))
    evidence = compare(first, second)
    verdicts = cuts.verdicts(evidence).tolist()
    row_of = {place: row for row, place in enumerate(places)}
    for place, leak in enumerate(_bare(proposed, reference, candidates)):
        row = row_of.get(place)
        seen = leak if row is None else _told(leak, evidence, row, verdicts[row])
        if features is not None and seen.similarity is not None:
            poor = bool(seen.low_structure)
            seen = replace(seen, verdict=features.told(seen.verdict, seen.similarity, poor))
        if different or not (place in ruled_out or seen.verdict == DIFFERENT):
            yield seen


def _bare(proposed: Proposed, reference: Side, candidates: Side) -> Iterator[Leak]:
    """Pairs of which nothing is known but what proposes them."""
    pairs = proposed.pairs
    poor = _either_poor(reference, candidates, pairs)
    for place in range(len(pairs)):
        cosine = np.nan if proposed.cosine is None else float(proposed.cosine[place])
        yield Leak(
            reference.hashes.paths[pairs.reference[place]],
            candidates.hashes.paths[pairs.candidate[place]],
            int(pairs.distance[place]),
            NAMES[proposed.transform[place]],
            low_structure=None if poor is None else bool(poor[place]),
            similarity=None if np.isnan(cosine) else round(cosine, 6),
            found_by=HASH if proposed.found_by is None else str(proposed.found_by[place]),
        )


def _either_poor(reference: Side, candidates: Side, pairs: Pairs) -> npt.NDArray[np.bool_] | None:
    """Whether one image of a pair has too little structure, as far as that is known."""
    flags = [
        poor[places]
        for poor, places in (
            (poor_of(reference), pairs.reference),
            (poor_of(candidates), pairs.candidate),
        )
        if poor is not None
    ]
    return np.logical_or.reduce(flags) if flags else None


def _told(leak: Leak, evidence: Evidence, row: int, verdict: str) -> Leak:
    return replace(
        leak,
        distance256=int(evidence.distance256[row]),
        ssim=round(float(evidence.ssim[row]), 6),
        dssim=round(float(evidence.dssim[row]), 6),
        squared=round(float(evidence.squared[row]), 8),
        squared32=round(float(evidence.squared32[row]), 8),
        moved=round(float(evidence.moved[row]), 8),
        low_structure=bool(evidence.low_structure[row]),
        verdict=verdict,
    )


def poor_of(side: Side) -> npt.NDArray[np.bool_] | None:
    """Whether an image has too little structure, shape (n,); None if that is not known."""
    structure = side.hashes.structure
    return None if structure is None else structure < LOW_STRUCTURE


def _order(leak: Leak) -> tuple[Any, ...]:
    """The surest first: by the nearer of the two channels, each as a share of its whole range."""
    bits = leak.distance256 if leak.distance256 is not None else 4 * leak.distance
    angle = 1.0 if leak.similarity is None else 1.0 - leak.similarity
    nearer = min(bits / 256, angle)
    return (_RANK[leak.verdict], nearer, leak.distance, leak.reference, leak.candidate)


def summary(found: list[Leak]) -> dict[str, int]:
    """How many pairs there are of each verdict."""
    return dict(sorted(Counter(leak.verdict for leak in found).items()))


def n_poor(side: Side) -> int | None:
    """How many images of a side have too little structure; None if that is not known."""
    poor = poor_of(side)
    return None if poor is None else int(poor.sum())
