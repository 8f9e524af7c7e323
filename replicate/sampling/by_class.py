"""threshold, top, uniform and matched-estimated, which draw one class after the other."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from replicate.base.randomness import uniforms
from replicate.sampling.feasibility import Need
from replicate.sampling.filling import most_seen_first
from replicate.sampling.frequencies import Frequencies
from replicate.sampling.request import Chosen, Request
from replicate.sampling.strata import Counts, stratum_labels, stratum_of

if TYPE_CHECKING:
    from replicate.sampling.covariates import Covariates
    from replicate.sampling.estimated import TrueMatching

Part = tuple[list[Chosen], list[Need]]


@dataclass(frozen=True)
class OfClass:
    """What one class is drawn from.

    Attributes:
        class_id: The class.
        there: Its eligible candidates.
        spare: Candidates with too few votes, which may stand in; none if filling is not asked for.
        kept: Images of the revision before: among equals they come first.
    """

    class_id: str
    there: Frequencies
    spare: Frequencies
    kept: Collection[str]


def random_order(
    request: Request, class_id: str, images: Sequence[str], kept: Collection[str]
) -> Counts:
    """Places of the images, which are sorted, in random order; those of before come first."""
    names = np.array([class_id]), np.asarray(images, dtype=np.str_)
    places = np.zeros(len(images), np.int64), np.arange(len(images))
    keys = uniforms(request.seed, ("sample", request.name), names, places)
    if not kept:
        return np.argsort(keys, kind="stable")
    return np.lexsort((keys, np.array([image not in kept for image in images])))


def _best_first(images: Frequencies, kept: Collection[str]) -> Counts:
    """Places of the images: frequency, votes, those of before, id."""
    names = images.image_id.tolist()
    new = np.array([name not in kept for name in names], dtype=bool)
    return np.lexsort((np.array(names, dtype=np.str_), new, -images.shown, -images.frequency))


def ranked(request: Request, part: OfClass) -> Part:
    """threshold, top and uniform: the first images of an order."""
    good, name = np.ones(len(part.there), dtype=bool), "all"
    if request.threshold is not None:
        least = request.overrides.get(part.class_id, request.threshold)
        good, name = part.there.frequency >= least, f"[{least:g}, 1]"
    there, below = part.there.where(good), part.there.where(~good)
    if request.strategy == "top":
        order = _best_first(there, part.kept)
    else:
        order = random_order(request, part.class_id, there.image_id.tolist(), part.kept)
    chosen = _chosen(request, there, order[: request.per_class])
    missing = max(0, request.per_class - len(there))
    filling: list[Chosen] = []
    if request.fill and missing:
        first = _best_first(below, part.kept)[:missing]
        filling = _chosen(request, below, first, filled=True)
        filling += _from_spare(request, part, missing - len(filling))
    need = Need(
        part.class_id, name, request.per_class, len(there), len(filling), missing - len(filling)
    )
    return chosen + filling, [need]


def _from_spare(request: Request, part: OfClass, missing: int) -> list[Chosen]:
    """Images with too few votes, as many as are missing and there."""
    if request.strategy in ("top", "threshold"):
        order = _best_first(part.spare, part.kept)
    else:
        order = random_order(request, part.class_id, part.spare.image_id.tolist(), part.kept)
    return _chosen(request, part.spare, most_seen_first(part.spare, order)[:missing], filled=True)


def estimated(
    request: Request, part: OfClass, matching: "TrueMatching", covariates: "Covariates | None"
) -> Part:
    """matched-estimated: as many of each number of votes as give the true frequencies."""
    there = part.there
    missing = max(0, request.per_class - len(there))
    filling = _from_spare(request, part, missing) if request.fill and missing else []
    missing -= len(filling)
    need = Need(part.class_id, "all", request.per_class, len(there), len(filling), missing)
    if missing:
        return [], [need]
    order = random_order(request, part.class_id, there.image_id.tolist(), part.kept)
    if not len(there):
        return filling, [need]
    places = matching.place_of(there)
    available = np.bincount(places, minlength=len(matching.cells))
    target = matching.target(part.class_id, request.per_class - len(filling))
    first = matching.take(part.class_id, available, target)
    taken = _first_of_places(places, first, order)
    shift = np.zeros_like(target)
    if covariates is not None:
        # Where covariates are exchanged, true frequencies move: known once it was tried.
        alone = taken
        for _ in range(2):
            taken = _first_of_places(
                places, matching.take(part.class_id, available, target - shift), order
            )
            taken = covariates.exchange(there, places, taken, order)
            shift = covariates.shift(part.class_id, taken, matching.moments[places])
        covariates.settle(there, alone, taken)
        standing_in = [(item.image_id, item.class_id) for item in filling]
        covariates.count(standing_in, standing_in)
    matching.carry(target, matching.moments[places[taken]].sum(axis=0) + shift)
    return _chosen(request, there, np.flatnonzero(taken)) + filling, [need]


def _first_of_places(places: Counts, left: Counts, order: Counts) -> npt.NDArray[np.bool_]:
    """The first images of each place, as many as are left to be taken."""
    taken = np.zeros(len(places), dtype=bool)
    left = left.copy()
    for i in order.tolist():
        if left[places[i]]:
            left[places[i]] -= 1
            taken[i] = True
    return taken


def _chosen(
    request: Request, images: Frequencies, places: Counts, filled: bool = False
) -> list[Chosen]:
    labels = stratum_labels(request.edges)
    strata = stratum_of(images.frequency[places], request.edges).tolist()
    names = images.class_id[places].tolist(), images.image_id[places].tolist()
    rows = zip(*names, [labels[i] for i in strata], strict=True)
    return [Chosen(*row, filled=filled) for row in rows]
