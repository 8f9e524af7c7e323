"""matched-estimated: a set whose *true* selection frequencies are distributed as the original's.

Matching observed frequencies of n votes leaves the new set harder than the original: images that
were picked for a high frequency regress towards their pool (Engstrom et al. 2020). Here the pool's
distribution of true frequencies is estimated first, a mixture of binomials by maximum likelihood
(Laird 1978). It says what the true frequencies of the pool's images with M misses of n votes are.
Then each class takes as many images of each (n, M) as give it the first three moments of the
original's true frequencies, which are estimated without bias from the original's votes; among the
ways to do so, one near the original's own histogram (bounded least squares). What rounding to
whole images leaves over is carried to the next class, so that it does not add up.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear

from replicate.analysis.vote_moments import falling_moments, true_distribution, vote_cells
from replicate.base.errors import UsageError
from replicate.sampling.frequencies import Frequencies

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOMENTS = 3
_GRID = np.linspace(0.0, 1.0, 101)
_ROUNDS = 400
# The least squares' weights: the number of images counts most, then the moments in turn, and the
# original's histogram decides among what is left.
_WEIGHTS = 1000.0 * np.array([10.0, 3.0, 1.0, 0.3])


class TrueMatching:
    """Decides how many images of each (votes, misses) give the original's true frequencies.

    Classes are asked for one after the other, in a fixed order: each carries on what the one
    before could not round away.

    Attributes:
        cells: Votes and misses of each cell, shape (k, 2).
        moments: Expected powers 0 to 3 of the true share of misses (1 - frequency) of the pool's
            images of each cell, shape (k, 4).

    Args:
        pool: Counts of the eligible candidates of all classes, each with at least 3 votes.
        original: Counts of the original's images with enough votes, likewise.

    Raises:
        UsageError: There are none, or some have fewer than 3 votes.
    """

    def __init__(self, pool: Frequencies, original: Frequencies) -> None:
        if not len(pool) or not len(original):
            raise UsageError(
                "matched-estimated needs candidates and original images with votes.",
                "Collect votes first, or lower min_votes.",
            )
        fewest = int(min(pool.shown.min(), original.shown.min()))
        if fewest < MOMENTS:
            raise UsageError(
                f"matched-estimated needs {MOMENTS} votes on every image; some have {fewest}.",
                f"Set min_votes = {MOMENTS} or more.",
            )
        self.cells, place = vote_cells(pool.selected, pool.shown)
        counts = np.bincount(place, minlength=len(self.cells)).astype(np.float64)
        shown, missed = self.cells[:, 0], self.cells[:, 1]
        found, likelihood = true_distribution(counts[None], missed, shown, _GRID, _ROUNDS)
        posterior = found[0] * likelihood
        posterior /= posterior.sum(axis=1, keepdims=True)
        powers = _GRID[:, None] ** np.arange(MOMENTS + 1)
        self.moments: Floats = posterior @ powers
        self._likelihood = likelihood
        self._share = np.bincount(shown, weights=counts)[shown] / counts.sum()
        original_cells, of_original = vote_cells(original.selected, original.shown)
        weights = np.bincount(of_original, minlength=len(original_cells)).astype(np.float64)
        prior, own = true_distribution(
            weights[None], original_cells[:, 1], original_cells[:, 0], _GRID, _ROUNDS
        )
        self._original_posterior = prior[0] * own
        self._original_posterior /= self._original_posterior.sum(axis=1, keepdims=True)
        self._original_moments = falling_moments(
            original_cells[:, 1], original_cells[:, 0], MOMENTS
        )
        self._original_classes = original.class_id
        self._of_original = of_original
        self._carried = np.zeros(MOMENTS + 1)

    def place_of(self, there: Frequencies) -> Counts:
        """The cell of each of some candidates, shape (n,)."""
        known = {tuple(cell): place for place, cell in enumerate(self.cells.tolist())}
        missed = (there.shown - there.selected).tolist()
        pairs = zip(there.shown.tolist(), missed, strict=True)
        return np.array([known[pair] for pair in pairs], dtype=np.int64)

    def target(self, class_id: str, images: int) -> Floats:
        """Sums of the powers 0 to 3 of true shares of misses that a class is to have, shape (4,).

        Args:
            class_id: The class; the original has images of it.
            images: Images wanted.
        """
        own = self._of_original[self._original_classes == class_id]
        target: Floats = self._original_moments[own].mean(axis=0) * images + self._carried
        target[0] = images
        return target

    def carry(self, target: Floats, given: Floats) -> None:
        """What a class's images lack to its target; the next class makes up for it."""
        self._carried = target - given

    @property
    def left_over(self) -> float:
        """Sum of true frequencies that the classes so far have more than the original's."""
        return float(self._carried[1])

    def take(self, class_id: str, available: Counts, target: Floats) -> Counts:
        """How many images of each cell a class gives.

        Args:
            class_id: The class; the original has images of it.
            available: Its candidates by cell, shape (k,), at least as many as are wanted.
            target: Images wanted and sums of powers, shape (4,).

        Returns:
            Shape (k,), at the most what is available, adding up to the images wanted.
        """
        own = self._of_original[self._original_classes == class_id]
        images = round(float(target[0]))
        histogram = (
            images * self._share * (self._original_posterior[own].mean(axis=0) @ self._likelihood.T)
        )
        return _whole(_solve(self.moments, histogram, target, available), available, images)


def _solve(moments: Floats, histogram: Floats, target: Floats, available: Counts) -> Floats:
    """Bounded least squares: moments first, the histogram where they leave a choice."""
    use = available > 0
    slack = np.sqrt(histogram[use] + 0.5)
    matrix = np.vstack([np.diag(1.0 / slack), _WEIGHTS[:, None] * moments[use].T])
    right = np.concatenate([histogram[use] / slack, _WEIGHTS * target])
    upper = available[use].astype(np.float64)
    found = np.zeros(len(available))
    found[use] = np.clip(lsq_linear(matrix, right, bounds=(0.0, upper)).x, 0.0, upper)
    return found


def _whole(wanted: Floats, available: Counts, images: int) -> Counts:
    """Whole numbers near the wanted ones, within what is available, adding up to ``images``."""
    taken = np.minimum(np.floor(wanted + 1e-9).astype(np.int64), available)
    while (short := images - int(taken.sum())) != 0:
        rest = wanted - taken
        free = taken < available if short > 0 else taken > 0
        order = np.lexsort((np.arange(len(rest)), -rest if short > 0 else rest))
        places = [int(place) for place in order if free[place]][: abs(short)]
        taken[places] += 1 if short > 0 else -1
    return taken
