"""The recommended estimator of accuracy at given true frequencies: a mixture, and a calm curve.

A mixture of binomials, fitted by maximum likelihood, says what the true share of misses m of an
image is, given its votes. Accuracy g(m) is a sum of Legendre polynomials on [0, 1], fitted by
least squares to their expectations given the votes. Votes say little of the higher ones: with few
images their coefficients would be nothing but noise, and an average of g over other frequencies
absurd. So each coefficient is held near 0, as if drawn from a normal distribution of standard
deviation `CURVES` (ridge regression): the more images, the less that matters. What it may cost is
stated: the *allowance*, the standard deviation of the estimate's bias if g is such a draw (the
Bayesian intervals of smoothing: Wahba 1983, Nychka 1988).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.polynomial import legendre

from replicate.analysis.adjust_cells import Sums
from replicate.analysis.vote_moments import true_distribution

Floats = npt.NDArray[np.float64]

# The standard deviations of the coefficients of the polynomials of degree 1, 2, …: accuracy may
# rise all the way, and bends little; what rises like an S, as accuracy does, has a cubic part and
# hardly a quadratic one.
CURVES = np.array([0.5, 0.03, 0.05, 0.03, 0.03, 0.03])
_FEW_VOTES = 2.0  # times as much bending is allowed for where votes cannot tell of it
_GRID = np.linspace(0.0, 1.0, 41)
_BASIS = legendre.legvander(2.0 * _GRID - 1.0, len(CURVES))
_TINY = 1e-9  # of the largest entry: keeps the equations of degenerate resamples solvable


@dataclass(frozen=True)
class Mixture:
    """The new set's accuracy at the original's true frequencies, under b weightings.

    Attributes:
        accuracy: Shape (b,); of few images it may lie outside [0, 1].
        missed: How much of each polynomial's mean over the original the estimate misses, degree 0
            first, shape (b, 7).
    """

    accuracy: Floats
    missed: Floats

    def allowance(self, few_votes: bool) -> Floats:
        """The standard deviation of the bias, a fraction, shape (b,).

        Args:
            few_votes: Whether there are too few votes an image to tell how g bends.
        """
        scale = np.where(np.arange(len(CURVES)) > 0, _FEW_VOTES if few_votes else 1.0, 1.0)
        deviation: Floats = np.sqrt(((self.missed[:, 1:] * CURVES * scale) ** 2).sum(axis=1))
        return deviation


def fit_mixture(sums: Sums, degree: int) -> Mixture:
    """Fit the mixture of both sets, and g to the new one.

    Args:
        sums: Both sets.
        degree: The degree of g, from 1 to 6.

    >>> cells = np.array([0, 2]), np.array([2, 2])
    >>> old, images = np.array([[80.0, 20.0]]), np.array([[50.0, 50.0]])
    >>> right = np.array([[45.0, 20.0]])
    >>> found = fit_mixture(Sums(*cells, old, old, *cells, images, right, 0.1), 1)
    >>> found.accuracy.round(2).tolist(), found.allowance(True).round(3).tolist()
    ([0.8], [0.001])
    """
    found, likelihood = true_distribution(sums.new_images, sums.new_missed, sums.new_shown, _GRID)
    mixed = np.maximum(found @ likelihood.T, 1e-300)
    expected = np.einsum("bg,kg,gd->bkd", found, likelihood, _BASIS) / mixed[..., None]
    used = expected[..., : degree + 1]
    matrix = np.einsum("bk,bki,bkj->bij", sums.new_images, used, used)
    size = np.abs(matrix).max(axis=(1, 2), keepdims=True)
    ridge = np.diag(np.concatenate([[0.0], sums.noise / CURVES[:degree] ** 2]))
    old, _ = true_distribution(
        sums.original_images, sums.original_missed, sums.original_shown, _GRID
    )
    wanted = old @ _BASIS
    # The estimate is linear in correctness: the weight of one right image of each cell.
    solved = np.linalg.solve(
        matrix + ridge + _TINY * size * np.eye(degree + 1), wanted[:, : degree + 1, None]
    )[..., 0]
    weight = np.einsum("bi,bki->bk", solved, used)
    accuracy = (weight * sums.new_right).sum(axis=1)
    reached = np.einsum("bk,bkd->bd", weight * sums.new_images, expected)
    return Mixture(accuracy, wanted - reached)
