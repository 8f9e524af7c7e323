"""The area under the ROC curve: the share of pairs that scores put in the right order."""

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def placements(scores: npt.ArrayLike, positive: npt.ArrayLike) -> Floats:
    """Of each item, the share of the other label's items that it stands on the right side of.

    Ties count half. The mean over the items of either label is the area under the curve; they
    are DeLong's structural components (DeLong et al. 1988).

    Args:
        scores: Higher means positive, shape (n,) or (n, m), a column a scorer.
        positive: Which items are, shape (n,) or (n, m).

    Returns:
        The shape of ``scores``; NaN in a column that has items of one label only.

    >>> placements([0.1, 0.4, 0.35, 0.8], [False, False, True, True]).tolist()
    [1.0, 0.5, 0.5, 1.0]
    """
    s, yes = np.asarray(scores, np.float64), np.asarray(positive, bool)
    yes = np.broadcast_to(yes if yes.ndim == s.ndim else yes[:, None], s.shape)
    rank = stats.rankdata(s, axis=0)
    ups, downs = yes.sum(axis=0), (~yes).sum(axis=0)
    # The other label's items are put beyond all: ranks among one label's own are left.
    own = np.where(
        yes,
        stats.rankdata(np.where(yes, s, np.inf), axis=0),
        stats.rankdata(np.where(yes, np.inf, s), axis=0),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        below = (rank - own) / np.where(yes, downs, ups)
    return np.asarray(np.where(yes, below, 1 - below))


def area(scores: npt.ArrayLike, positive: npt.ArrayLike) -> Floats:
    """The area under the ROC curve of every column.

    Args:
        scores: Shape (n,) or (n, m).
        positive: Shape (n,) or (n, m).

    Returns:
        A number, or shape (m,); NaN where one label is missing.

    >>> float(area([0.1, 0.4, 0.35, 0.8], [False, False, True, True]))
    0.75
    """
    placed = placements(scores, positive)
    yes = np.asarray(positive, bool)
    yes = np.broadcast_to(yes if yes.ndim == placed.ndim else yes[:, None], placed.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(yes, placed, 0).sum(axis=0) / yes.sum(axis=0))
