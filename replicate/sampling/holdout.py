"""Votes set aside before matching, and the check of the match that only they can give.

Images picked for a high noisy frequency regress towards their pool, so the votes that a set was
drawn by flatter it. Votes that had no part in the drawing do not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from replicate.base.errors import UsageError
from replicate.base.randomness import uniform
from replicate.sampling.frequencies import Floats, Frequencies, frequencies

VoteRow = tuple[str, str, str, bool]


@dataclass(frozen=True)
class Check:
    """Mean selection frequencies of the original and of a new set, on the same kind of votes.

    Attributes:
        original: Class-weighted mean over original images, in [0, 1].
        new: Mean over the new set's images, in [0, 1].
        difference: original − new.
        se: Standard error of the difference over images (their votes' noise is in it); NaN if
            no class has two images on a side.
        n_original: Original images with votes.
        n_new: New images with votes.
    """

    original: float
    new: float
    difference: float
    se: float
    n_original: int
    n_new: int

    def as_dict(self) -> dict[str, Any]:
        """JSON values; what is not known is None.

        >>> Check(0.5, 0.25, 0.25, float("nan"), 4, 1).as_dict()["se"] is None
        True
        """
        return {k: None if v != v else v for k, v in asdict(self).items()}


def split_votes(votes: Iterable[VoteRow], k: int, seed: int) -> tuple[Frequencies, Frequencies]:
    """Set aside k votes of every (image, class), the same whatever the order of the votes.

    Votes are ordered by a number made from the seed, the image, the class and the worker, and
    the first k are set aside. Where there are k or fewer, all are, and the image has no
    frequency to be matched by.

    Args:
        votes: (image id, class id, worker id, yes) of every vote that counts.
        k: Votes to set aside, 0 or more.
        seed: The study's seed.

    Returns:
        Counts of the votes to match by, and of those set aside. Every (image, class) is in both,
        shown 0 times where it has no votes.

    Raises:
        UsageError: k is negative.

    >>> votes = [("a", "0", f"w{i}", True) for i in range(5)]
    >>> rest, kept = split_votes(votes, 2, seed=1)
    >>> rest.shown.tolist(), kept.shown.tolist()
    ([3], [2])
    """
    if k < 0:
        raise UsageError(f"{k} votes cannot be set aside.", "Set aside 0 or more.")
    ballots: dict[tuple[str, str], list[tuple[float, str, bool]]] = {}
    for image_id, class_id, worker_id, yes in votes:
        key = uniform(seed, "holdout", image_id, class_id, worker_id) if k else 0.0
        ballots.setdefault((image_id, class_id), []).append((key, worker_id, bool(yes)))
    rest, kept = [], []
    for (image_id, class_id), cast in ballots.items():
        answers = [yes for _, _, yes in (sorted(cast) if k else cast)]
        rest.append((image_id, class_id, sum(answers[k:]), len(answers[k:])))
        kept.append((image_id, class_id, sum(answers[:k]), len(answers[:k])))
    return frequencies(rest), frequencies(kept)


def compare(original: Frequencies, new: Frequencies) -> Check | None:
    """Compare the mean selection frequencies of two sets.

    Each class counts as much as it has images in the new set: the original's annotated images
    need not be balanced. Classes without votes on either side are left out.

    Args:
        original: Counts of original images, all of them or a sample.
        new: Counts of the new set's images.

    Returns:
        The check; None if no class has votes on both sides.

    >>> old = frequencies([("a", "0", 4, 4), ("b", "0", 3, 4)])
    >>> compare(old, frequencies([("c", "0", 2, 4), ("d", "0", 3, 4)])).difference
    0.25
    """
    first, second = original.where(original.shown > 0), new.where(new.shown > 0)
    shared = sorted(set(first.class_ids()) & set(second.class_ids()))
    if not shared:
        return None
    parts = [(first.of_class(c).frequency, second.of_class(c).frequency) for c in shared]
    sizes = np.array([len(b) for _, b in parts], dtype=np.float64)
    weights = sizes / sizes.sum()
    means = np.array([[a.mean(), b.mean()] for a, b in parts])
    variances = _squared_errors([a for a, _ in parts]) + _squared_errors([b for _, b in parts])
    old, fresh = (float(weights @ means[:, i]) for i in (0, 1))
    return Check(
        original=old,
        new=fresh,
        difference=old - fresh,
        se=float(np.sqrt(weights**2 @ variances)),
        n_original=sum(len(a) for a, _ in parts),
        n_new=int(sizes.sum()),
    )


def _squared_errors(groups: Sequence[Floats]) -> Floats:
    """The squared standard error of each group's mean.

    A group of one image has no variance of its own: it is given the mean of the others'.
    """
    known = [group.var(ddof=1) for group in groups if len(group) > 1]
    usual = float(np.mean(known)) if known else float("nan")
    return np.array(
        [(group.var(ddof=1) if len(group) > 1 else usual) / len(group) for group in groups]
    )
