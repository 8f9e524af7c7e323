"""What is sampled from: selection counts, and which images may be sampled at all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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

    @cached_property
    def runs(self) -> tuple[list[str], Counts]:
        """The classes that occur, sorted, and where the rows of each begin, with the end of all.

        >>> frequencies([("a", "1", 3, 4), ("b", "0", 0, 2), ("c", "0", 0, 2)]).runs
        (['0', '1'], array([0, 2, 3]))
        """
        if not len(self):
            return [], np.zeros(1, np.int64)
        first = np.flatnonzero(self.class_id[1:] != self.class_id[:-1]) + 1
        begin = np.concatenate([[0], first, [len(self)]])
        return self.class_id[begin[:-1]].tolist(), begin

    @cached_property
    def _place_of_class(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.runs[0])}

    def classes_in(self, class_ids: Sequence[str]) -> Counts:
        """The place of each row's class in a list of classes; -1 where it is not in it.

        >>> frequencies([("a", "1", 3, 4), ("b", "0", 0, 2)]).classes_in(["1", "2"]).tolist()
        [-1, 0]
        """
        names, begin = self.runs
        known = {name: place for place, name in enumerate(class_ids)}
        place = np.array([known.get(name, -1) for name in names], dtype=np.int64)
        return np.repeat(place, np.diff(begin))

    def where(self, mask: npt.NDArray[np.bool_]) -> "Frequencies":
        """The rows where the mask is true, in the same order.

        >>> table = frequencies([("a", "0", 3, 4), ("b", "0", 0, 2)])
        >>> table.where(table.shown > 2).image_id.tolist()
        ['a']
        """
        if mask.all():
            return self
        return Frequencies(
            self.image_id[mask], self.class_id[mask], self.selected[mask], self.shown[mask]
        )

    def of_class(self, class_id: str) -> "Frequencies":
        """The rows of one class.

        >>> frequencies([("a", "0", 3, 4), ("a", "1", 0, 4)]).of_class("1").selected.tolist()
        [0]
        """
        place = self._place_of_class.get(class_id)
        part = slice(0) if place is None else slice(*self.runs[1][place : place + 2])
        return Frequencies(
            self.image_id[part], self.class_id[part], self.selected[part], self.shown[part]
        )

    def rows_of(self, pairs: Iterable[tuple[str, str]]) -> Counts:
        """The row of each (image id, class id); -1 where there is none.

        >>> frequencies([("a", "0", 3, 4), ("b", "0", 0, 2)]).rows_of([("b", "0"), ("a", "1")])
        array([ 1, -1])
        """
        wanted = list(pairs)
        found = np.full(len(wanted), -1, dtype=np.int64)
        groups: dict[str, list[int]] = {}
        for at, (_, class_id) in enumerate(wanted):
            groups.setdefault(class_id, []).append(at)
        for class_id, members in groups.items():
            images = self.of_class(class_id).image_id
            if not len(images):
                continue
            names = np.array([wanted[at][0] for at in members])
            row = np.minimum(np.searchsorted(images, names), len(images) - 1)
            first = self.runs[1][self._place_of_class[class_id]]
            found[members] = np.where(images[row] == names, first + row, -1)
        return found

    def class_ids(self) -> list[str]:
        """The classes that occur, sorted.

        >>> frequencies([("a", "1", 3, 4), ("b", "0", 0, 2)]).class_ids()
        ['0', '1']
        """
        return list(self.runs[0])


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
    kinds, code = reason_codes(pool, min_votes, excluded)
    return np.array(kinds, dtype=np.str_)[code]


def reason_codes(
    pool: Frequencies, min_votes: int, excluded: Mapping[tuple[str, str], str] | None = None
) -> tuple[list[str], Counts]:
    """`eligibility` as the different reasons, the empty one first, and each row's place in them.

    >>> reason_codes(frequencies([("a", "0", 1, 5), ("b", "0", 1, 2)]), 3)[1].tolist()
    [0, 2]
    """
    kinds = [ELIGIBLE, NO_VOTES, TOO_FEW_VOTES, OTHER_CLASS]
    code = np.where(pool.shown >= max(min_votes, 1), 0, np.where(pool.shown > 0, 2, 1))
    if excluded:
        rows = pool.rows_of(excluded)
        for row, reason in zip(rows.tolist(), excluded.values(), strict=True):
            if reason not in kinds:
                kinds.append(reason)
            if row >= 0:
                code[row] = kinds.index(reason)
    code[_lost_to_another_class(pool, np.flatnonzero(code == 0))] = 3
    return kinds, code


def _lost_to_another_class(pool: Frequencies, good: Counts) -> list[int]:
    """Of rows with the same image, all but the best."""
    ranked: dict[str, list[tuple[float, int, str, int]]] = {}
    frequency = pool.frequency
    names = pool.image_id if len(good) == len(pool) else pool.image_id[good]
    for place in good[_perhaps_twice(names)].tolist():
        rank = -float(frequency[place]), -int(pool.shown[place]), str(pool.class_id[place])
        ranked.setdefault(str(pool.image_id[place]), []).append((*rank, place))
    return [row[3] for rows in ranked.values() for row in sorted(rows)[1:]]


def _perhaps_twice(names: Text) -> npt.NDArray[np.bool_]:
    """Which of some names may be there more than once: all that are, and hardly any other."""
    if not len(names):
        return np.zeros(0, dtype=bool)
    codes = np.ascontiguousarray(names).view(np.uint32).reshape(len(names), -1)
    # A polynomial modulo 2^32: the same for equal names, and for about one in 2^32 pairs of others.
    powers = np.cumprod(np.full(codes.shape[1], 0x9E3779B1, np.uint32), dtype=np.uint32)
    sums = np.einsum("ij,j->i", codes, powers)
    order = np.sort(sums)
    return np.isin(sums, order[1:][order[1:] == order[:-1]])


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
