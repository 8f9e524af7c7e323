"""The gap at equal selection frequencies in a study's report: what it is, and by votes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from replicate.analysis.adjust import AdjustedGaps, AtVotes

HEADER = (
    "set", "workers", "votes", "estimator", "recommended", "gap", "low", "high",
    "n_original", "n_new", "warnings",
)  # fmt: skip


@dataclass(frozen=True)
class AdjustedSet:
    """A new set's gap at equal true selection frequencies.

    Attributes:
        name: The set.
        heldout: Whether the new set's votes are those that were kept out of the drawing.
        n_original: Images of the original with enough votes.
        n_new: Images of the set with enough votes.
        gaps: With all votes; None if nothing can be adjusted.
        at: What it would be with fewer votes an image, fewest first.
        reason: Why nothing can be adjusted; empty if it can.
    """

    name: str
    heldout: bool = False
    n_original: int = 0
    n_new: int = 0
    gaps: AdjustedGaps | None = None
    at: tuple[AtVotes, ...] = ()
    reason: str = ""

    @property
    def votes(self) -> int:
        """The votes that every image has."""
        return self.at[-1].votes if self.at else 0


def rows(sets: Sequence[AdjustedSet], workers: str) -> Iterator[tuple[object, ...]]:
    """The rows of the table: one a set, number of votes and estimator; the last votes are all.

    Args:
        sets: The sets.
        workers: What the workers are: people, or simulated.
    """
    for item in sets:
        if item.gaps is None:
            continue
        codes = " ".join(caution.code for caution in item.gaps.cautions)
        for at in item.at[:-1]:
            for name, gap in at.estimators.items():
                yield (
                    item.name, workers, at.votes, name, name == at.recommended, gap.gap,
                    gap.interval.low, gap.interval.high, item.n_original, item.n_new, "",
                )  # fmt: skip
        for name, gap in {"raw": item.gaps.raw, **item.gaps.estimators}.items():
            yield (
                item.name, workers, item.votes, name, name == item.gaps.recommended, gap.gap,
                gap.interval.low, gap.interval.high, item.n_original, item.n_new, codes,
            )  # fmt: skip
