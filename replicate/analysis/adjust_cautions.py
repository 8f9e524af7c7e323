"""What there is to say against an adjusted gap: few images, few votes, other frequencies."""

from dataclasses import dataclass
from typing import Literal

Code = Literal["none_recommended", "impossible", "other_frequencies", "few_images", "few_votes"]

WIDEST = 0.5  # an interval that is wider says nothing of a gap
FEW_IMAGES = 100
ENOUGH_VOTES = 5  # with fewer, no estimator is without bias


@dataclass(frozen=True)
class Caution:
    """One thing to know about an adjusted gap.

    Attributes:
        code: What it is, for programs.
        message: One sentence.
    """

    code: Code
    message: str


def cautions(
    *,
    images: tuple[int, int],
    votes: int,
    error: float,
    allowance: float,
    half_width: float,
    outside: bool,
) -> tuple[Caution, ...]:
    """What there is to say against the estimate, the gravest first.

    Args:
        images: Images of the original and of the new set.
        votes: The fewest votes of an image.
        error: The standard error over images, votes and workers, a fraction.
        allowance: The standard deviation of the bias that is allowed for, likewise.
        half_width: Half of the interval, before it is cut to gaps that there can be.
        outside: Whether the estimate was an accuracy below 0 or above 1.

    >>> found = cautions(images=(50, 900), votes=9, error=0.03, allowance=0.01,
    ...                  half_width=0.06, outside=False)
    >>> [each.code for each in found]
    ['few_images']
    """
    found = []
    if 2 * half_width > WIDEST:
        found.append(
            Caution(
                "none_recommended",
                f"No estimate is recommended: its interval would be {200 * half_width:.0f} points "
                f"wide, and one of more than {100 * WIDEST:.0f} says nothing of a gap.",
            )
        )
    if outside:
        found.append(
            Caution(
                "impossible",
                "The estimate was an accuracy below 0 or above 100 %, and is cut to what there "
                "can be.",
            )
        )
    if allowance > error and votes >= ENOUGH_VOTES:
        found.append(
            Caution(
                "other_frequencies",
                "The new set has few images at the original's selection frequencies: the estimate "
                f"leans on how accuracy is taken to change with them ({100 * allowance:.1f} points "
                "of bias are allowed for).",
            )
        )
    if min(images) < FEW_IMAGES:
        found.append(
            Caution(
                "few_images",
                f"A set has {min(images)} images: with fewer than {FEW_IMAGES} accuracy is taken "
                "to change with the frequency along a nearly straight line.",
            )
        )
    if votes < ENOUGH_VOTES:
        found.append(
            Caution(
                "few_votes",
                f"Images have {votes} votes: with fewer than {ENOUGH_VOTES} they cannot tell how "
                f"accuracy bends with the frequency ({100 * allowance:.1f} points of bias are "
                "allowed for in the interval).",
            )
        )
    return tuple(found)
