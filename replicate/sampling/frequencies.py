"""What is sampled from: selection counts, and which images may be sampled at all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

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
            found[members] = self._rows(class_id, np.array([wanted[at][0] for at in members]))
        return found

    def _rows(self, class_id: str, names: Text) -> Counts:
        images = self.of_class(class_id).image_id
        if not len(images):
            return np.full(len(names), -1, dtype=np.int64)
        row = np.minimum(np.searchsorted(images, names), len(images) - 1)
        first = self.runs[1][self._place_of_class[class_id]]
        return np.where(images[row] == names, first + row, -1)

    def rows_for(self, others: "Frequencies") -> Counts:
        """The row of each image and class of another table; -1 where there is none.

        >>> known = frequencies([("a", "0", 3, 4), ("b", "0", 0, 2)])
        >>> known.rows_for(frequencies([("b", "0", 0, 0), ("c", "1", 0, 0)]))
        array([ 1, -1])
        """
        names, begin = others.runs
        found = np.full(len(others), -1, dtype=np.int64)
        for name, first, last in zip(names, begin.tolist(), begin[1:].tolist(), strict=False):
            found[first:last] = self._rows(name, others.image_id[first:last])
        return found

    def on(self, others: "Frequencies", rows: Counts | None = None) -> "Frequencies":
        """These counts for the images and classes of another table; 0 where none are known.

        Args:
            others: The other table; its own counts are left aside.
            rows: What `rows_for` says of it, where that is known already.

        >>> known = frequencies([("a", "0", 3, 4), ("b", "0", 0, 2)])
        >>> known.on(frequencies([("b", "0", 0, 0), ("c", "1", 0, 0)])).shown.tolist()
        [2, 0]
        """
        rows = self.rows_for(others) if rows is None else rows
        selected, shown = (np.append(counts, 0)[rows] for counts in (self.selected, self.shown))
        return others.with_counts(selected, shown)

    def with_counts(self, selected: Counts, shown: Counts) -> "Frequencies":
        """The same images and classes with other counts.

        >>> frequencies([("a", "0", 0, 0)]).with_counts(np.array([1]), np.array([2])).frequency
        array([0.5])
        """
        made = Frequencies(self.image_id, self.class_id, selected, shown)
        made.__dict__["runs"] = self.runs  # worked out already, and of the names alone
        return made

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
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    image_id, class_id = (np.array(column, dtype=np.str_) for column in columns[:2])
    selected, shown = (np.array(column, dtype=np.int64) for column in columns[2:])
    return tabulated(image_id, class_id, selected, shown)


def tabulated(image_id: Text, class_id: Text, selected: Counts, shown: Counts) -> Frequencies:
    """`frequencies` of columns, each of shape (n,).

    >>> names, counts = np.array(["b", "a"]), np.array([1, 2])
    >>> tabulated(names, np.array(["0", "0"]), counts, counts).selected.tolist()
    [2, 1]
    """
    order = in_order(image_id, class_id)
    if order is not None:
        image_id, class_id = image_id[order], class_id[order]
        selected, shown = selected[order], shown[order]
    wrong = np.flatnonzero((selected < 0) | (selected > shown))
    for row in wrong[:1].tolist():
        raise UsageError(
            f"Image {image_id[row]} of class {class_id[row]} was selected {selected[row]} times "
            f"and shown {shown[row]} times.",
            "Counts are whole numbers, 0 ≤ selected ≤ shown.",
        )
    return Frequencies(image_id, class_id, selected, shown)


def in_order(image_id: Text, class_id: Text) -> Counts | None:
    """What sorts rows by class, then image; None if they are sorted.

    Raises:
        UsageError: An (image, class) is there twice.

    >>> in_order(np.array(["b", "a"]), np.array(["0", "0"])).tolist()
    [1, 0]
    """
    same = class_id[1:] == class_id[:-1]
    rising = (class_id[1:] > class_id[:-1]) | same & (image_id[1:] > image_id[:-1])
    if rising.all():
        return None
    order = np.lexsort((image_id, class_id))
    image_id, class_id = image_id[order], class_id[order]
    twice = (image_id[1:] == image_id[:-1]) & (class_id[1:] == class_id[:-1])
    for place in np.flatnonzero(twice)[:1].tolist():
        raise UsageError(
            f"Image {image_id[place]} is there twice for class {class_id[place]}.",
            "Add up its votes, or remove one of the rows.",
        )
    return order


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
    code = np.zeros(len(pool), dtype=np.int64)
    code[pool.shown < min_votes] = 2
    code[pool.shown <= 0] = 1
    if excluded:
        rows = pool.rows_of(excluded)
        for row, reason in zip(rows.tolist(), excluded.values(), strict=True):
            if reason not in kinds:
                kinds.append(reason)
            if row >= 0:
                code[row] = kinds.index(reason)
    code[lost_to_another_class(pool, np.flatnonzero(code == 0))] = 3
    return kinds, code


def lost_to_another_class(pool: Frequencies, good: Counts) -> list[int]:
    """Of rows with the same image, all but the best."""
    names = pool.image_id if len(good) == len(pool) else pool.image_id[good]
    ranked: dict[str, list[tuple[float, int, str, int]]] = {}
    for place in good[_perhaps_twice(names)].tolist():
        shown = int(pool.shown[place])
        rank = -int(pool.selected[place]) / shown, -shown, str(pool.class_id[place])
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
    twice = order[1:][order[1:] == order[:-1]]
    return np.isin(sums, twice) if len(twice) else np.zeros(len(names), dtype=bool)
