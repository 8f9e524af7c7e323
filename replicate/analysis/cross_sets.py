"""Train on A, test on B: how much of what is learnt is the data set's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CrossSets:
    """Accuracies by the set that models were trained on and the set that they were tested on.

    Attributes:
        trained: Training sets, a of them.
        tested: Test sets, b of them.
        accuracy: Mean over the models of a cell, shape (a, b); NaN where there is none.
        n_models: Models of each cell, shape (a, b).
        own: Training set → accuracy on its own test set; NaN if that is not there.
        others: Training set → mean over the other test sets; NaN if there is none.
        percent_drop: Training set → (own − others) / own, a fraction; NaN if either is unknown.
    """

    trained: tuple[str, ...]
    tested: tuple[str, ...]
    accuracy: Floats
    n_models: npt.NDArray[np.int64]
    own: Mapping[str, float]
    others: Mapping[str, float]
    percent_drop: Mapping[str, float]


def cross_sets(
    trained_on: Mapping[str, str],
    scores: Mapping[str, Mapping[str, float]],
    own: Mapping[str, str] | None = None,
) -> CrossSets:
    """The matrix of cross-data-set generalisation.

    Source: Torralba and Efros (2011), "Unbiased Look at Dataset Bias", table 1: self, mean of
    the others, and percent drop.

    Args:
        trained_on: Model → the set that it was trained on.
        scores: Test set → model → accuracy.
        own: Training set → its own test set; by default the test set of the same name.

    >>> scores = {"a": {"m": 0.9, "k": 0.6}, "b": {"m": 0.6, "k": 0.8}}
    >>> found = cross_sets({"m": "a", "k": "b"}, scores)
    >>> found.accuracy.tolist(), round(found.percent_drop["a"], 3)
    ([[0.9, 0.6], [0.6, 0.8]], 0.333)
    """
    tested = tuple(scores)
    trained = tuple(dict.fromkeys(trained_on.values()))
    accuracy = np.full((len(trained), len(tested)), np.nan)
    count = np.zeros(accuracy.shape, dtype=np.int64)
    for i, train in enumerate(trained):
        for j, test in enumerate(tested):
            values = [
                share
                for model, share in scores[test].items()
                if trained_on.get(model) == train and np.isfinite(share)
            ]
            count[i, j] = len(values)
            if values:
                accuracy[i, j] = float(np.mean(values))
    home = {train: (own or {}).get(train, train) for train in trained}
    selves = {
        train: float(accuracy[i, tested.index(home[train])]) if home[train] in tested else np.nan
        for i, train in enumerate(trained)
    }
    others = {
        train: _mean([accuracy[i, j] for j, test in enumerate(tested) if test != home[train]])
        for i, train in enumerate(trained)
    }
    drops = {
        train: (selves[train] - others[train]) / selves[train] if selves[train] > 0 else np.nan
        for train in trained
    }
    return CrossSets(trained, tested, accuracy, count, selves, others, drops)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
