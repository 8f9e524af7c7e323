"""A set's images by what their votes were, under bootstrap weights, and with fewer votes."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from replicate.analysis.vote_moments import falling_moments, hypergeometric, vote_cells

if TYPE_CHECKING:
    from replicate.analysis.adjust import Judged

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Part = tuple[Counts, Counts, Floats, Floats]
_CHUNK = 4_000_000  # weights in memory at a time
_LEAST = 1e-4  # a variance of correctness: one image in a hundred


@dataclass(frozen=True)
class Sums:
    """Two sets as sums over cells, under b weightings.

    Attributes:
        original_missed: Misses of each cell of the original, shape (k,).
        original_shown: Votes of each, shape (k,).
        original_images: Weighted images in each, shape (b, k).
        original_right: Weighted correctness in each, shape (b, k).
        new_missed: The same of the new set, shape (l,).
        new_shown: Shape (l,).
        new_images: Shape (b, l).
        new_right: Shape (b, l).
        noise: The variance of a new image's correctness around what its votes say of it.
    """

    original_missed: Counts
    original_shown: Counts
    original_images: Floats
    original_right: Floats
    new_missed: Counts
    new_shown: Counts
    new_images: Floats
    new_right: Floats
    noise: float

    @cached_property
    def original_mean(self) -> Floats:
        """The original's accuracy, shape (b,)."""
        mean: Floats = self.original_right.sum(axis=1) / self.original_images.sum(axis=1)
        return mean

    @cached_property
    def new_mean(self) -> Floats:
        """The new set's accuracy, shape (b,)."""
        mean: Floats = self.new_right.sum(axis=1) / self.new_images.sum(axis=1)
        return mean

    def original_moments(self, degree: int) -> Floats:
        """Unbiased moments of the original's true shares of misses, shape (b, degree + 1)."""
        powers = falling_moments(self.original_missed, self.original_shown, degree)
        total = self.original_images.sum(axis=1, keepdims=True)
        mean: Floats = self.original_images @ powers / total
        return mean


class Cells:
    """A set's images by cell, and sums over cells under bootstrap weights."""

    def __init__(self, images: "Judged") -> None:
        self.cells, cell = vote_cells(images.selected, images.shown)
        self._order = np.argsort(cell, kind="stable")
        self._starts = np.searchsorted(cell[self._order], np.arange(len(self.cells)))
        self._correct = images.correct[self._order]
        self._strata = None if images.stratum is None else images.stratum[self._order]
        self.noise = noise(images.selected, images.shown, images.correct)

    def __len__(self) -> int:
        return len(self._correct)

    def sums(self, rng: np.random.Generator | None, size: int) -> Part:
        """Misses and votes of each cell; images and correctness in each, shape (size, k)."""
        weights = np.ones((1, len(self._correct))) if rng is None else self._resampled(rng, size)
        images = np.add.reduceat(weights, self._starts, axis=1)
        right = np.add.reduceat(weights * self._correct, self._starts, axis=1)
        return self.cells[:, 1], self.cells[:, 0], images, right

    def _resampled(self, rng: np.random.Generator, size: int) -> Floats:
        n = len(self._correct)
        if self._strata is None:
            return rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)
        weights = np.empty((size, n))
        for stratum in np.unique(self._strata):
            inside = np.flatnonzero(self._strata == stratum)
            share = np.full(len(inside), 1 / len(inside))
            weights[:, inside] = rng.multinomial(len(inside), share, size=size)
        return weights


def noise(selected: Counts, shown: Counts, correct: Floats) -> float:
    """The variance of correctness around its straight line over frequencies; never quite 0.

    >>> noise(np.array([0, 0, 2, 2]), np.array([2] * 4), np.array([0.0, 0.5, 0.5, 1.0]))
    0.125
    """
    x, y = selected / shown, correct - correct.mean()
    x = x - x.mean()
    slope = float(x @ y) / max(float(x @ x), _LEAST)
    return max(float(((y - slope * x) ** 2).sum()) / max(len(y) - 2, 1), _LEAST)


def portions(resamples: int, images: int) -> list[int]:
    """How many resamples are worked out at once.

    >>> portions(5, 2_000_000)
    [2, 2, 1]
    """
    chunk = max(1, _CHUNK // images)
    return [min(chunk, resamples - done) for done in range(0, resamples, chunk)]


def thinned(part: Part, votes: int) -> Part:
    """What the sums would be if so many of each image's votes had been asked for.

    An average over all ways to leave votes out, by the hypergeometric distribution.

    Args:
        part: Misses and votes of each cell, images and correctness in each, shape (b, k).
        votes: At most the fewest votes of an image.

    >>> full = (np.array([1]), np.array([2]), np.array([[4.0]]), np.array([[3.0]]))
    >>> [each.tolist() for each in thinned(full, 1)]
    [[0, 1], [1, 1], [[2.0, 2.0]], [[1.5, 1.5]]]
    """
    missed, shown, images, right = part
    left = np.arange(votes + 1)
    chances = hypergeometric(left, shown[:, None], missed[:, None], votes)
    return left, np.full_like(left, votes), images @ chances, right @ chances
