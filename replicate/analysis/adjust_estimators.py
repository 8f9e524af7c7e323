"""Estimators of the new set's accuracy at the original's true selection frequencies.

Each is a function of sums over cells (images with the same votes), for many weightings at once.
See `replicate.analysis.adjust` for what they are and where they come from.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from replicate.analysis.adjust_cells import Sums
from replicate.analysis.adjust_mixture import fit_mixture
from replicate.analysis.vote_moments import falling_moments, fewer_votes, heldout_moments

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_RIDGE = 1e-9  # of the largest entry: keeps the equations of degenerate resamples solvable
_FEW = 1e-9
RECOMMENDED = "mixture"  # at every number of votes and images: docs/adjust.md has the table


def degree_for(votes: int) -> tuple[int, int]:
    """How many of so many votes an image are held out, and the degree of g.

    Chosen by simulation (tests/bench/test_adjust.py): as many as the votes allow up to a quartic,
    which leaves less than a tenth of a point of bias; with three votes only a straight line has
    an honest interval.

    >>> [degree_for(n) for n in (2, 3, 4, 5, 10, 40)]
    [(1, 1), (2, 1), (2, 2), (3, 3), (4, 4), (4, 4)]
    """
    if votes >= 10:
        return 4, 4
    if votes >= 5:
        return 3, 3
    return (2, 2) if votes == 4 else (votes - 1, 1)


def naive(sums: Sums, _held: int = 0, _degree: int = 0) -> Floats:
    """New images' accuracy at the same share of votes, weighted as the original has them."""
    shares = sorted(
        {_share(m, n) for m, n in zip(sums.new_missed, sums.new_shown, strict=True)}
        | {_share(m, n) for m, n in zip(sums.original_missed, sums.original_shown, strict=True)}
    )
    place = {share: position for position, share in enumerate(shares)}
    new = _places(sums.new_missed, sums.new_shown, place)
    old = _places(sums.original_missed, sums.original_shown, place)
    return _reweighted(sums, new, old)


def jackknife(sums: Sums, _held: int = 0, _degree: int = 0) -> Floats:
    """N · naive(n votes) − (n − 1) · naive(n − 1 votes): what is left of a bias like 1 / n."""
    new, new_cells = fewer_votes(sums.new_missed, sums.new_shown)
    old, old_cells = fewer_votes(sums.original_missed, sums.original_shown)
    shares = sorted({_share(m, n) for n, m in (*new_cells, *old_cells)})
    place = {share: position for position, share in enumerate(shares)}
    less = _reweighted(sums, new @ _joined(new_cells, place), old @ _joined(old_cells, place))
    n = float(np.average(sums.new_shown, weights=sums.new_images.sum(axis=0)))
    return n * naive(sums) - (n - 1) * less


def mixture(sums: Sums, _held: int, degree: int) -> Floats:
    """G by ridge regression of accuracy on what a fitted mixture expects, given the votes."""
    return fit_mixture(sums, degree).accuracy


def moments(sums: Sums, _held: int, degree: int) -> Floats:
    """G by normal equations whose entries are unbiased moments of the true frequencies."""
    fewest = int(min(sums.new_shown.min(), sums.original_shown.min()))
    degree = max(1, min(degree, fewest // 2))
    powers = falling_moments(sums.new_missed, sums.new_shown, 2 * degree)
    total = sums.new_images.sum(axis=1, keepdims=True)
    found = sums.new_images @ powers / total
    right = sums.new_right @ powers[:, : degree + 1] / total
    orders = np.arange(degree + 1)
    fitted = _solved(found[:, orders[:, None] + orders], right)
    return _values(fitted, sums.original_moments(degree))


def heldout(sums: Sums, held: int, degree: int) -> Floats:
    """G by least squares over strata of n − h votes, on the moments of the h held-out votes."""
    layers, _ = heldout_moments(sums.new_missed, sums.new_shown, held, degree)
    images = sums.new_images @ layers[0]
    right = sums.new_right @ layers[0]
    powers = np.stack([sums.new_images @ layer for layer in layers], axis=-1)
    expected = powers / np.maximum(images, _FEW)[..., None]
    fitted = _least_squares(expected, images, right)
    return _values(fitted, sums.original_moments(degree))


Estimator = Callable[[Sums, int, int], Floats]
ESTIMATORS: dict[str, Estimator] = {
    "naive": naive,
    "jackknife": jackknife,
    "mixture": mixture,
    "moments": moments,
    "heldout": heldout,
}


def _share(missed: int, shown: int) -> float:
    return round(float(missed) / float(shown), 9)


def _places(missed: Counts, shown: Counts, place: dict[float, int]) -> Floats:
    pairs = zip(shown.tolist(), missed.tolist(), strict=True)
    return _joined(list(pairs), place)


def _joined(cells: list[tuple[int, int]], place: dict[float, int]) -> Floats:
    """Which group each cell belongs to, as a matrix of zeros and ones."""
    found = np.zeros((len(cells), len(place)))
    for row, (n, m) in enumerate(cells):
        found[row, place[_share(m, n)]] = 1.0
    return found


def _reweighted(sums: Sums, new: Floats, old: Floats) -> Floats:
    images, right = sums.new_images @ new, sums.new_right @ new
    wanted = sums.original_images @ old
    accuracy = np.where(images > _FEW, right / np.maximum(images, _FEW), np.nan)
    # A group without new images takes the accuracy of the nearest group that has some: first of
    # those with fewer misses, where there are usually more images.
    for group in range(1, accuracy.shape[1]):
        gap = np.isnan(accuracy[:, group])
        accuracy[gap, group] = accuracy[gap, group - 1]
    for group in range(accuracy.shape[1] - 2, -1, -1):
        gap = np.isnan(accuracy[:, group])
        accuracy[gap, group] = accuracy[gap, group + 1]
    mean: Floats = (accuracy * wanted).sum(axis=1) / wanted.sum(axis=1)
    return mean


def _least_squares(expected: Floats, weights: Floats, right: Floats) -> Floats:
    """Coefficients of weighted least squares, shape (b, d), of sums ``right`` over rows."""
    matrix = np.einsum("bk,bki,bkj->bij", weights, expected, expected)
    return _solved(matrix, np.einsum("bk,bki->bi", right, expected))


def _solved(matrix: Floats, right: Floats) -> Floats:
    size = np.abs(matrix).max(axis=(1, 2), keepdims=True)
    ridge = _RIDGE * size * np.eye(matrix.shape[1])
    solution: Floats = np.linalg.solve(matrix + ridge, right[..., None])[..., 0]
    return solution


def _values(coefficients: Floats, powers: Floats) -> Floats:
    """The mean of g where its variable has these mean powers, shape (b,)."""
    mean: Floats = np.einsum("bd,bd->b", coefficients, powers)
    return mean
