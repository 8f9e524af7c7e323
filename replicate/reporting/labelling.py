"""How the votes came about, as the report shows it: workers, and the rules on their work."""

from dataclasses import dataclass

from replicate.analysis.intervals import Interval


@dataclass(frozen=True)
class WorkerRow:
    """One worker, known by a keyed hash alone; NaN where a number is not known.

    Attributes:
        worker: The hash.
        votes: Votes yes and no.
        controls: Control images judged.
        right: How many of them rightly.
        accuracy: The interval of right / controls; None without controls.
        repeats: Images judged twice on a page.
        consistent: How many of them alike.
        pages: Pages with votes.
        all_or_none: Pages on which everything was ticked, or nothing.
        seconds_per_page: The median.
        seconds_per_image: The median.
        agreement: The share of votes that equal the majority of the others.
        sensitivity: By Dawid and Skene's model.
        specificity: Likewise.
        informedness_se: Standard error of sensitivity + specificity − 1.
        flags: The rules that leave the worker out; empty: the votes count.
    """

    worker: str
    votes: int
    controls: int
    right: int
    accuracy: Interval | None
    repeats: int
    consistent: int
    pages: int
    all_or_none: int
    seconds_per_page: float
    seconds_per_image: float
    agreement: float
    sensitivity: float
    specificity: float
    informedness_se: float
    flags: tuple[str, ...]

    @property
    def informedness(self) -> float:
        """Sensitivity + specificity − 1: 1 is perfect, 0 is a guess."""
        return self.sensitivity + self.specificity - 1


@dataclass(frozen=True)
class RuleRow:
    """One rule on work: its value, whom it could judge, and whom it flags."""

    rule: str
    value: float
    judged: int
    flagged: int


@dataclass(frozen=True)
class Labelling:
    """How the votes came about.

    Attributes:
        hits: Pages published.
        assignments: Submissions received.
        unreadable: Submissions whose answer could not be read.
        workers: Different workers.
        flagged: Workers whose votes the rules leave out.
        votes: Votes that count.
        control_accuracy: Share of right answers on controls among all workers; None if unknown.
        icc: Intra-class correlation of the pool's votes; NaN if it cannot be told.
        cost: Rewards for all assignments but rejected ones, without fees, as text with its
            currency; empty if unknown.
        records: Every worker, the least informed first.
        rules: Every rule that is set.
        left_out: Votes that the rules leave out.
    """

    hits: int
    assignments: int
    unreadable: int
    workers: int
    flagged: int
    votes: int
    control_accuracy: float | None
    icc: float
    cost: str = ""
    records: tuple[WorkerRow, ...] = ()
    rules: tuple[RuleRow, ...] = ()
    left_out: int = 0

    @property
    def shown(self) -> tuple[WorkerRow, ...]:
        """The workers that the page lists: all who are left out, and others up to 40."""
        flagged = tuple(row for row in self.records if row.flags)
        others = tuple(row for row in self.records if not row.flags)
        return (*flagged, *others[: max(0, 40 - len(flagged))])
