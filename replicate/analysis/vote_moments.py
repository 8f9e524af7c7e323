"""What votes say of true selection frequencies, without bias, cell by cell.

An image that M of n people did not select has an unknown true share of misses m. Two facts, both
consequences of sampling without replacement from exchangeable votes:

- C(M, j) / C(n, j) is an unbiased estimate of m^j for every j ≤ n;
- if h of the n votes are set aside, those among them that miss follow the hypergeometric
  distribution, given M. So every way of setting votes aside can be averaged over, exactly.

All images with the same (n, M) are one cell: what is computed here is small.
"""

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.base.errors import UsageError

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def vote_cells(selected: Counts, shown: Counts) -> tuple[Counts, Counts]:
    """The different (votes, misses) of some images, sorted, and the one that each image has.

    Args:
        selected: People who selected each image, shape (n,).
        shown: People who saw it, shape (n,).

    Returns:
        Shape (k, 2), and places among them, shape (n,).

    >>> cells, place = vote_cells(np.array([2, 0, 2]), np.array([3, 3, 3]))
    >>> cells.tolist(), place.tolist()
    ([[3, 1], [3, 3]], [0, 1, 0])
    """
    pairs = np.stack([shown, shown - selected], axis=1)
    cells, place = np.unique(pairs, axis=0, return_inverse=True)
    return cells, place.reshape(-1)


def binomial(missed: Counts, shown: Counts, share: Floats) -> Floats:
    """The probability of so many misses of so many votes, each with the same chance.

    Written out, for `scipy.stats` takes a second to load; arguments broadcast.

    >>> binomial(np.array([0, 1, 2]), np.array(2), np.array(0.5)).round(4).tolist()
    [0.25, 0.5, 0.25]
    """
    of_shares = special.xlogy(missed, share) + special.xlog1py(shown - missed, -share)
    chance: Floats = np.exp(_log_ways(shown, missed) + of_shares)
    return chance


def hypergeometric(out: Counts, shown: Counts, missed: Counts, drawn: int) -> Floats:
    """The probability that so many of the misses are among the votes drawn, without replacement.

    >>> hypergeometric(np.array([0, 1, 2]), np.array(4), np.array(1), 2).round(4).tolist()
    [0.5, 0.5, 0.0]
    """
    ways = _log_ways(missed, out) + _log_ways(shown - missed, drawn - out)
    chance: Floats = np.exp(ways - _log_ways(shown, np.array(drawn)))
    return chance


def _log_ways(of: Counts, take: Counts) -> Floats:
    """The logarithm of the number of ways to take some of some; −∞ where there is none."""
    there = (take >= 0) & (take <= of)
    some = np.where(there, take, 0)
    ways = special.gammaln(of + 1) - special.gammaln(some + 1) - special.gammaln(of - some + 1)
    return np.where(there, ways, -np.inf)


def falling_moments(missed: Counts, shown: Counts, degree: int) -> Floats:
    """Unbiased estimates of the powers of the true share of misses.

    Args:
        missed: Votes that did not select the image, shape (k,).
        shown: All votes on it, shape (k,), at least ``degree`` each.
        degree: The highest power.

    Returns:
        Shape (k, degree + 1): C(M, j) / C(n, j), the first column is 1.

    Raises:
        UsageError: Some image has fewer votes than the degree.

    >>> falling_moments(np.array([2]), np.array([4]), 2).round(4).tolist()
    [[1.0, 0.5, 0.1667]]
    """
    if shown.size and shown.min() < degree:
        raise UsageError(f"A moment of order {degree} needs {degree} votes an image.")
    powers = np.arange(degree + 1)
    result: Floats = special.comb(missed[:, None], powers) / special.comb(shown[:, None], powers)
    return result


def heldout_moments(
    missed: Counts, shown: Counts, held: int, degree: int
) -> tuple[Floats, list[tuple[int, int]]]:
    """Moments of held-out votes by what the other votes say, over all ways to hold votes out.

    Args:
        missed: Misses of each cell, shape (k,).
        shown: Votes of each cell, shape (k,), more than ``held`` each.
        held: Votes that are held out of each image, at least ``degree``.
        degree: The highest power.

    Returns:
        An array of shape (degree + 1, k, strata): for each cell the expected indicator that the
        remaining votes put an image into a stratum, times the unbiased j-th moment of the
        held-out ones. Summed over strata, layer 0 is 1 for every cell. And the strata:
        (remaining votes, misses among them), sorted.

    Raises:
        UsageError: Too many votes are held out, or fewer than the degree.

    >>> layers, strata = heldout_moments(np.array([1]), np.array([2]), 1, 1)
    >>> strata, layers[0].tolist(), layers[1].tolist()
    ([(1, 0), (1, 1)], [[0.5, 0.5]], [[0.5, 0.0]])
    """
    if held < max(degree, 1) or (shown.size and shown.min() <= held):
        raise UsageError(f"{held} of the votes cannot be held out for moments of order {degree}.")
    strata = sorted(
        {
            (int(n - held), left)
            for m, n in zip(missed.tolist(), shown.tolist(), strict=True)
            for left in range(max(0, m - held), min(m, n - held) + 1)
        }
    )
    place = {stratum: position for position, stratum in enumerate(strata)}
    layers = np.zeros((degree + 1, len(missed), len(strata)))
    out = np.arange(held + 1)
    moments = falling_moments(out, np.full_like(out, held), degree)
    for cell, (m, n) in enumerate(zip(missed.tolist(), shown.tolist(), strict=True)):
        chances = hypergeometric(out, np.array(n), np.array(m), held)
        for k in range(max(0, m - (n - held)), min(held, m) + 1):
            layers[:, cell, place[(n - held, m - k)]] += chances[k] * moments[k]
    return layers, strata


def fewer_votes(missed: Counts, shown: Counts) -> tuple[Floats, list[tuple[int, int]]]:
    """What is left of each cell when one of its votes is taken away at random.

    Returns:
        Chances of shape (k, cells of one vote less), and those cells: (votes, misses), sorted.

    >>> fewer_votes(np.array([1]), np.array([4]))
    (array([[0.25, 0.75]]), [(3, 0), (3, 1)])
    """
    layers, cells = heldout_moments(missed, shown, 1, 0)
    return layers[0], cells


def true_distribution(
    weights: Floats, missed: Counts, shown: Counts, grid: Floats, rounds: int = 200
) -> tuple[Floats, Floats]:
    """The distribution of true shares of misses: a mixture of binomials on a grid, by EM.

    The nonparametric maximum-likelihood estimate (Laird 1978), for many weightings at once.

    Args:
        weights: How many images each cell has, shape (b, k).
        missed: Misses of each cell, shape (k,).
        shown: Votes of each cell, shape (k,).
        grid: The possible shares, shape (g,), in [0, 1].
        rounds: Rounds of EM.

    Returns:
        Probabilities of shape (b, g), and the likelihood of each cell, shape (k, g).

    >>> cells = np.array([0, 1]), np.array([1, 1])
    >>> found, _ = true_distribution(np.array([[3.0, 1.0]]), *cells, np.array([0.0, 1.0]))
    >>> found.tolist()
    [[0.75, 0.25]]
    """
    likelihood = binomial(missed[:, None], shown[:, None], grid)
    found = np.full((len(weights), len(grid)), 1.0 / len(grid))
    total = weights.sum(axis=1, keepdims=True)
    for _ in range(rounds):
        mixed = np.maximum(found @ likelihood.T, 1e-300)
        found = found * ((weights / mixed) @ likelihood) / total
    return found, likelihood
