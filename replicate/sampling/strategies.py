"""Drawing a test set: the strategies of ImageNetV2, uniform, and matching without their bias.

Every random choice orders images by a number made from the seed, the set's name, the class and
the image: neither the order of the input nor the rest of the pool changes it, so that a later
revision carries over what it can.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from replicate.base.errors import UsageError
from replicate.base.randomness import uniforms
from replicate.sampling.feasibility import Need, require_feasible
from replicate.sampling.frequencies import Frequencies, reason_codes
from replicate.sampling.matching import (
    allocate,
    class_needs,
    first_of_cells,
    histograms,
    too_few_originals,
)
from replicate.sampling.strata import (
    PAPER_EDGES,
    Counts,
    largest_remainder,
    stratum_labels,
    stratum_of,
)

if TYPE_CHECKING:
    from replicate.sampling.covariates import Covariates
    from replicate.sampling.estimated import TrueMatching

STRATEGIES = ("matched-frequency", "matched-estimated", "threshold", "top", "uniform")
MATCHED = ("matched-frequency", "matched-estimated")


@dataclass(frozen=True)
class Request:
    """What is asked of a sample.

    Attributes:
        name: The test set's name; also the name of its random stream.
        strategy: One of `STRATEGIES`; there is no default.
        per_class: Images a class, 1 or more.
        seed: The study's seed.
        min_votes: Votes that an image needs before its frequency counts.
        edges: Inner edges of the bins; matched-frequency draws by them, all report by them.
        min_original_images: Matching: original images with enough votes a class.
        fill: matched-frequency: let higher bins stand in for a short one.
        threshold: threshold: the smallest frequency.
        overrides: threshold: other thresholds, by class id.
    """

    name: str
    strategy: str
    per_class: int
    seed: int
    min_votes: int = 10
    edges: tuple[float, ...] = PAPER_EDGES
    min_original_images: int = 20
    fill: bool = False
    threshold: float | None = None
    overrides: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise UsageError(
                f"There is no sampling strategy {self.strategy!r}.",
                f"Choose one of: {', '.join(STRATEGIES)}",
            )
        if self.strategy == "threshold" and self.threshold is None:
            raise UsageError("The strategy 'threshold' needs a threshold.", "Say threshold = 0.7")
        if self.strategy != "threshold" and (self.threshold is not None or self.overrides):
            raise UsageError(
                f"A threshold means nothing to the strategy {self.strategy!r}.",
                "Leave it out, or choose the strategy 'threshold'.",
            )
        if self.per_class < 1:
            raise UsageError(f"{self.per_class} images a class make no test set.")
        stratum_labels(self.edges)

    def parameters(self) -> dict[str, Any]:
        """Everything but the name, JSON-serialisable; part of a set's manifest.

        >>> Request("t", "top", 5, seed=1).parameters()["per_class"]
        5
        """
        values = asdict(self) | {"edges": list(self.edges), "overrides": dict(self.overrides)}
        return {key: value for key, value in sorted(values.items()) if key != "name"}


@dataclass(frozen=True, order=True, slots=True)
class Chosen:
    """One image of a test set.

    Attributes:
        class_id: The class.
        image_id: The image.
        stratum: The frequency bin that it lies in.
        filled: Whether it stands in for an image of a lower bin.
    """

    class_id: str
    image_id: str
    stratum: str
    filled: bool


@dataclass(frozen=True)
class Sample:
    """What drawing would give.

    Attributes:
        chosen: The images, sorted by class, then image; whole only if nothing is missing.
        needs: What was wanted, there and missing, by class and stratum.
        reasons: How many candidates were not eligible, by reason.
    """

    chosen: tuple[Chosen, ...]
    needs: tuple[Need, ...]
    reasons: Mapping[str, int]

    @property
    def feasible(self) -> bool:
        """Whether nothing is missing."""
        return all(need.missing == 0 for need in self.needs)


def draw(
    request: Request,
    pool: Frequencies,
    original: Frequencies,
    class_ids: Sequence[str],
    excluded: Mapping[tuple[str, str], str] | None = None,
    covariates: "Covariates | None" = None,
) -> Sample:
    """Draw a test set.

    Args:
        request: What is asked for.
        pool: Selection counts of the candidates.
        original: Selection counts of original images; only the matching strategies look at them.
        class_ids: The classes that the set must have.
        excluded: Candidates that must not be drawn: reasons by (image id, class id).
        covariates: matched-estimated: what else to match; candidates without are excluded.

    Raises:
        InfeasibleSample: Some class has too few images; the message says which, how many, and
            what to do.

    >>> from replicate.sampling.frequencies import frequencies
    >>> pool = frequencies([("a", "0", 9, 10), ("b", "0", 2, 10), ("c", "0", 10, 10)])
    >>> [c.image_id for c in draw(Request("t", "top", 2, seed=1), pool, pool, ["0"]).chosen]
    ['a', 'c']
    """
    sample = plan(request, pool, original, class_ids, excluded, covariates=covariates)
    require_feasible(sample.needs, request.name)
    return sample


def plan(
    request: Request,
    pool: Frequencies,
    original: Frequencies,
    class_ids: Sequence[str],
    excluded: Mapping[tuple[str, str], str] | None = None,
    previous: Collection[tuple[str, str]] = (),
    covariates: "Covariates | None" = None,
) -> Sample:
    """What drawing would give, without stopping if something is missing.

    Args:
        request: As for `draw`.
        pool: As for `draw`.
        original: As for `draw`.
        class_ids: As for `draw`.
        excluded: As for `draw`.
        previous: (image id, class id) of a revision before: among images that are equal to the
            strategy, these come first.
        covariates: As for `draw`.

    >>> from replicate.sampling.frequencies import frequencies
    >>> pool = frequencies([("a", "0", 9, 10)])
    >>> plan(Request("t", "top", 3, seed=1), pool, pool, ["0"]).needs[0].missing
    2
    """
    kinds, code = reason_codes(pool, request.min_votes, excluded)
    good = pool.where(code == 0)
    counted = original.where(original.shown >= max(request.min_votes, 1))
    classes = sorted(set(class_ids))
    if request.strategy == "matched-frequency":
        chosen, needs = _matched(request, classes, good, counted, previous)
    else:
        chosen, needs = _class_by_class(request, classes, good, counted, previous, covariates)
    found = np.bincount(code, minlength=len(kinds)).tolist()
    ineligible = {kind: n for kind, n in sorted(zip(kinds, found, strict=True)) if kind and n}
    return Sample(tuple(chosen), tuple(needs), ineligible)


def _class_by_class(
    request: Request,
    classes: Sequence[str],
    good: Frequencies,
    counted: Frequencies,
    previous: Collection[tuple[str, str]],
    covariates: "Covariates | None",
) -> tuple[list[Chosen], list[Need]]:
    """The strategies whose classes are drawn one after the other."""
    before: dict[str, set[str]] = {}
    for image_id, class_id in previous:
        before.setdefault(class_id, set()).add(image_id)
    matching = None
    if request.strategy == "matched-estimated" and len(good) and len(counted):
        # Imported late: the other strategies need no solver.
        from replicate.sampling.estimated import TrueMatching

        matching = TrueMatching(good, counted)
    chosen: list[Chosen] = []
    needs: list[Need] = []
    for class_id in classes:
        there, old = good.of_class(class_id), counted.of_class(class_id)
        kept = before.get(class_id, set())
        if request.strategy in MATCHED and len(old) < request.min_original_images:
            need = too_few_originals(class_id, len(old), request.min_original_images)
            part: tuple[list[Chosen], list[Need]] = [], [need]
        elif matching is not None:
            part = _estimated(request, class_id, there, matching, kept, covariates)
        else:
            part = _ranked(request, class_id, there, kept)
        chosen += sorted(part[0])
        needs += part[1]
    return chosen, needs


def _random_order(
    request: Request, class_id: str, images: Sequence[str], kept: Collection[str]
) -> Counts:
    """Places of the images, which are sorted, in random order; those of before come first."""
    names = np.array([class_id]), np.asarray(images, dtype=np.str_)
    places = np.zeros(len(images), np.int64), np.arange(len(images))
    keys = uniforms(request.seed, ("sample", request.name), names, places)
    if not kept:
        return np.argsort(keys, kind="stable")
    return np.lexsort((keys, np.array([image not in kept for image in images])))


def _ranked(
    request: Request, class_id: str, there: Frequencies, kept: Collection[str]
) -> tuple[list[Chosen], list[Need]]:
    """threshold, top and uniform: the first images of an order."""
    images = there.image_id.tolist()
    name = "all"
    if request.threshold is not None:
        least = request.overrides.get(class_id, request.threshold)
        there = there.where(there.frequency >= least)
        images, name = there.image_id.tolist(), f"[{least:g}, 1]"
    if request.strategy == "top":
        new = [image not in kept for image in images]
        keys = zip((-there.frequency).tolist(), (-there.shown).tolist(), new, images, strict=True)
        order = np.array([i for _, i in sorted((key, i) for i, key in enumerate(keys))], np.int64)
    else:
        order = _random_order(request, class_id, images, kept)
    labels = stratum_labels(request.edges)
    strata = stratum_of(there.frequency, request.edges)
    chosen = [
        Chosen(class_id, images[i], labels[strata[i]], filled=False)
        for i in order[: request.per_class].tolist()
    ]
    missing = max(0, request.per_class - len(images))
    return chosen, [Need(class_id, name, request.per_class, len(images), 0, missing)]


def _matched(
    request: Request,
    classes: Sequence[str],
    good: Frequencies,
    counted: Frequencies,
    previous: Collection[tuple[str, str]],
) -> tuple[list[Chosen], list[Need]]:
    """matched-frequency: as many of each bin as the original's histogram says."""
    labels = stratum_labels(request.edges)
    old = counted.classes_in(classes)
    annotated = np.bincount(old[old >= 0], minlength=len(classes))
    enough = annotated >= request.min_original_images
    drawn = [name for name, each in zip(classes, enough.tolist(), strict=True) if each]
    shape = len(drawn), len(labels)
    original = histograms(
        stratum_of(counted.frequency, request.edges), counted.classes_in(drawn), shape
    )
    strata, of_class = stratum_of(good.frequency, request.edges), good.classes_in(drawn)
    available = histograms(strata, of_class, shape)
    allocation = allocate(largest_remainder(original, request.per_class), available, request.fill)
    # One cell for each class and bin, and one that gives nothing for classes without a set.
    own, given, there = (
        np.append(counts, 0) for counts in (allocation.own, allocation.given, available)
    )
    cells = np.where(of_class >= 0, of_class * len(labels) + strata, len(own) - 1)
    # A random number is made only where it decides: not in bins that give nothing, or all.
    whole = own == there
    asked = (given > 0) & ~whole
    open_rows = np.flatnonzero(asked[cells])
    keys = uniforms(
        request.seed,
        ("sample", request.name),
        (np.array(drawn, dtype=np.str_), good.image_id),
        (of_class[open_rows], open_rows),
    )
    before = np.zeros(len(good), dtype=bool)
    kept = good.rows_of(previous)
    before[kept[kept >= 0]] = True
    at, rank = first_of_cells(cells[open_rows], given * asked, keys, before[open_rows])
    filled = np.zeros(len(good), dtype=bool)
    filled[open_rows[at]] = rank >= own[cells[open_rows[at]]]
    rows = np.sort(np.concatenate([open_rows[at], np.flatnonzero((whole & (own > 0))[cells])]))
    chosen = map(
        Chosen,
        good.class_id[rows].tolist(),
        good.image_id[rows].tolist(),
        [labels[stratum] for stratum in strata[rows].tolist()],
        filled[rows].tolist(),
    )
    needs = iter(class_needs(drawn, allocation, available, request.edges))
    every = [
        [next(needs) for _ in labels] if enough[i]
        else [too_few_originals(name, int(annotated[i]), request.min_original_images)]
        for i, name in enumerate(classes)
    ]  # fmt: skip
    return list(chosen), [need for some in every for need in some]


def _estimated(
    request: Request,
    class_id: str,
    there: Frequencies,
    matching: "TrueMatching",
    kept: Collection[str],
    covariates: "Covariates | None",
) -> tuple[list[Chosen], list[Need]]:
    """matched-estimated: as many of each number of votes as give the true frequencies."""
    missing = max(0, request.per_class - len(there))
    need = Need(class_id, "all", request.per_class, len(there), 0, missing)
    if missing:
        return [], [need]
    places = matching.place_of(there)
    available = np.bincount(places, minlength=len(matching.cells))
    left = matching.take(class_id, available, request.per_class)
    labels = stratum_labels(request.edges)
    strata = stratum_of(there.frequency, request.edges)
    images = there.image_id.tolist()
    order = _random_order(request, class_id, images, kept)
    taken = np.zeros(len(there), dtype=bool)
    for i in order.tolist():
        if left[places[i]]:
            left[places[i]] -= 1
            taken[i] = True
    if covariates is not None:
        taken = covariates.exchange(there, places, taken, order)
    chosen = [
        Chosen(class_id, images[i], labels[strata[i]], filled=False)
        for i in np.flatnonzero(taken).tolist()
    ]
    return chosen, [need]
