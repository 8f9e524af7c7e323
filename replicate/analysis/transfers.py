"""Does progress on the source carry over to other tasks?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.analysis.fits import clip_accuracy, line_fit, to_scale
from replicate.analysis.intervals import Interval
from replicate.analysis.shift_kinds import LEAST, correlation_interval, correlations
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """One task that models were transferred to.

    Attributes:
        name: The task.
        n_models: Models with accuracies on both.
        pearson: Correlation of log odds, source against task; NaN with fewer than three.
        spearman: Rank correlation; NaN likewise.
        slope: The least-squares slope of task on source log odds; NaN likewise.
    """

    name: str
    n_models: int
    pearson: float
    spearman: float
    slope: float


@dataclass(frozen=True)
class Transfer:
    """Source accuracy against transfer accuracy.

    Attributes:
        models: The models that have an accuracy on the source and on every task.
        source: Their log odds on the source, shape (m,).
        average: Their mean centred log odds over the tasks, shape (m,).
        pearson: The correlation of the two; NaN with fewer than three models.
        interval: Its interval over models (bootstrap, on Fisher's scale); None with fewer
            than five.
        spearman: Their rank correlation.
        tasks: Each task by itself.
    """

    models: tuple[str, ...]
    source: Floats
    average: Floats
    pearson: float
    interval: Interval | None
    spearman: float
    tasks: tuple[Task, ...]


def transfer(
    source: Mapping[str, tuple[float, int]],
    tasks: Mapping[str, Mapping[str, tuple[float, int]]],
    seed: int,
    *,
    resamples: int = 10_000,
    level: float = 0.95,
) -> Transfer:
    """Correlate accuracy on the source with accuracy after transfer.

    Accuracies become log odds, so that a point near 100 % counts for more; on each task the mean
    over models is taken off, so that hard tasks do not outweigh easy ones; then they are averaged
    over tasks. Source: Kornblith, Shlens and Le (2019), "Do Better ImageNet Models Transfer
    Better?", section 3.

    Args:
        source: Model → accuracy on the source (a fraction) and items behind it (0: not known).
        tasks: Task → the same.
        seed: The seed of the resamples over models.
        resamples: How many.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: There is no task.

    >>> source = {name: (share, 1000) for name, share in zip("abcd", (0.6, 0.7, 0.8, 0.9))}
    >>> easy = {name: (0.5 + share / 2, 1000) for name, (share, _) in source.items()}
    >>> found = transfer(source, {"flowers": easy, "pets": source}, 1, resamples=100)
    >>> found.models, round(found.spearman, 3), found.tasks[1].pearson.__round__(3)
    (('a', 'b', 'c', 'd'), 1.0, 1.0)
    """
    if not tasks:
        raise UsageError("Transfer needs at least one task beside the source.")
    everywhere = [m for m in source if all(m in task for task in tasks.values())]
    each = tuple(_task(name, source, task) for name, task in tasks.items())
    u = _odds([source[m] for m in everywhere])
    columns = [_odds([task[m] for m in everywhere]) for task in tasks.values()]
    average = np.mean([column - column.mean() for column in columns], axis=0) if everywhere else u
    pearson, rank = correlations(u, average)
    interval = None
    if len(everywhere) >= LEAST and np.isfinite(pearson):
        interval = correlation_interval(u, average, stream(seed, "transfer"), resamples, level)
    return Transfer(tuple(everywhere), u, average, pearson, interval, rank, each)


def _odds(values: list[tuple[float, int]]) -> Floats:
    if not values:
        return np.zeros(0)
    share, n = (np.asarray(column, np.float64) for column in zip(*values, strict=True))
    return to_scale(clip_accuracy(share, np.where(n > 0, n, 10**9)).values, "logit")


def _task(
    name: str, source: Mapping[str, tuple[float, int]], task: Mapping[str, tuple[float, int]]
) -> Task:
    shared = [m for m in source if m in task]
    u, v = _odds([source[m] for m in shared]), _odds([task[m] for m in shared])
    pearson, rank = correlations(u, v)
    slope = line_fit(u, v).slope if np.isfinite(pearson) else float("nan")
    return Task(name, len(shared), pearson, rank, slope)
