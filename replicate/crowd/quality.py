"""How well each worker does on the images whose answer is known, and who is left out.

A positive control is judged rightly when it is selected, a negative one when it is not. Work
that falls below a rule is flagged, and flagged workers' votes are left out of selection
frequencies; no vote is ever deleted, so another rule gives other frequencies at once.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from replicate.base.errors import UsageError
from replicate.crowd.answers import Vote
from replicate.crowd.composition import Role

_RIGHT: dict[Role, Vote] = {"positive": "yes", "negative": "no"}


@dataclass(frozen=True)
class QualityRule:
    """When a worker is flagged.

    Attributes:
        min_accuracy: Workers below this share of right controls are flagged, in [0, 1].
        min_controls: Nobody is judged on fewer controls than this, at least 1.
    """

    min_accuracy: float = 0.6
    min_controls: int = 20

    def __post_init__(self) -> None:
        if not 0 <= self.min_accuracy <= 1 or self.min_controls < 1:
            raise UsageError(
                "A rule on controls needs an accuracy in [0, 1] and at least one control, not "
                f"{self.min_accuracy} and {self.min_controls}.",
                "Correct [label.quality] in the pipeline file.",
            )

    def flags(self, right: int, judged: int) -> bool:
        """Whether somebody with so many right of so many controls is flagged.

        >>> QualityRule(0.6, 20).flags(11, 20), QualityRule(0.6, 20).flags(0, 19)
        (True, False)
        """
        return judged >= self.min_controls and right < self.min_accuracy * judged


@dataclass(frozen=True)
class WorkerQuality:
    """One worker's record on controls.

    Attributes:
        worker: The worker's (hashed) id.
        positive: Positive controls that the worker judged.
        positive_right: How many of them were selected.
        negative: Negative controls that the worker judged.
        negative_right: How many of them were not selected.
        accuracy: Right controls over judged ones; NaN when there were none.
        low: Lower end of its 95 % Wilson interval; NaN likewise.
        high: Upper end.
        flagged: Whether the rule flags the worker.
    """

    worker: str
    positive: int
    positive_right: int
    negative: int
    negative_right: int
    accuracy: float
    low: float
    high: float
    flagged: bool


def worker_quality(
    votes: Iterable[tuple[str, Role, Vote]], rule: QualityRule | None = None
) -> list[WorkerQuality]:
    """Every worker's accuracy on controls, with its interval and whether it is flagged.

    Args:
        votes: (worker, role, vote) of each vote; candidates, and votes that are neither yes nor
            no, do not count, but their workers are listed.
        rule: When a worker is flagged; the default rule when none is given.

    Returns:
        One record a worker, sorted by worker.

    >>> record, = worker_quality([("w", "positive", "yes"), ("w", "negative", "yes")])
    >>> record.accuracy, record.flagged
    (0.5, False)
    """
    judge = rule or QualityRule()
    judged: Counter[tuple[str, Role]] = Counter()
    right: Counter[tuple[str, Role]] = Counter()
    workers: set[str] = set()
    for worker, role, vote in votes:
        workers.add(worker)
        if role in _RIGHT and vote in ("yes", "no"):
            judged[worker, role] += 1
            right[worker, role] += vote == _RIGHT[role]
    return [
        _record(
            worker,
            (right[worker, "positive"], judged[worker, "positive"]),
            (right[worker, "negative"], judged[worker, "negative"]),
            judge,
        )
        for worker in sorted(workers)
    ]


def _record(
    worker: str, positive: tuple[int, int], negative: tuple[int, int], rule: QualityRule
) -> WorkerQuality:
    from replicate.analysis.intervals import wilson_bounds

    right, judged = positive[0] + negative[0], positive[1] + negative[1]
    accuracy = low = high = float("nan")
    if judged:
        accuracy = right / judged
        lower, upper = wilson_bounds(right, judged)
        low, high = float(lower), float(upper)
    return WorkerQuality(
        worker=worker,
        positive=positive[1],
        positive_right=positive[0],
        negative=negative[1],
        negative_right=negative[0],
        accuracy=accuracy,
        low=low,
        high=high,
        flagged=rule.flags(right, judged),
    )
