"""What is sampled from: selection counts, and which images may be sampled at all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
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
    kinds = [ELIGIBLE, NO_VOTES, TOO_FEW_VOTES, OTHER_CLASS]
    code = np.where(pool.shown >= max(min_votes, 1), 0, np.where(pool.shown > 0, 2, 1))
    for place, reason in _places(pool, excluded or {}):
        if reason not in kinds:
            kinds.append(reason)
        code[place] = kinds.index(reason)
    code[_lost_to_another_class(pool, np.flatnonzero(code == 0))] = 3
    return np.array(kinds, dtype=np.str_)[code]


def _places(
    pool: Frequencies, excluded: Mapping[tuple[str, str], str]
) -> Iterator[tuple[int, str]]:
    """The rows that are excluded, with the reason."""
    images: dict[str, dict[str, str]] = {}
    for (image_id, class_id), reason in excluded.items():
        images.setdefault(class_id, {})[image_id] = reason
    for class_id, reasons in sorted(images.items()):
        first = int(np.searchsorted(pool.class_id, class_id, side="left"))
        for place, image_id in enumerate(pool.of_class(class_id).image_id.tolist()):
            if image_id in reasons:
                yield first + place, reasons[image_id]


def _lost_to_another_class(pool: Frequencies, good: Counts) -> list[int]:
    """Of rows with the same image, all but the best."""
    images = pool.image_id[good].tolist()
    if len(set(images)) == len(images):
        return []
    twice = {image for image, n in Counter(images).items() if n > 1}
    rows: dict[str, list[tuple[float, int, str, int]]] = {}
    frequency = pool.frequency
    for image, place in zip(images, good.tolist(), strict=True):
        if image in twice:
            rank = -float(frequency[place]), -int(pool.shown[place]), str(pool.class_id[place])
            rows.setdefault(image, []).append((*rank, place))
    return [row[3] for ranked in rows.values() for row in sorted(ranked)[1:]]


def counted(
    image_id: Text, class_id: Text, item: Counts, yes: npt.NDArray[np.bool_]
) -> Frequencies:
    """A table of selection counts from single votes in columns: millions of them.

    Args:
        image_id: The image of each (image, class), shape (n,).
        class_id: Its class, shape (n,).
        item: The (image, class) that each vote is on, from 0, shape (votes,).
        yes: Whether the worker selected it, shape (votes,).

    Raises:
        UsageError: An (image, class) is there twice, or a vote is on none of them.

    >>> names = np.array(["b", "a"]), np.array(["0", "0"])
    >>> found = counted(*names, np.array([0, 0, 1]), np.array([True, False, True]))
    >>> found.image_id.tolist(), found.selected.tolist(), found.shown.tolist()
    (['a', 'b'], [1, 1], [1, 2])
    """
    if item.size and not 0 <= int(item.min()) <= int(item.max()) < len(image_id):
        raise UsageError("A vote is on an image that is not in the table.")
    shown = np.bincount(item, minlength=len(image_id))
    selected = np.bincount(item[yes], minlength=len(image_id))
    same = class_id[1:] == class_id[:-1]
    rising = (class_id[1:] > class_id[:-1]) | same & (image_id[1:] > image_id[:-1])
    if not rising.all():
        order = np.lexsort((image_id, class_id))
        image_id, class_id = image_id[order], class_id[order]
        shown, selected = shown[order], selected[order]
        twice = (image_id[1:] == image_id[:-1]) & (class_id[1:] == class_id[:-1])
        if twice.any():
            place = int(np.flatnonzero(twice)[0])
            raise UsageError(
                f"Image {image_id[place]} is there twice for class {class_id[place]}.",
                "Add up its votes, or remove one of the rows.",
            )
    return Frequencies(image_id, class_id, selected, shown)
