"""Whether a sample can be drawn at all: what is wanted, what is there, what is missing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from replicate.base.errors import GuardError

_NAMED = 5  # shortages that a message names one by one


@dataclass(frozen=True, slots=True)
class Need:
    """What one stratum of one class is asked for.

    Attributes:
        class_id: The class.
        stratum: The stratum's name, or ``original images`` where the original has too few
            annotated images to say what is wanted.
        wanted: Images wanted.
        there: Eligible images there.
        filled: Images that stand in for missing ones, on request.
        missing: Images that are neither there nor filled.
    """

    class_id: str
    stratum: str
    wanted: int
    there: int
    filled: int
    missing: int


class InfeasibleSample(GuardError):  # noqa: N818 - it is no error of the program
    """The sample that was asked for cannot be drawn from what is there.

    Args:
        needs: Every need of the sample; those with something missing are named.
        name: The test set's name.
        fill: Whether it was asked to fill already.

    >>> error = InfeasibleSample([Need("7", "[0, 0.2)", 4, 1, 0, 3)], "matched")
    >>> error.message
    'Too few images for matched: class 7, stratum [0, 0.2): 4 wanted, 1 there, 3 missing.'
    >>> error.exit_code
    4
    """

    def __init__(
        self, needs: Sequence[Need], name: str = "the test set", fill: bool = False
    ) -> None:
        short = [need for need in needs if need.missing > 0]
        shown = [
            f"class {need.class_id}, stratum {need.stratum}: {need.wanted} wanted, "
            f"{need.there} there, {need.missing} missing"
            for need in short[:_NAMED]
        ]
        if len(short) > _NAMED:
            rest = sum(need.missing for need in short[_NAMED:])
            shown.append(f"and {rest} more in {len(short) - _NAMED} other strata")
        super().__init__(f"Too few images for {name}: {'; '.join(shown)}.", _advice(short, fill))
        self.needs, self.name = tuple(needs), name
        self.details = {"lacking": self.lacking()}

    def lacking(self) -> list[dict[str, Any]]:
        """What is missing, by class and stratum, as JSON values."""
        return [{"set": self.name, **asdict(need)} for need in self.needs if need.missing > 0]


def _advice(short: Sequence[Need], fill: bool) -> str:
    classes = ", ".join(sorted({need.class_id for need in short})[:_NAMED])
    if any(need.stratum == ORIGINAL_IMAGES for need in short):
        return (
            f"Collect votes on more original images of class {classes} ([label] positive), or "
            "lower min_original_images or min_votes."
        )
    other = "" if fill else ", or let other images stand in (fill = true; --fill for tables)"
    return (
        f"Gather and label more candidates for class {classes} ([gather] per_class), or lower "
        f"per_class or min_votes of the set{other}. All that is lacking is shown with --plan."
    )


ORIGINAL_IMAGES = "original images"


def require_feasible(needs: Sequence[Need], name: str = "the test set", fill: bool = False) -> None:
    """Stop if anything is missing.

    Raises:
        InfeasibleSample: Something is.

    >>> require_feasible([Need("7", "[0, 0.2)", 4, 4, 0, 0)])
    """
    if any(need.missing > 0 for need in needs):
        raise InfeasibleSample(needs, name, fill)
