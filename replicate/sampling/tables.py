"""Sampling from plain tables of counts, without a study."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replicate.base.digests import digest_value
from replicate.base.randomness import stream
from replicate.sampling.covariates import MISSING, Balance, Covariates, Shift, Values
from replicate.sampling.frequencies import Frequencies
from replicate.sampling.holdout import Check, compare
from replicate.sampling.quota import Keywords
from replicate.sampling.request import Chosen, Request
from replicate.sampling.strategies import draw


@dataclass(frozen=True)
class Drawn:
    """A test set drawn from tables.

    Attributes:
        chosen: The images.
        per_class: How many of each class.
        digest: SHA-256 over strategy, parameters and images.
        heldout: The match on votes that had no part in drawing; None if none were set aside.
        balance: The covariates' means, if some were matched.
        shift: What matching them did to true frequencies.
    """

    chosen: tuple[Chosen, ...]
    per_class: dict[str, int]
    digest: str
    heldout: Check | None
    balance: tuple[Balance, ...] = ()
    shift: Shift | None = None


def set_aside(table: Frequencies, votes: int, seed: int) -> tuple[Frequencies, Frequencies]:
    """Set aside some votes of every image, drawn without replacement from its counts.

    An image's votes are drawn by its own random stream: other images change nothing. Where there
    are no more votes than are set aside, all are.

    Args:
        table: The counts.
        votes: Votes to set aside, 0 or more.
        seed: The seed.

    Returns:
        Counts of the votes that are left, and of those set aside.

    >>> from replicate.sampling.frequencies import frequencies
    >>> rest, kept = set_aside(frequencies([("a", "0", 4, 4), ("b", "0", 0, 1)]), 2, seed=1)
    >>> rest.shown.tolist(), kept.shown.tolist(), kept.selected.tolist()
    ([2, 0], [2, 1], [2, 0])
    """
    if not votes:
        none = np.zeros(len(table), np.int64)
        return table, table.with_counts(none, none)
    kept_shown = np.minimum(table.shown, votes)
    drawn = [
        int(stream(seed, "set aside", image, cls).hypergeometric(k, n - k, m)) if 0 < m < n else k
        for image, cls, k, n, m in zip(
            table.image_id.tolist(),
            table.class_id.tolist(),
            table.selected.tolist(),
            table.shown.tolist(),
            kept_shown.tolist(),
            strict=True,
        )
    ]
    kept = np.where(kept_shown > 0, np.array(drawn, dtype=np.int64), 0)
    return (
        table.with_counts(table.selected - kept, table.shown - kept_shown),
        table.with_counts(kept, kept_shown),
    )


def draw_from_tables(
    request: Request,
    pool: Frequencies,
    original: Frequencies,
    class_ids: Sequence[str],
    holdout_votes: int = 0,
    covariates: tuple[Values, Values] | None = None,
    keywords: Keywords | None = None,
) -> Drawn:
    """Draw a test set from counts of a pool, and check the match on votes set aside.

    Args:
        request: What is asked for.
        pool: Counts of the candidates.
        original: Counts of the original's images.
        class_ids: The classes that the set must have.
        holdout_votes: Votes of every image that have no part in drawing.
        covariates: The numbers of the request's covariates by (image id, class id), of the
            candidates and of the original's images. Candidates without them are not eligible.
        keywords: quota: those of the original's images and of the candidates.

    Raises:
        InfeasibleSample: Some class has too few images.
        UsageError: The original has no covariates in some class.
    """
    pool, pool_kept = set_aside(pool, holdout_votes, request.seed)
    original, original_kept = set_aside(original, holdout_votes, request.seed)
    extra, excluded = None, None
    if covariates is not None:
        counted = original.where(original.shown >= request.min_votes)
        extra = Covariates(request.covariates, *covariates, counted)
        keys = zip(pool.image_id.tolist(), pool.class_id.tolist(), strict=True)
        excluded = {key: MISSING for key in keys if key not in extra.pool}
    chosen = draw(request, pool, original, class_ids, excluded, extra, keywords).chosen
    inside = np.zeros(len(pool), dtype=bool)
    inside[pool.rows_of((item.image_id, item.class_id) for item in chosen)] = True
    check = compare(original_kept, pool_kept.where(inside)) if holdout_votes else None
    images = [[item.class_id, item.image_id] for item in chosen]
    parameters = {**request.parameters(), "holdout_votes": holdout_votes}
    return Drawn(
        chosen,
        dict(sorted(Counter(item.class_id for item in chosen).items())),
        digest_value({"parameters": parameters, "images": images}),
        check,
        () if extra is None else extra.balance(),
        None if extra is None else extra.frequency_shift(),
    )
