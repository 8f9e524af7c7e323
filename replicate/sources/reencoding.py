"""What the images of a control go through: our own path of copies, or any transformations."""

from collections.abc import Sequence

from replicate.base.errors import UsageError
from replicate.sources.prepare import find

# What photographs go through before workers see them: the display copy's size and quality.
REENCODED = ("longer-500@1", "jpeg-q90@1")
NAME = "reencoded"


def control_steps(text: str, reencoded: Sequence[str] = REENCODED) -> tuple[str, tuple[str, ...]]:
    """A control's label and its transformations.

    Args:
        text: ``reencoded``, or names of transformations with commas between them.
        reencoded: What ``reencoded`` means.

    Raises:
        UsageError: There is no such transformation.

    >>> control_steps("shorter-256@1, jpeg-q75@1")
    ('shorter-256@1+jpeg-q75@1', ('shorter-256@1', 'jpeg-q75@1'))
    """
    if text == NAME:
        return NAME, tuple(reencoded)
    steps = tuple(step.strip() for step in text.split(","))
    for step in steps:
        try:
            find(step)
        except UsageError as error:
            raise UsageError(
                f"There is no control {text!r}: {error.message}",
                f"There is {NAME} ({', '.join(reencoded)}). {error.hint}",
            ) from error
    return "+".join(steps), steps
