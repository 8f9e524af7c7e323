"""What is sampled from: selection counts, and which images may be sampled at all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError

Text = npt.NDArray[np.str_]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ELIGIBLE = ""
NO_VOTES, TOO_FEW_VOTES, OTHER_CLASS = "no_votes", "too_few_votes", "other_class"


@dataclass(frozen=True)
class Frequencies:
    """Selection counts, one row an (image, class), sorted by class, then image.

    Make one with `frequencies`, which checks and sorts.

    Attributes:
        image_id: Shape (n,).
        class_id: Shape (n,).
        selected: People who selected the image for the class, shape (n,).
        shown: People who saw it on a page of the class, shape (n,); 0 ≤ selected ≤ shown.
    """

    image_id: Text
    class_id: Text
    selected: Counts
    shown: Counts

    def __len__(self) -> int:
        return len(self.image_id)

    @property
    def frequency(self) -> Floats:
        """Selected over shown, shape (n,), in [0, 1]; NaN where nobody saw the image.

        >>> frequencies([("a", "0", 3, 4), ("b", "0", 0, 0)]).frequency
        array([0.75,  nan])
        """
        empty = np.full(len(self), np.nan)
        result: Floats = np.divide(self.selected, self.shown, out=empty, where=self.shown > 0)
        return result

    def where(self, mask: npt.NDArray[np.bool_]) -> "Frequencies":
        """The rows where the mask is true, in the same order.

        >>> table = frequencies([("a", "0", 3, 4), ("b", "0", 0, 2)])
        >>> table.where(table.shown > 2).image_id.tolist()
        ['a']
        """
        return Frequencies(
            self.image_id[mask], self.class_id[mask], self.selected[mask], self.shown[mask]
        )

    def of_class(self, class_id: str) -> "Frequencies":
        """The rows of one class.

        >>> frequencies([("a", "0", 3, 4), ("a", "1", 0, 4)]).of_class("1").selected.tolist()
        [0]
        """
        first = np.searchsorted(self.class_id, class_id, side="left")
        part = slice(int(first), int(np.searchsorted(self.class_id, class_id, side="right")))
        return Frequencies(
            self.image_id[part], self.class_id[part], self.selected[part], self.shown[part]
        )

    def class_ids(self) -> list[str]:
        """The classes that occur, sorted.

        >>> frequencies([("a", "1", 3, 4), ("b", "0", 0, 2)]).class_ids()
        ['0', '1']
        """
        return [str(name) for name in np.unique(self.class_id)]


def frequencies(rows: Iterable[tuple[str, str, int, int]]) -> Frequencies:
    """A table of selection counts from rows in any order.

    Args:
        rows: (image id, class id, selected, shown).

    Raises:
        UsageError: An (image, class) is there twice, or a count is impossible; the message
            names the row.

    >>> frequencies([("b", "0", 1, 2), ("a", "0", 0, 2)]).image_id.tolist()
    ['a', 'b']
    """
    table = sorted(rows, key=lambda row: (row[1], row[0]))
    for row, following in pairwise(table):
        if row[:2] == following[:2]:
            raise UsageError(
                f"Image {row[0]} is there twice for class {row[1]}.",
                "Add up its votes, or remove one of the rows.",
            )
    for image_id, class_id, selected, shown in table:
        if not 0 <= selected <= shown:
            raise UsageError(
                f"Image {image_id} of class {class_id} was selected {selected} times "
                f"and shown {shown} times.",
                "Counts are whole numbers, 0 ≤ selected ≤ shown.",
            )
    return Frequencies(
        np.array([row[0] for row in table], dtype=np.str_),
        np.array([row[1] for row in table], dtype=np.str_),
        np.array([row[2] for row in table], dtype=np.int64),
        np.array([row[3] for row in table], dtype=np.int64),
    )


def eligibility(
    pool: Frequencies, min_votes: int, excluded: Mapping[tuple[str, str], str] | None = None
) -> Text:
    """Why each row may not be sampled; the empty text if it may.

    The first reason that holds is given, in this order: whatever the caller excluded it for (a
    review, say); ``no_votes``; ``too_few_votes``; ``other_class`` (the image is eligible for
    several classes: it stays for the one with the highest frequency, then the most votes, then
    the smallest class id, so that no image is in a test set twice).

    Args:
        pool: The candidates.
        min_votes: Votes that an image needs, 1 or more.
        excluded: Reasons by (image id, class id).

    Returns:
        Shape (n,).

    >>> pool = frequencies([("a", "0", 1, 5), ("a", "1", 4, 5), ("b", "0", 1, 2)])
    >>> eligibility(pool, 3).tolist()
    ['other_class', 'too_few_votes', '']
    """
    named = excluded or {}
    frequency = pool.frequency.tolist()
    reasons: list[str] = []
    best: dict[str, tuple[tuple[float, int, str], int]] = {}
    rows = zip(pool.image_id.tolist(), pool.class_id.tolist(), pool.shown.tolist(), strict=True)
    for place, (image_id, class_id, shown) in enumerate(rows):
        reason = named.get((image_id, class_id), ELIGIBLE)
        if not reason and shown < max(min_votes, 1):
            reason = TOO_FEW_VOTES if shown else NO_VOTES
        reasons.append(reason)
        if not reason:
            rank = ((-frequency[place], -shown, class_id), place)
            winner, loser = sorted([rank, best.get(image_id, rank)])
            best[image_id] = winner
            if winner != loser:
                reasons[loser[1]] = OTHER_CLASS
    return np.array(reasons, dtype=np.str_)
