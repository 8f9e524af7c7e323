"""CIFAR-10.1's way: as many images of each keyword as the original's keywords say."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from replicate.base.errors import UsageError
from replicate.base.randomness import uniform
from replicate.sampling.feasibility import Need
from replicate.sampling.frequencies import Frequencies
from replicate.sampling.request import Chosen, Request
from replicate.sampling.strata import largest_remainder

ONE_IN = 30  # version 4 took one image for every thirty of the original's images of a keyword


@dataclass(frozen=True)
class Keywords:
    """The keywords of a study's images.

    Attributes:
        original: By class: how many of the original's images have a keyword.
        pool: By (image id, class id): the keywords that a candidate was found by.
    """

    original: Mapping[str, Mapping[str, int]]
    pool: Mapping[tuple[str, str], Collection[str]]

    def of_class(self, class_id: str, images: Sequence[str]) -> list[Any]:
        """What is known of one class, as JSON values: for digests.

        >>> Keywords({"cat": {"tabby": 2}}, {("a", "cat"): {"tabby"}}).of_class("cat", ["a", "b"])
        [{'tabby': 2}, ['a', ['tabby']]]
        """
        words = [[i, sorted(self.pool[i, class_id])] for i in images if (i, class_id) in self.pool]
        return [dict(sorted(self.original.get(class_id, {}).items())), *words]


def keyword_quotas(
    counts: Mapping[str, int], keywords: int, total: int | None = None
) -> dict[str, int]:
    """How many images of each keyword a class gets.

    The most frequent keywords of the class's original images count, ties by name. Without a
    class total (as in version 4), a keyword of n original images gets ⌈n/30⌉, and none if
    n/30 < 0.5. With one (as in version 6), it is shared out by largest remainder, ties to the
    less frequent keyword.

    Args:
        counts: Original images of the class, by keyword.
        keywords: How many keywords count.
        total: Images of the class, if that is fixed.

    Returns:
        Quotas above 0, most frequent keyword first.

    Raises:
        UsageError: The class has no keywords.

    >>> keyword_quotas({"tabby": 61, "tomcat": 30, "kitty": 14}, 25)
    {'tabby': 3, 'tomcat': 1}
    >>> keyword_quotas({"tabby": 61, "tomcat": 30, "kitty": 14}, 2, total=10)
    {'tabby': 7, 'tomcat': 3}
    """
    ranked = _most_frequent(counts)[:keywords]
    if not ranked or ranked[0][1] <= 0:
        raise UsageError(
            "The quota strategy needs the keywords of the original's images, and there are none.",
            "Choose another strategy, or give the original's keywords.",
        )
    if total is None:
        quotas = [-(-n // ONE_IN) if 2 * n >= ONE_IN else 0 for _, n in ranked]
    else:
        quotas = largest_remainder(np.array([n for _, n in ranked]), total).tolist()
    return {keyword: quota for (keyword, _), quota in zip(ranked, quotas, strict=True) if quota > 0}


def _most_frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def draw_by_quota(
    request: Request,
    class_id: str,
    there: Frequencies,
    kept: Collection[str],
    keywords: Keywords,
) -> tuple[list[Chosen], list[Need]]:
    """The images of one class by keyword quotas; their stratum is the keyword.

    An image that was found by several keywords of its class counts for the one that has the
    fewest images for its quota. If filling is asked for, what a keyword lacks is taken from images
    that are left: those of the original's most frequent keyword first, then of the next, at last
    those of keywords that the original does not have; in random order.

    Args:
        request: What is asked for.
        class_id: The class.
        there: Its eligible candidates; those below the request's threshold are not drawn.
        kept: Images of the revision before: among equals they come first.
        keywords: The keywords of the original's images and of the candidates.

    Raises:
        UsageError: The original has no keywords in this class.

    >>> from replicate.sampling.frequencies import frequencies
    >>> there = frequencies([("a", "cat", 2, 2), ("b", "cat", 2, 2)])
    >>> pool = {("a", "cat"): ["tabby"], ("b", "cat"): ["tomcat"]}
    >>> words = Keywords({"cat": {"tabby": 31, "tomcat": 15}}, pool)
    >>> request = Request("t", "quota", 0, seed=1, min_votes=1, keywords=25)
    >>> chosen, needs = draw_by_quota(request, "cat", there, (), words)
    >>> [c.image_id for c in chosen], [(n.stratum, n.wanted, n.missing) for n in needs]
    (['a', 'b'], [('tabby', 2, 1), ('tomcat', 1, 0)])
    """
    counts = keywords.original.get(class_id, {})
    if not counts:
        raise UsageError(
            f"None of the original's images of class {class_id} has a keyword.",
            "Give their keywords, leave the class out, or choose another strategy.",
        )
    wanted = keyword_quotas(counts, request.keywords or 0, request.per_class or None)
    good = there.where(there.frequency >= (request.threshold or 0.0))
    words = {image: keywords.pool.get((image, class_id), ()) for image in good.image_id.tolist()}
    seed_of = (request.seed, "sample", request.name, class_id)

    def order(images: Collection[str], keyword: str) -> list[str]:
        return sorted(images, key=lambda i: (i not in kept, uniform(*seed_of, keyword, i), i))

    found = {word: {image for image, of in words.items() if word in of} for word in wanted}
    chosen: list[Chosen] = []
    free: dict[str, list[str]] = {}
    taken: set[str] = set()
    for keyword in sorted(wanted, key=lambda k: (len(found[k]) - wanted[k], k)):
        free[keyword] = order(found[keyword] - taken, keyword)
        drawn = free[keyword][: wanted[keyword]]
        taken.update(drawn)
        chosen += [Chosen(class_id, image, keyword, filled=False) for image in drawn]
    rank = {word: place for place, (word, _) in enumerate(_most_frequent(counts))}

    def best(image: str) -> int:
        return min((rank[word] for word in words[image] if word in rank), default=len(rank))

    left = sorted(order(words.keys() - taken, ""), key=best) if request.fill else []
    needs = []
    for keyword, quota in wanted.items():
        missing = max(0, quota - len(free[keyword]))
        standing_in, left = left[:missing], left[missing:]
        chosen += [Chosen(class_id, image, keyword, filled=True) for image in standing_in]
        filled = len(standing_in)
        needs.append(Need(class_id, keyword, quota, len(free[keyword]), filled, missing - filled))
    return chosen, needs
