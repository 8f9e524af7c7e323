"""A set's images by what their votes were, under bootstrap weights, and with fewer votes."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import stats

from replicate.analysis.vote_moments import vote_cells

if TYPE_CHECKING:
    from replicate.analysis.adjust import Judged

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Part = tuple[Counts, Counts, Floats, Floats]
_CHUNK = 4_000_000  # weights in memory at a time


class Cells:
    """A set's images by cell, and sums over cells under bootstrap weights."""

    def __init__(self, images: "Judged") -> None:
        self.cells, cell = vote_cells(images.selected, images.shown)
        self._order = np.argsort(cell, kind="stable")
        self._starts = np.searchsorted(cell[self._order], np.arange(len(self.cells)))
        self._correct = images.correct[self._order]
        self._strata = None if images.stratum is None else images.stratum[self._order]

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
    chances = stats.hypergeom.pmf(left, shown[:, None], missed[:, None], votes)
    return left, np.full_like(left, votes), images @ chances, right @ chances
