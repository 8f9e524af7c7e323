"""How well a set matches the original in what it was matched by beside selection frequencies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CovariateMean:
    """One covariate's mean.

    Attributes:
        name: The covariate.
        original: In the original's images.
        before: In the set that frequencies alone would have given.
        after: In the set.
        sd: Standard deviation within classes, over both sides.
        difference_before: (before - original) / sd.
        difference_after: (after - original) / sd.
    """

    name: str
    original: float
    before: float
    after: float
    sd: float
    difference_before: float
    difference_after: float


@dataclass(frozen=True)
class Balance:
    """The covariates of one set.

    Attributes:
        means: One a covariate.
        shift: What matching them would have done to the mean true frequency, which the choice of
            votes made up for; None if that is not known.
        shift_se: Its standard error.
    """

    means: tuple[CovariateMean, ...]
    shift: float | None
    shift_se: float | None


def balance_of(match: Mapping[str, Any]) -> Balance | None:
    """What a set's record of its match says of covariates; None if none were matched.

    >>> balance_of({"covariates": None}) is None
    True
    """
    told = match.get("covariates")
    if not told or not told.get("means"):
        return None
    shift = told.get("frequency_shift") or {}
    means = tuple(CovariateMean(**each) for each in told["means"])
    return Balance(means, shift.get("expected"), shift.get("se"))


def balance_words(balance: Balance) -> list[str]:
    """A set's covariates in sentences, for cards and data sheets."""
    found = [
        f"Mean {each.name}: original {each.original:.6g}, this set {each.after:.6g} "
        f"({each.difference_after:+.2f} standard deviations; {each.difference_before:+.2f} if by "
        "frequencies alone)."
        for each in balance.means
    ]
    if balance.shift is not None and balance.shift_se is not None:
        found.append(
            f"By itself this would have moved the mean true frequency by {balance.shift:+.4f} "
            f"(standard error {balance.shift_se:.4f}), which the choice of votes made up for."
        )
    return found
