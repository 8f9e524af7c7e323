"""CIFAR-10.1's way: as many images of each keyword as the original's keywords say."""

from collections.abc import Mapping, Sequence

import numpy as np

from replicate.base.errors import UsageError
from replicate.base.randomness import uniform
from replicate.sampling.feasibility import Need, require_feasible
from replicate.sampling.strata import largest_remainder
from replicate.sampling.strategies import Chosen

ONE_IN = 30  # version 4 took one image for every thirty of the original's images of a keyword


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
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:keywords]
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


def draw_by_quota(
    name: str,
    seed: int,
    pool: Mapping[str, Sequence[tuple[str, str]]],
    quotas: Mapping[str, Mapping[str, int]],
) -> list[Chosen]:
    """Draw a test set by keyword quotas.

    An image that was found by several keywords of its class counts for the one that has the
    fewest images for its quota.

    Args:
        name: The test set's name; also the name of its random stream.
        seed: The study's seed.
        pool: By class id: (image id, keyword) of the eligible candidates.
        quotas: By class id: images wanted by keyword, from `keyword_quotas`.

    Returns:
        The images, sorted by class, then image; their stratum is the keyword.

    Raises:
        InfeasibleSample: A keyword has too few candidates.

    >>> pool = {"cat": [("a", "tabby"), ("b", "tabby"), ("c", "tomcat")]}
    >>> [c.image_id for c in draw_by_quota("t", 1, pool, {"cat": {"tabby": 2, "tomcat": 1}})]
    ['a', 'b', 'c']
    """
    chosen: list[Chosen] = []
    needs: list[Need] = []
    for class_id, wanted in sorted(quotas.items()):
        found: dict[str, set[str]] = {keyword: set() for keyword in wanted}
        for image_id, keyword in pool.get(class_id, ()):
            if keyword in found:
                found[keyword].add(image_id)
        scarce = sorted(wanted, key=lambda k: (len(found[k]) - wanted[k], k))
        taken: set[str] = set()
        for keyword in scarce:
            free = sorted(
                found[keyword] - taken,
                key=lambda image: (uniform(seed, "sample", name, class_id, keyword, image), image),
            )
            drawn = free[: wanted[keyword]]
            taken.update(drawn)
            chosen += [Chosen(class_id, image, keyword, filled=False) for image in drawn]
            missing = wanted[keyword] - len(drawn)
            needs.append(Need(class_id, keyword, wanted[keyword], len(free), 0, missing))
    require_feasible(needs, name)
    return sorted(chosen)
