"""A later revision of a test set: what may stay stays, and what is left open is drawn anew.

By class. A class that is drawn from the same counts as before, and none of whose images had to
go, stays as it is, image by image. Another class is drawn again, and of images that are equal to
the strategy (those of one bin, of one number of votes, of one frequency for ``top``) those of the
revision before come first. So no image leaves without a reason, and reviews of images that stay
need not be made again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replicate.base.digests import digest_value
from replicate.sampling.feasibility import Need
from replicate.sampling.frequencies import ELIGIBLE, TOO_FEW_VOTES, Frequencies, eligibility
from replicate.sampling.quota import Keywords
from replicate.sampling.request import Chosen, Request, Sample
from replicate.sampling.strategies import plan

if TYPE_CHECKING:
    from replicate.sampling.covariates import Covariates

NOT_IN_POOL, GAVE_WAY = "not_in_pool", "gave_way"


@dataclass(frozen=True)
class Previous:
    """The revision before.

    Attributes:
        chosen: Its images.
        sources: By class, the digest of what it was drawn from (`class_sources`); empty where
            that was not written down.
    """

    chosen: tuple[Chosen, ...]
    sources: Mapping[str, str]


@dataclass(frozen=True)
class Revision:
    """What a later revision would hold.

    Attributes:
        sample: Its images, and what was wanted and there; of classes that stay as they are, what
            they have.
        kept: How many images were in the revision before.
        dropped: By (image id, class id) of the revision before: why it is not in this one. What
            eligibility says, ``not_in_pool``, or ``gave_way``: votes, candidates or the request
            changed, and other images have its place.
        unchanged: The classes that hold the same images as before.
    """

    sample: Sample
    kept: int
    dropped: Mapping[tuple[str, str], str]
    unchanged: tuple[str, ...]


def class_sources(
    request: Request,
    pool: Frequencies,
    original: Frequencies,
    class_ids: Sequence[str],
    covariates: "Covariates | None" = None,
    keywords: Keywords | None = None,
) -> dict[str, str]:
    """By class, a digest of everything that its images depend on, but for what is excluded.

    Args:
        request: What is asked for.
        pool: Selection counts of the candidates.
        original: Selection counts of original images.
        class_ids: The classes.
        covariates: What else is matched.
        keywords: Those of the images.

    >>> from replicate.sampling.frequencies import frequencies
    >>> pool = frequencies([("a", "0", 9, 10), ("b", "1", 2, 10)])
    >>> more = frequencies([("a", "0", 9, 10), ("b", "1", 3, 11)])
    >>> one, two = (
    ...     class_sources(Request("t", "top", 1, seed=1), each, each, ["0", "1"])
    ...     for each in (pool, more)
    ... )
    >>> one["0"] == two["0"], one["1"] == two["1"]
    (True, False)
    """
    parameters = request.parameters()
    found = {}
    for class_id in sorted(set(class_ids)):
        sides = (pool.of_class(class_id), original.of_class(class_id))
        columns = [
            [side.image_id.tolist(), side.selected.tolist(), side.shown.tolist()] for side in sides
        ]
        more = [
            facts.of_class(class_id, sides[0].image_id.tolist())
            for facts in (covariates, keywords)
            if facts is not None
        ]
        found[class_id] = digest_value([parameters, class_id, columns, *more])
    return found


def revise(
    request: Request,
    pool: Frequencies,
    original: Frequencies,
    class_ids: Sequence[str],
    previous: Previous,
    excluded: Mapping[tuple[str, str], str] | None = None,
    covariates: "Covariates | None" = None,
    keywords: Keywords | None = None,
) -> Revision:
    """What the next revision of a test set holds.

    Args:
        request: What is asked for.
        pool: Selection counts of the candidates.
        original: Selection counts of original images.
        class_ids: The classes that the set must have.
        previous: The revision before.
        excluded: Candidates that must not be in it: reasons by (image id, class id).
        covariates: What else is matched.
        keywords: Those of the images.

    >>> from replicate.sampling.frequencies import frequencies
    >>> pool = frequencies([("a", "0", 9, 10), ("b", "0", 2, 10), ("c", "0", 10, 10)])
    >>> request = Request("t", "top", 2, seed=1)
    >>> first = Previous(plan(request, pool, pool, ["0"]).chosen, {})
    >>> found = revise(request, pool, pool, ["0"], first, {("c", "0"): "review_wrong_class"})
    >>> [item.image_id for item in found.sample.chosen], found.dropped
    (['a', 'b'], {('c', '0'): 'review_wrong_class'})
    """
    classes = sorted(set(class_ids))
    reasons = eligibility(pool, request.min_votes, excluded)
    keys = list(zip(pool.image_id.tolist(), pool.class_id.tolist(), strict=True))
    reason_of = dict(zip(keys, reasons.tolist(), strict=True))
    before: dict[str, list[Chosen]] = {}
    for item in previous.chosen:
        before.setdefault(item.class_id, []).append(item)
    sources = class_sources(request, pool, original, classes, covariates, keywords)
    same = [
        class_id
        for class_id in classes
        if (not request.per_class or len(before.get(class_id, ())) == request.per_class)
        and previous.sources.get(class_id) == sources[class_id]
        and all(_stays(c, reason_of) for c in before[class_id])
    ]
    stays = [item for class_id in same for item in before[class_id]]
    members = {(item.image_id, item.class_id) for item in previous.chosen}
    rest = [class_id for class_id in classes if class_id not in set(same)]
    if covariates is not None:
        kept = [(item.image_id, item.class_id) for item in stays]
        covariates.count(kept, kept)
    drawn = plan(request, pool, original, rest, excluded, members, covariates, keywords)
    needs = [
        Need(class_id, "as before", len(before[class_id]), len(before[class_id]), 0, 0)
        for class_id in same
    ]
    chosen = tuple(sorted([*drawn.chosen, *stays]))
    now = {(item.image_id, item.class_id) for item in chosen}
    named = excluded or {}
    dropped = {
        pair: named.get(pair) or reason_of.get(pair, NOT_IN_POOL) or GAVE_WAY
        for pair in sorted(members - now)
    }
    unchanged = tuple(
        class_id
        for class_id in classes
        if {c.image_id for c in before.get(class_id, ())}
        == {image for image, of_class in now if of_class == class_id}
    )
    sample = Sample(chosen, tuple(sorted([*drawn.needs, *needs], key=_class_of)), drawn.reasons)
    return Revision(sample, len(members & now), dropped, unchanged)


def _stays(item: Chosen, reasons: Mapping[tuple[str, str], str]) -> bool:
    """Whether an image may stay: it is eligible, or stands in and still has only too few votes."""
    reason = reasons.get((item.image_id, item.class_id))
    return reason == ELIGIBLE or (item.filled and reason == TOO_FEW_VOTES)


def _class_of(need: Need) -> str:
    return need.class_id
