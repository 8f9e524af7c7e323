"""How much an adjusted gap would move if other people had voted.

A bootstrap over images takes the votes of different images for independent. They are not where a
worker, strict or lax, voted on many of them. The variance that this adds is that of clusters
crossed with images (Cameron, Gelbach and Miller 2011): over images, plus over workers, less what
is in both. What a vote contributes to an estimate is read from the estimate's slopes: d = (vote −
the image's other votes) × what one miss more on the image would change, made to add up to zero
over an image's votes. Then

    Σ over workers of (Σ d)² − Σ over a worker's images of (Σ d)²

is zero in expectation if workers do not differ, and else what their differences add. Workers are
the same in both sets where their ids are: what they do to both sets alike then cancels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Polynomial

from replicate.analysis.adjust_cells import Sums, noise
from replicate.analysis.adjust_estimators import Estimator
from replicate.analysis.vote_moments import vote_cells
from replicate.base.errors import UsageError

if TYPE_CHECKING:
    from replicate.analysis.adjust import Judged

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_CURVE = 2  # the degree of the curve through slopes
_STEP = 1e-3  # of a cell's images: how far sums are moved to read a slope


@dataclass(frozen=True)
class SingleVotes:
    """The votes behind a set's counts.

    Attributes:
        image: The image's place in its set, from 0; shape (votes,).
        worker: Who voted, as a number that is the same in both sets; shape (votes,).
        yes: Whether the worker selected the image; shape (votes,).
    """

    image: Counts
    worker: Counts
    yes: Bools

    def counts(self, images: int) -> tuple[Counts, Counts]:
        """Selected and shown of each image, shape (images,) each.

        >>> votes = SingleVotes(np.array([0, 0, 1]), np.array([5, 7, 5]), np.array([1, 0, 1]) > 0)
        >>> [each.tolist() for each in votes.counts(2)]
        [[1, 1], [2, 1]]
        """
        shown = np.bincount(self.image, minlength=images)
        selected = np.bincount(self.image[self.yes], minlength=images)
        return selected.astype(np.int64), shown.astype(np.int64)


@dataclass(frozen=True)
class WorkerSpread:
    """What workers add to the variance of a gap.

    Attributes:
        variance: Of the gap, a fraction squared; at least 0.
        df: How many workers that rests on, in effect, less one.
        workers: How many there are.
    """

    variance: float
    df: float
    workers: int


def worker_spreads(
    original: "Judged",
    new: "Judged",
    estimators: Mapping[str, Estimator],
    held: int,
    degree: int,
) -> dict[str, WorkerSpread]:
    """What workers add to the variance of each estimator's adjusted gap.

    Args:
        original: The original's images; with single votes, or not.
        new: The new set's, likewise; at least one of the two has single votes.
        estimators: By name: the new set's accuracy at the original's frequencies, of sums.
        held: Passed on to them.
        degree: Passed on to them.

    Raises:
        UsageError: Single votes do not add up to a set's counts, or one person gave them all.
    """
    sides = old, fresh = _Side(original), _Side(new)
    workers = [side.votes.worker for side in sides if side.votes is not None]
    names, worker = np.unique(np.concatenate(workers), return_inverse=True)
    if len(names) < 2:
        raise UsageError(
            "All votes are of one worker: they do not say how workers differ.",
            "Give the votes of several workers, or counts alone.",
        )
    apart = 0
    image = []
    for side in sides:
        if side.votes is not None:
            image.append(side.votes.image + apart)
        apart += len(side.shown)
    found = {}
    for name, estimator in estimators.items():
        shares = []
        if old.votes is not None:
            shares.append(old.shares(_slopes(estimator, old, fresh, 0, held, degree), None))
        if fresh.votes is not None:
            slopes = [_slopes(estimator, old, fresh, block, held, degree) for block in (2, 3)]
            shares.append(fresh.shares(*slopes))
        found[name] = _spread(np.concatenate(shares), worker, np.concatenate(image), len(names))
    return found


class _Side:
    """A set by cells, and its single votes."""

    def __init__(self, images: "Judged") -> None:
        self.votes = images.votes
        self.shown, self.selected, self.correct = images.shown, images.selected, images.correct
        self.cells, self.place = vote_cells(images.selected, images.shown)
        self.noise = noise(images.selected, images.shown, images.correct)
        size = len(self.cells)
        self.images = np.bincount(self.place, minlength=size).astype(np.float64)
        self.right: Floats = np.bincount(self.place, images.correct, size).astype(np.float64)
        if self.votes is not None:
            selected, shown = self.votes.counts(len(images.shown))
            if not (np.array_equal(selected, self.selected) and np.array_equal(shown, self.shown)):
                raise UsageError("The single votes do not add up to the counts of their images.")

    def shares(self, by_image: Floats, by_right: Floats | None) -> Floats:
        """What each vote contributes, from the slopes of the estimate by cell; shape (votes,)."""
        up, down = self._steps(by_image)
        if by_right is not None:
            more = self._steps(by_right)
            up, down = (
                step[self.place] + other[self.place] * self.correct
                for step, other in zip((up, down), more, strict=True)
            )
        else:
            up, down = up[self.place], down[self.place]
        missed = self.shown - self.selected
        others = np.maximum(self.shown - 1, 1)
        of_miss = (1 - (missed - 1) / others) * down
        of_yes = -missed / others * up
        mean = (missed * of_miss + self.selected * of_yes) / self.shown
        votes = self.votes
        if votes is None:
            return np.zeros(0)
        each = np.where(votes.yes, of_yes[votes.image], of_miss[votes.image])
        share: Floats = each - mean[votes.image]
        return share

    def _steps(self, slope: Floats) -> tuple[Floats, Floats]:
        """By cell: what one miss more changes, and what the last miss changed.

        Read from a smooth curve through the slopes: workers differ smoothly over frequencies,
        while the slopes of a single set are as rough as its votes.
        """
        n, missed = self.cells[:, 0], self.cells[:, 1]
        degree = min(_CURVE, len(self.cells) - 1)
        curve = Polynomial.fit(missed / n, slope, degree, domain=[0.0, 1.0], w=np.sqrt(self.images))
        at = curve(missed / n)
        return curve((missed + 1) / n) - at, at - curve((missed - 1) / n)


def _slopes(
    estimator: Estimator, old: _Side, fresh: _Side, block: int, held: int, degree: int
) -> Floats:
    """How the gap changes with one image, or one right image, more in each cell of a side."""
    base = [old.images, old.right, fresh.images, fresh.right]
    side = old if block < 2 else fresh
    size = len(side.cells)
    step: Floats = _STEP * np.maximum(side.images, 1.0)
    moved: list[Floats] = [np.repeat(each[None], 2 * size, axis=0) for each in base]
    places = np.arange(size)
    moved[block][places, places] += step
    moved[block][size + places, places] -= step
    sums = Sums(
        old.cells[:, 1], old.cells[:, 0], moved[0], moved[1],
        fresh.cells[:, 1], fresh.cells[:, 0], moved[2], moved[3], fresh.noise,
    )  # fmt: skip
    found = estimator(sums, held, degree)
    slope: Floats = -(found[:size] - found[size:]) / (2 * step)
    return slope


def _spread(share: Floats, worker: Counts, image: Counts, workers: int) -> WorkerSpread:
    sums = np.bincount(worker, share, workers)
    # Votes of one worker on one image are in the spread over images already.
    _, cell = np.unique(image * workers + worker, return_inverse=True)
    within = np.bincount(cell, share)
    work = np.bincount(worker, minlength=workers).astype(np.float64)
    df = max(float(work.sum() ** 2 / (work**2).sum()) - 1, 1.0)
    between = float((sums**2).sum()) * (df + 1) / df
    return WorkerSpread(max(between - float((within**2).sum()), 0.0), df, workers)
