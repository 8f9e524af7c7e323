"""Whether several people who judge the same things say the same, beyond chance."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """How far people agree.

    Attributes:
        things: Things that two people or more judged.
        pairs: Pairs of people who judged the same thing, over all things.
        agreed: The share of those pairs who say the same, in [0, 1]; NaN without any.
        alpha: Krippendorff's alpha for names without order: 1 is full agreement, 0 is chance;
            NaN where nothing can be compared, or where all say the same of everything.
    """

    things: int
    pairs: int
    agreed: float
    alpha: float


def agreement(judged: Iterable[Sequence[str]]) -> Agreement:
    """How far people agree about things, of which each may have been judged by other people.

    Krippendorff's alpha with the nominal metric ("Content Analysis", 2004, chapter 11): with two
    people who judge everything it is close to Scott's pi and Cohen's kappa, with more to Fleiss'
    kappa, and unlike these it bears that not everybody judged everything.

    Args:
        judged: Of each thing what people said of it, in any order.

    >>> found = agreement([["a", "a"], ["a", "b"], ["b", "b"], ["b"]])
    >>> found.things, round(found.agreed, 3), round(found.alpha, 3)
    (3, 0.667, 0.444)
    """
    things = pairs = same = 0
    coincidence = 0.0  # of equal values, each thing weighted as Krippendorff does
    totals: Counter[str] = Counter()
    for said in judged:
        n = len(said)
        if n < 2:
            continue
        counts = Counter(said)
        equal = sum(count * (count - 1) for count in counts.values())
        things += 1
        pairs += n * (n - 1) // 2
        same += equal // 2
        coincidence += equal / (n - 1)
        totals.update(counts)
    n_values = totals.total()
    by_chance = sum(count * (count - 1) for count in totals.values())
    agreed = same / pairs if pairs else math.nan
    if not things or by_chance == n_values * (n_values - 1):
        return Agreement(things, pairs, agreed, math.nan)
    observed = 1.0 - coincidence / n_values
    expected = 1.0 - by_chance / (n_values * (n_values - 1))
    return Agreement(things, pairs, agreed, 1.0 - observed / expected)
