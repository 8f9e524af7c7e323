"""Votes set aside before matching, and the check of the match that only they can give.

Images picked for a high noisy frequency regress towards their pool, so the votes that a set was
drawn by flatter it. Votes that had no part in the drawing do not.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.base.randomness import uniforms
from replicate.sampling.frequencies import Counts, Floats, Frequencies, Text

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


@dataclass(frozen=True)
class Ballots:
    """Single votes in columns, as they are loaded: there may be millions.

    Make one with `ballots`, which sorts.

    Attributes:
        seen: Each (image, class) that was voted on; nothing is counted yet.
        workers: The workers, sorted, shape (w,).
        item: The row in ``seen`` of each vote, shape (votes,).
        worker: Who gave it, from 0, shape (votes,).
        yes: Whether the worker selected the image, shape (votes,).
    """

    seen: Frequencies
    workers: Text
    item: Counts
    worker: Counts
    yes: npt.NDArray[np.bool_]


def ballots(votes: Iterable[VoteRow]) -> Ballots:
    """Votes in columns.

    Args:
        votes: (image id, class id, worker id, yes) of every vote that counts, in any order.

    >>> found = ballots([("b", "0", "w", True), ("a", "0", "w", False)])
    >>> found.seen.image_id.tolist(), found.item.tolist()
    (['a', 'b'], [1, 0])
    """
    pairs: dict[tuple[str, str], int] = {}
    people: dict[str, int] = {}
    item, worker, answers = array("q"), array("q"), bytearray()
    for image_id, class_id, worker_id, yes in votes:
        item.append(pairs.setdefault((image_id, class_id), len(pairs)))
        worker.append(people.setdefault(worker_id, len(people)))
        answers.append(bool(yes))
    image_ids = np.array([image for image, _ in pairs], dtype=np.str_)
    class_ids = np.array([name for _, name in pairs], dtype=np.str_)
    workers = np.array([*people], dtype=np.str_)
    order, rank = np.lexsort((image_ids, class_ids)), np.argsort(workers)
    none = np.zeros(len(pairs), np.int64)
    return Ballots(
        Frequencies(image_ids[order], class_ids[order], none, none),
        workers[rank],
        np.argsort(order)[np.frombuffer(item, np.int64)],
        np.argsort(rank)[np.frombuffer(worker, np.int64)],
        np.frombuffer(answers, np.bool_),
    )


def split_votes(votes: Ballots, k: int, seed: int) -> tuple[Frequencies, Frequencies]:
    """Set aside k votes of every (image, class), the same whatever the order of the votes.

    Votes are ordered by a number made from the seed, the image, the class and the worker, and
    the first k are set aside. Where there are k or fewer, all are, and the image has no
    frequency to be matched by.

    Args:
        votes: Every vote that counts.
        k: Votes to set aside, 0 or more.
        seed: The study's seed.

    Returns:
        Counts of the votes to match by, and of those set aside. Every (image, class) is in both,
        shown 0 times where it has no votes.

    Raises:
        UsageError: k is negative.

    >>> votes = ballots(("a", "0", f"w{i}", True) for i in range(5))
    >>> rest, kept = split_votes(votes, 2, seed=1)
    >>> rest.shown.tolist(), kept.shown.tolist()
    ([3], [2])
    """
    if k < 0:
        raise UsageError(f"{k} votes cannot be set aside.", "Set aside 0 or more.")
    seen, n = votes.seen, len(votes.seen)
    shown, selected = _tally(votes.item, votes.yes, n)
    if not k:
        return seen.with_counts(selected, shown), seen
    first = set_aside(votes, k, seed)
    kept_shown, kept = _tally(votes.item[first], votes.yes[first], n)
    return seen.with_counts(selected - kept, shown - kept_shown), seen.with_counts(kept, kept_shown)


def set_aside(votes: Ballots, k: int, seed: int) -> Counts:
    """Which votes `split_votes` sets aside: their places among all, by (image, class).

    >>> votes = ballots(("a", "0", f"w{i}", True) for i in range(5))
    >>> len(set_aside(votes, 2, seed=1)), len(set_aside(votes, 0, seed=1))
    (2, 0)
    """
    seen = votes.seen
    keys = uniforms(
        seed,
        ("holdout",),
        (seen.image_id, seen.class_id, votes.workers),
        (votes.item, votes.item, votes.worker),
    )
    shown = np.bincount(votes.item, minlength=len(seen))
    order = np.lexsort((votes.yes, votes.worker, keys, votes.item))
    begin = np.cumsum(shown) - shown
    first: Counts = order[np.arange(len(order)) - np.repeat(begin, shown) < k]
    return first


def _tally(item: Counts, yes: npt.NDArray[np.bool_], n: int) -> tuple[Counts, Counts]:
    """How many votes each item has, and how many of them are yes, each of shape (n,)."""
    kinds = item << 1
    kinds |= yes
    no, selected = np.bincount(kinds, minlength=2 * n).reshape(n, 2).T
    return no + selected, selected


def compare(original: Frequencies, new: Frequencies) -> Check | None:
    """Compare the mean selection frequencies of two sets.

    Each class counts as much as it has images in the new set: the original's annotated images
    need not be balanced. Classes without votes on either side are left out.

    Args:
        original: Counts of original images, all of them or a sample.
        new: Counts of the new set's images.

    Returns:
        The check; None if no class has votes on both sides.

    >>> from replicate.sampling.frequencies import frequencies
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
