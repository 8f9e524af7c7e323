"""Drawing a test set: the strategies of ImageNetV2, uniform, and matching without their bias.

Every random choice orders images by a number made from the seed, the set's name, the class and
the image: neither the order of the input nor the rest of the pool changes it, so that a later
revision carries over what it can.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from replicate.base.errors import UsageError
from replicate.base.randomness import uniforms
from replicate.sampling.by_class import OfClass, Part, estimated, ranked
from replicate.sampling.feasibility import Need, require_feasible
from replicate.sampling.filling import seen_too_little
from replicate.sampling.frequencies import Frequencies, reason_codes
from replicate.sampling.matching import (
    allocate,
    class_needs,
    first_of_cells,
    histograms,
    too_few_originals,
)
from replicate.sampling.quota import Keywords, draw_by_quota
from replicate.sampling.request import MATCHED, Chosen, Request, Sample
from replicate.sampling.strata import largest_remainder, stratum_labels, stratum_of

if TYPE_CHECKING:
    from replicate.sampling.covariates import Covariates


def draw(
    request: Request,
    pool: Frequencies,
    original: Frequencies,
    class_ids: Sequence[str],
    excluded: Mapping[tuple[str, str], str] | None = None,
    covariates: "Covariates | None" = None,
    keywords: Keywords | None = None,
) -> Sample:
    """Draw a test set.

    Args:
        request: What is asked for.
        pool: Selection counts of the candidates.
        original: Selection counts of original images; only the matching strategies look at them.
        class_ids: The classes that the set must have.
        excluded: Candidates that must not be drawn: reasons by (image id, class id).
        covariates: matched-estimated: what else to match; candidates without are excluded.
        keywords: quota: those of the original's images and of the candidates.

    Raises:
        InfeasibleSample: Some class has too few images; the message says which, how many, and
            what to do.

    >>> from replicate.sampling.frequencies import frequencies
    >>> pool = frequencies([("a", "0", 9, 10), ("b", "0", 2, 10), ("c", "0", 10, 10)])
    >>> [c.image_id for c in draw(Request("t", "top", 2, seed=1), pool, pool, ["0"]).chosen]
    ['a', 'c']
    """
    sample = plan(request, pool, original, class_ids, excluded, (), covariates, keywords)
    require_feasible(sample.needs, request.name, request.fill)
    return sample


def plan(
    request: Request,
    pool: Frequencies,
    original: Frequencies,
    class_ids: Sequence[str],
    excluded: Mapping[tuple[str, str], str] | None = None,
    previous: Collection[tuple[str, str]] = (),
    covariates: "Covariates | None" = None,
    keywords: Keywords | None = None,
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
        keywords: As for `draw`.

    Raises:
        UsageError: quota: there are no keywords, or none of some class's original images.

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
        spare = seen_too_little(pool, kinds, code) if request.fill else pool.where(code < 0)
        parts = [
            OfClass(name, good.of_class(name), spare.of_class(name), kept)
            for name, kept in _by_class(classes, previous)
        ]
        chosen, needs = _class_by_class(request, parts, good, counted, covariates, keywords)
    found = np.bincount(code, minlength=len(kinds)).tolist()
    ineligible = {kind: n for kind, n in sorted(zip(kinds, found, strict=True)) if kind and n}
    return Sample(tuple(chosen), tuple(needs), ineligible)


def _by_class(
    classes: Sequence[str], pairs: Collection[tuple[str, str]]
) -> list[tuple[str, set[str]]]:
    found: dict[str, set[str]] = {name: set() for name in classes}
    for image_id, class_id in pairs:
        if class_id in found:
            found[class_id].add(image_id)
    return list(found.items())


def _class_by_class(
    request: Request,
    parts: Sequence[OfClass],
    good: Frequencies,
    counted: Frequencies,
    covariates: "Covariates | None",
    keywords: Keywords | None,
) -> Part:
    """The strategies whose classes are drawn one after the other."""
    matching = None
    if request.strategy == "matched-estimated" and len(good) and len(counted):
        # Imported late: the other strategies need no solver.
        from replicate.sampling.estimated import TrueMatching

        matching = TrueMatching(good, counted)
        if covariates is not None:
            places = matching.place_of(good)
            covariates.relate(good, matching.moments[places])
    if request.strategy == "quota" and keywords is None:
        raise UsageError("The quota strategy needs the keywords of the original's images.")
    chosen: list[Chosen] = []
    needs: list[Need] = []
    for part in parts:
        annotated = len(counted.of_class(part.class_id))
        if request.strategy in MATCHED and annotated < request.min_original_images:
            few = too_few_originals(part.class_id, annotated, request.min_original_images)
            found: Part = [], [few]
        elif matching is not None:
            found = estimated(request, part, matching, covariates)
        elif keywords is not None:
            found = draw_by_quota(request, part.class_id, part.there, part.kept, keywords)
        else:
            found = ranked(request, part)
        chosen += sorted(found[0])
        needs += found[1]
    if matching is not None and covariates is not None:
        covariates.left_over = matching.left_over
    return chosen, needs


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
    whole &= own > 0
    rows = np.sort(open_rows[at])
    if whole.any():
        rows = np.sort(np.concatenate([rows, np.flatnonzero(whole[cells])]))
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
