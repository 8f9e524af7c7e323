"""The cuts of a study, measured on its own images.

Near-duplicates are made of some of its images by a function that is handed in; each image is held
against all others of its set, which are taken for different ones. Both go the whole way, through
hash and pixels, and `replicate.duplicates.cutting` says where to cut.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.duplicates.cuts import SURE, Cuts
from replicate.duplicates.cutting import cuts_from, stricter
from replicate.duplicates.evidence import Evidence, Look, Looks, apart, compare, look
from replicate.duplicates.proposing import (
    NAMES,
    nearest_position,
    positions,
    propose,
    turned_looks,
)
from replicate.duplicates.sides import Side

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Edit = Callable[[str, np.random.Generator], Pixels | None]

_CLEAR = 0.9  # share of the planted near-duplicates that count as clear ones
_CHUNK_VALUES = 1 << 22  # pixels of images held ready at a time
_PHOTOS = Cuts()  # measured on photos, edited in more ways than are planted here


@dataclass(frozen=True)
class Planted:
    """Near-duplicates made on purpose, and how they compare with their originals.

    Attributes:
        distance: Hash distances, in bits, shape (n,); of those that could not be prepared again
            the largest there is.
        evidence: What the images say, of those that the hash proposes.
        radius: Up to which distance it proposes.
        transforms: Whether flips and turns are sought.
    """

    distance: Index
    evidence: Evidence
    radius: int
    transforms: bool

    @property
    def proposed(self) -> npt.NDArray[np.bool_]:
        """Which of them the hash proposes, shape (n,)."""
        return self.distance <= self.radius


@dataclass(frozen=True)
class Calibration:
    """What was measured, and the cuts that follow.

    Attributes:
        cuts: Where pairs are cut.
        radius: The hash radius that they hold for, in bits.
        n_planted: How many near-duplicates were planted.
        recall: Share of them that hash and pixels together find, in [0, 1].
        hash_recall: Share of them that the hash proposes at that radius.
        needed: The largest distance, as `moved_a_little` has it, of a planted near-duplicate that
            the hash proposes.
        needed_radius: The largest hash distance of a planted near-duplicate, in bits.
        n_different: How many different images were tried.
        false_rate: Share of them that would be taken for near-duplicates, in [0, 1].
    """

    cuts: Cuts
    radius: int
    n_planted: int
    recall: float
    hash_recall: float
    needed: float
    needed_radius: int
    n_different: int
    false_rate: float

    def as_dict(self) -> dict[str, Any]:
        """All figures, JSON-serialisable."""
        return asdict(self)


def plant(
    side: Side,
    looks: Looks,
    edit: Edit,
    random: np.random.Generator,
    *,
    radius: int,
    transforms: bool = False,
    sample: int = 300,
) -> Planted:
    """Make near-duplicates of some images.

    Args:
        side: The images, one or more.
        looks: Gives them.
        edit: Gives an edited copy's grey values by an image's name, or None if the copy cannot be
            prepared.
        random: Chooses the images, and drives the edits.
        radius: Hash distance up to which pairs are proposed, in bits.
        transforms: Whether flips and turns are sought: copies may then be turned.
        sample: How many images are edited, at most.

    Raises:
        UsageError: There are no images.
    """
    if not len(side):
        raise UsageError(
            "Calibration needs images, and there are none.",
            "Name a reference set, or give a threshold.",
        )
    chosen = np.sort(random.permutation(len(side))[:sample])
    names = [side.hashes.paths[place] for place in chosen]
    copies = [edit(name, random) for name in names]
    made = [place for place, copy in enumerate(copies) if copy is not None]
    edited = [copy for copy in copies if copy is not None]
    distance = np.full(len(chosen), side.hashes.bits, np.int64)
    every = positions(edited, side.hashes.bits, transforms)
    laid, distance[made] = nearest_position(side.hashes.hashes[chosen[made]], every)
    first: list[Look] = []
    second: list[Look] = []
    for place, copy, turn in zip(made, edited, laid, strict=True):
        own = looks.get(names[place])
        if distance[place] <= radius and own is not None:
            first.append(own)
            seen = look(copy, looks.scale)
            second.append(seen.turned(NAMES[turn]) if turn else seen)
    return Planted(distance, compare(first, second), radius, transforms)


def calibrate(
    planted: Planted,
    side: Side,
    looks: Looks,
    random: np.random.Generator,
    *,
    max_false: float = 0.01,
    probes: int = 2000,
    within: Cuts | None = None,
) -> Calibration:
    """Find the cuts for one set's images.

    Args:
        planted: Near-duplicates that should be found.
        side: Images of which each is held against all others.
        looks: Gives them.
        random: Chooses the probes.
        max_false: Share of different images that may be taken for near-duplicates, in [0, 1).
        probes: How many images are held against all others, at most.
        within: The cuts come out no wider than these.

    Raises:
        UsageError: The share is wrong.
    """
    if not 0.0 <= max_false < 1.0:
        raise UsageError(f"A share of {max_false} is not in [0, 1).", "Use a share such as 0.01.")
    tiny = looks.scale.tiny
    probed = np.sort(random.permutation(len(side))[:probes])
    different = _different(planted, nearest_others(side, probed, looks, planted), tiny)
    cuts = cuts_from(planted.evidence, different, max_false, least=_PHOTOS, tiny=tiny)
    if within is not None:
        cuts = stricter(within, cuts)
    found = int((cuts.verdicts(planted.evidence) == SURE).sum())
    wrong = cuts.verdicts(different) == SURE
    return Calibration(
        cuts=cuts,
        radius=planted.radius,
        n_planted=len(planted.distance),
        recall=found / len(planted.distance),
        hash_recall=float(planted.proposed.mean()),
        needed=float(planted.evidence.moved.max(initial=0.0)),
        needed_radius=int(planted.distance.max(initial=0)),
        n_different=len(different),
        false_rate=float(wrong.mean()) if len(wrong) else 0.0,
    )


def _different(planted: Planted, nearest: Evidence, tiny: bool) -> Evidence:
    """Images' nearest others, without those that are copies.

    A set may hold copies of its own images. Whatever is as near as a clear near-duplicate is
    taken for one, and left out: it says nothing about different images.
    """
    if not len(planted.evidence):
        return nearest
    seen = planted.evidence
    copies = nearest.moved <= np.quantile(seen.moved, _CLEAR)
    if not tiny:
        copies |= nearest.distance256 <= np.quantile(seen.distance256, _CLEAR)
        copies |= nearest.ssim >= np.quantile(seen.ssim, 1.0 - _CLEAR)
    return nearest.some(~copies)


def nearest_others(side: Side, probed: Index, looks: Looks, planted: Planted) -> Evidence:
    """How near some images of a set come to any other, by each way of comparing.

    Args:
        side: The set.
        probed: Which of its images are held against all others, shape (m,).
        looks: Gives the images.
        planted: Says within which radius, and whether flips and turns count.

    Returns:
        Of shape (m,): by each way the nearest of the others that the hash proposes; as far as
        can be where it proposes none.
    """
    probes = side.some(probed)
    proposed = propose(side, probes, planted.radius, planted.transforms)
    proposed = proposed.some(proposed.pairs.reference != probed[proposed.pairs.candidate])
    best = _farthest(len(probed))
    step = max(1, _CHUNK_VALUES // int(np.prod(looks.scale.whole)))
    for start in range(0, len(proposed), step):
        some = proposed.some(slice(start, start + step))
        places, first, second = turned_looks(some, side, probes, looks)
        probe = some.pairs.candidate[places]
        if looks.scale.tiny:
            np.minimum.at(best.moved, probe, apart(first, second))
            continue
        seen = compare(first, second)
        told = ~seen.low_structure  # a pair of skies is never sure
        seen, probe = seen.some(told), probe[told]
        np.minimum.at(best.distance256, probe, seen.distance256)
        np.maximum.at(best.ssim, probe, seen.ssim)
        np.minimum.at(best.moved, probe, seen.moved)
    return best


def _farthest(n: int) -> Evidence:
    return Evidence(
        distance256=np.full(n, 256, np.int64),
        ssim=np.full(n, -1.0),
        squared=np.ones(n),
        squared32=np.ones(n),
        moved=np.full(n, np.inf),
        low_structure=np.zeros(n, bool),
    )
