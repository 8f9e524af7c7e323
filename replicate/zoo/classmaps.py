"""Class maps: which model output means which class."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError


@dataclass(frozen=True)
class ClassMap:
    """Which class each output of a model means.

    Args:
        outputs: The class id of every output, in the outputs' order; no class twice.

    Raises:
        UsageError: A class has two outputs, or there are none.
    """

    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.outputs:
            raise UsageError("A class map needs at least one class.")
        twice = sorted({c for c in self.outputs if self.outputs.count(c) > 1})
        if twice:
            raise UsageError(f"The class map has two outputs for {', '.join(twice)}.")

    def labels(self, class_ids: Iterable[str], set_name: str) -> npt.NDArray[np.int16]:
        """The right output of each image of a set.

        Args:
            class_ids: The class of each image, in order.
            set_name: The set, for the message.

        Raises:
            UsageError: A class of the set has no output; the set cannot be scored.

        >>> ClassMap(("cat", "dog")).labels(["dog", "cat", "dog"], "pets")
        array([1, 0, 1], dtype=int16)
        """
        index = {class_id: position for position, class_id in enumerate(self.outputs)}
        wanted = list(class_ids)
        unknown = sorted(set(wanted) - set(index))
        if unknown:
            some = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
            raise UsageError(
                f"The set {set_name!r} has {len(unknown)} classes that no model output means:"
                f" {some}.",
                "Score sets whose classes are in the study's class list.",
            )
        return np.array([index[class_id] for class_id in wanted], dtype=np.int16)


def near_chance(correct: int, n: int, classes: Sequence[str] | int) -> str | None:
    """A warning if an accuracy on the original is what guessing gives; None if it is not.

    Guessing among C classes is right for about n/C of n images; the warning comes below that
    plus three standard deviations.

    Args:
        correct: Images right.
        n: Images in all.
        classes: The classes, or how many.

    >>> near_chance(95, 100, 10) is None
    True
    >>> near_chance(12, 100, 10)
    '12 of 100 right is what guessing among 10 classes gives: is the class order right?'
    """
    number = classes if isinstance(classes, int) else len(classes)
    if n == 0 or number < 2:
        return None
    chance = 1 / number
    if correct > n * chance + 3 * (n * chance * (1 - chance)) ** 0.5:
        return None
    return (
        f"{correct} of {n} right is what guessing among {number} classes gives:"
        " is the class order right?"
    )
