"""What stands in where a class has too few images, if that is asked for: one rule a strategy.

- matched-frequency: a short bin is filled from the next higher ones (`matching.allocate`).
- threshold: the images below the threshold, those of the highest frequency first (then of most
  votes, of the revision before, of the smallest id); when those are used up, as the next.
- top, uniform, matched-estimated: images that too few people saw, those of most votes first; among
  equals the highest frequency (top, threshold), or random order.
- quota: a short keyword is filled from the class's images of other keywords, those of the
  original's most frequent keyword first, in random order (`quota`).

Never an image that nobody saw, that is excluded, or that another class could have. Each is marked.
"""

import numpy as np

from replicate.sampling.frequencies import (
    TOO_FEW_VOTES,
    Counts,
    Frequencies,
    lost_to_another_class,
)


def seen_too_little(pool: Frequencies, kinds: list[str], code: Counts) -> Frequencies:
    """The candidates with some votes, but too few, that may stand in for others.

    An image is there once, for the class that it would be eligible for.

    Args:
        pool: The candidates.
        kinds: The reasons, as `reason_codes` gives them.
        code: Each candidate's place in them.

    >>> from replicate.sampling.frequencies import frequencies, reason_codes
    >>> pool = frequencies([("a", "0", 1, 2), ("a", "1", 2, 2), ("b", "0", 0, 1), ("b", "1", 5, 5)])
    >>> found = seen_too_little(pool, *reason_codes(pool, 5))
    >>> found.image_id.tolist(), found.class_id.tolist()
    (['a'], ['1'])
    """
    few = code == kinds.index(TOO_FEW_VOTES)
    few &= ~np.isin(pool.image_id, pool.image_id[code == 0])
    few[lost_to_another_class(pool, np.flatnonzero(few))] = False
    return pool.where(few)


def most_seen_first(images: Frequencies, order: Counts) -> Counts:
    """Places of the images: those of most votes first, among equals in a given order.

    Args:
        images: Some images.
        order: Their places in the order that decides among equals.

    >>> from replicate.sampling.frequencies import frequencies
    >>> images = frequencies([("a", "0", 1, 1), ("b", "0", 1, 2), ("c", "0", 0, 2)])
    >>> most_seen_first(images, np.array([2, 0, 1])).tolist()
    [2, 1, 0]
    """
    found: Counts = order[np.argsort(-images.shown[order], kind="stable")]
    return found
