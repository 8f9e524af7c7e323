"""What is known of each worker, and what all votes together say of the workers.

Whose votes count is decided by the rules of `[label.quality]`, in the study's database; no vote
is ever deleted, so another rule gives other frequencies at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from replicate.analysis.dawid_skene import DawidSkene
    from replicate.analysis.intervals import Interval

NAN = float("nan")
T = TypeVar("T")


@dataclass(frozen=True)
class WorkerRecord:
    """One worker's record: counts, and what follows from them.

    Attributes:
        worker: The worker's (hashed) id.
        votes: Votes yes and no of submitted and approved work, repeats left out.
        yes: How many of them are yes.
        positive: Positive controls that the worker judged.
        positive_right: How many of them were selected.
        negative: Negative controls that the worker judged.
        negative_right: How many of them were not selected.
        repeats: Images that the worker judged twice on one page.
        consistent: How many of them got the same answer twice.
        pages: Pages with votes.
        all_or_none: Pages on which everything was ticked, or nothing.
        seconds_per_page: The median time from taking a page to sending it; NaN if unknown.
        seconds_per_image: The median of a page's time over its votes; NaN if unknown.
        compared: Votes on images where the other workers have a majority.
        agreed: How many of them equal that majority.
        sensitivity: By Dawid and Skene's model; NaN if it was not estimated.
        specificity: Likewise.
        informedness_se: The standard error of their sum.
        flags: The rules that flag the worker, sorted; empty: the votes count.
    """

    worker: str
    votes: int = 0
    yes: int = 0
    positive: int = 0
    positive_right: int = 0
    negative: int = 0
    negative_right: int = 0
    repeats: int = 0
    consistent: int = 0
    pages: int = 0
    all_or_none: int = 0
    seconds_per_page: float = NAN
    seconds_per_image: float = NAN
    compared: int = 0
    agreed: int = 0
    sensitivity: float = NAN
    specificity: float = NAN
    informedness_se: float = NAN
    flags: tuple[str, ...] = ()

    @property
    def controls(self) -> int:
        """Controls that the worker judged."""
        return self.positive + self.negative

    @property
    def right(self) -> int:
        """How many of them rightly."""
        return self.positive_right + self.negative_right

    @property
    def accuracy(self) -> float:
        """Right controls over judged ones; NaN when there were none."""
        return _share(self.right, self.controls)

    @property
    def accuracy_interval(self) -> "Interval | None":
        """Its 95 % Wilson interval; None when there were no controls.

        >>> interval = WorkerRecord("w", positive=10, positive_right=5).accuracy_interval
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.237, 0.763)
        """
        # Imported late: every command that opens a study would wait for scipy.
        from replicate.analysis.intervals import wilson

        return wilson(self.right, self.controls) if self.controls else None

    @property
    def consistency(self) -> float:
        """Repeated images that got one answer, over all of them; NaN when there were none."""
        return _share(self.consistent, self.repeats)

    @property
    def agreement(self) -> float:
        """Votes that equal the majority of the others; NaN when nothing could be compared."""
        return _share(self.agreed, self.compared)

    @property
    def informedness(self) -> float:
        """Sensitivity + specificity − 1: 1 is perfect, 0 is a guess."""
        return self.sensitivity + self.specificity - 1


def _share(part: int, whole: int) -> float:
    return part / whole if whole else NAN


@dataclass(frozen=True)
class WorkerRates:
    """What all votes together say of one worker.

    Attributes:
        worker: The worker.
        n_votes: Their votes.
        n_agreed: Votes that equal the majority of the others.
        n_compared: Votes on images where the others have a majority.
        sensitivity: How often they say yes to a true yes, by Dawid and Skene's model.
        specificity: How often they say no to a true no.
        n_positive: Expected number of true yeses that they judged.
        n_negative: Expected number of true noes.
        informedness_se: The standard error of sensitivity + specificity.
    """

    worker: str
    n_votes: int
    n_agreed: int
    n_compared: int
    sensitivity: float
    specificity: float
    n_positive: float
    n_negative: float
    informedness_se: float


@dataclass(frozen=True)
class Crowd:
    """What votes say of their workers.

    Attributes:
        workers: One record a worker, sorted.
        model: The fitted model; images in the order of their sorted names.
    """

    workers: tuple[WorkerRates, ...]
    model: "DawidSkene"


def judge(images: Sequence[tuple[str, str]], workers: Sequence[str], yes: Sequence[bool]) -> Crowd:
    """Estimate sensitivity, specificity and agreement of every worker from their votes.

    The result depends on the votes alone, not on their order, to the last bit.

    Args:
        images: The (image id, class id) of each vote, shape (n,).
        workers: Whose vote it is, shape (n,).
        yes: Whether it is a yes, shape (n,).

    Raises:
        UsageError: There are no votes.
    """
    import numpy as np

    from replicate.analysis.dawid_skene import dawid_skene
    from replicate.analysis.workers import leave_one_out_agreement

    image, _ = _codes(images)
    worker, names = _codes(workers)
    said = np.asarray(yes, dtype=bool)
    order = np.lexsort((said, worker, image))
    image, worker, said = image[order], worker[order], said[order]
    model = dawid_skene(image, worker, said)
    agreement = leave_one_out_agreement(image, worker, said)
    columns = (
        np.bincount(worker, minlength=len(names)),
        agreement.agreed,
        agreement.compared,
        model.sensitivity,
        model.specificity,
        model.n_positive,
        model.n_negative,
        model.informedness_se,
    )
    values = zip(names, *(column.tolist() for column in columns), strict=True)
    return Crowd(tuple(WorkerRates(*row) for row in values), model)


def _codes(names: Sequence[T]) -> "tuple[npt.NDArray[np.int64], list[T]]":
    """The place of each name among the sorted ones, and those."""
    import numpy as np

    known = sorted(set(names))  # type: ignore[type-var]
    place = {name: position for position, name in enumerate(known)}
    return np.array([place[name] for name in names], dtype=np.int64), known
