"""Which class a label of an existing set means: checked, never assumed.

A label is the name of a class folder, a cell of a table, or a name that a data set gives. It means
a class by the class's id, by its name, or by a class map. Numbers that are no class ids need a
class map: sorted as text, ``10`` comes before ``2``, and reading such folders by their order is the
most reported fault in this field (accuracies near zero).
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from replicate.base.errors import MissingError, UsageError

POSITIONS = "positions"
_SHOWN = 6


class ClassNames:
    """What the labels of a set mean.

    Args:
        classes: Id and name of each class of the study, in its order.
        class_map: What labels mean, by label; None: they are ids or names.
        place: The set, for messages.
    """

    def __init__(
        self,
        classes: Sequence[tuple[str, str]],
        class_map: Mapping[str, str] | None,
        place: str,
    ) -> None:
        self._ids = {class_id for class_id, _ in classes}
        names = [name for _, name in classes]
        self._names = {name: id_ for id_, name in classes if names.count(name) == 1}
        self._map = class_map
        self._place = place
        self._order = [class_id for class_id, _ in classes]

    def class_of(self, label: str) -> str | None:
        """The id of the study's class that a label means; None if it is none of them."""
        if self._map is not None:
            found = self._map.get(label)
            if found is None and _is_number(label):
                found = self._map.get(str(int(label)))
            return found if found in self._ids else None
        return label if label in self._ids else self._names.get(label)

    def check(self, labels: Iterable[str]) -> list[str]:
        """Refuse labels that are not what they seem.

        Args:
            labels: All labels of the set, in its order.

        Returns:
            Sentences on what is left out.

        Raises:
            UsageError: Labels are numbers that mean nothing, or nearly a class; two labels mean
                one class; or a class has no label.
        """
        found = list(dict.fromkeys(labels))
        self._refuse_numbers(found)
        if self._map is not None:
            self._refuse_unmapped(found)
        self._refuse_doubles(found)
        unknown = [label for label in found if self.class_of(label) is None]
        self._refuse_near(unknown)
        taken = {self.class_of(label) for label in found}
        missing = [class_id for class_id in self._order if class_id not in taken]
        if missing:
            near = _near(missing[0], unknown)
            raise UsageError(
                f"{self._place} has no images of {len(missing)} of {len(self._order)} classes: "
                f"{_some(missing)}."
                + (f" The nearest to {missing[0]!r} is {near!r}." if near else ""),
                "Its folders or labels must be the ids or names in [[class]], or [original] "
                "class_map must say which classes they are.",
            )
        if not unknown:
            return []
        return [
            f"{self._place}: {len(unknown)} of its {len(found)} classes are none of the study's "
            f"and are left out: {_some(unknown)}."
        ]

    def _refuse_numbers(self, labels: list[str]) -> None:
        numbers = [label for label in labels if _is_number(label)]
        if self._map is not None or not numbers or set(numbers) <= self._ids:
            return
        if len(numbers) < len(labels):
            return  # some names: what is no class is left out, or missed, under its own name
        wrong = ", ".join(sorted(numbers)[:5])
        example = ", ".join(f'"{class_id}"' for class_id in self._order[:2])
        raise UsageError(
            f"The classes of {self._place} are numbers ({_some(sorted(numbers, key=int))}), and "
            f"numbers are no class ids. They are not taken in any order: as text they would come "
            f"as {wrong}, …, and every class from the third on could be wrong.",
            'Say what they mean, in [original]: class_map = "positions" if number n is the n-th '
            f"class of this study, from 0; or class_map = [{example}, …] or a file with one class "
            "id a line, the first of which is 0.",
        )

    def _refuse_unmapped(self, labels: list[str]) -> None:
        given = self._map or {}
        lost = [
            label
            for label in labels
            if label not in given and not (_is_number(label) and str(int(label)) in given)
        ]
        if lost:
            near = _near(lost[0], list(given))
            raise UsageError(
                f"[original] class_map does not say what {len(lost)} of the {len(labels)} classes "
                f"of {self._place} are: {_some(lost)}."
                + (f" The nearest to {lost[0]!r} is {near!r}." if near else ""),
                "Complete it: a list has one class id for each number, from 0.",
            )
        if not set(given.values()) & self._ids:
            some = _some(list(given.values()))
            raise UsageError(
                f"[original] class_map names no class of the study: {some}.",
                f"The study's class ids are {_some(self._order)}.",
            )

    def _refuse_doubles(self, labels: list[str]) -> None:
        first: dict[str, str] = {}
        for label in labels:
            class_id = self.class_of(label)
            if class_id is None:
                continue
            if class_id in first:
                raise UsageError(
                    f"{first[class_id]!r} and {label!r} of {self._place} both mean the class "
                    f"{class_id!r}.",
                    "Rename one of them, or tell them apart in [original] class_map.",
                )
            first[class_id] = label

    def _refuse_near(self, unknown: list[str]) -> None:
        known = {_bare(name): name for name in (*self._names, *self._order)}
        for label in unknown:
            if self._map is None and (meant := known.get(_bare(label))) is not None:
                raise UsageError(
                    f"{label!r} of {self._place} is no class of the study, but {meant!r} is: they "
                    "differ in case, spaces or signs only.",
                    f"Rename it to {meant!r}, or say in [original]: class_map = "
                    f'{{ "{label}" = "{self._names.get(meant, meant)}", … }}',
                )


def read_class_map(
    value: str | Sequence[str] | Mapping[str, str] | None, root: Path, order: Sequence[str]
) -> dict[str, str] | None:
    """The class map that `[original] class_map` gives, by label.

    Args:
        value: ``positions``; a list of class ids; a table of label and class id; the name of a
            file: one class id a line, or JSON: a list, or an object of label and class id (or a
            list that begins with the class id, as ``imagenet_class_index.json`` has it).
        root: The study's folder.
        order: The study's class ids.

    Raises:
        MissingError: There is no such file.
        UsageError: It is no class map, or names a class twice.
    """
    if value is None:
        return None
    if value == POSITIONS:
        pairs = [(str(n), class_id) for n, class_id in enumerate(order)]
    elif isinstance(value, str):
        pairs = _read(root / value)
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        pairs = [(str(n), class_id) for n, class_id in enumerate(value)]
    ids = [class_id for _, class_id in pairs]
    if twice := sorted({class_id for class_id in ids if ids.count(class_id) > 1}):
        raise UsageError(f"[original] class_map names a class twice: {_some(twice)}.")
    return dict(pairs)


def _read(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MissingError(
            f"There is no file {path} for [original] class_map.",
            'It is "positions", a list, a table, or a file with one class id a line.',
        ) from error
    except ValueError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error}.") from error
    if path.suffix != ".json":
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return [(str(n), line) for n, line in enumerate(lines)]
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}.") from error
    items = value.items() if isinstance(value, dict) else enumerate(value)
    pairs = [(str(k), v[0] if isinstance(v, list) and v else v) for k, v in items]
    if not all(isinstance(class_id, str) for _, class_id in pairs):
        raise UsageError(
            f"{path} is no class map.", "Give a list of class ids, or an object of label and id."
        )
    return pairs


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit()


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _near(word: str, words: Sequence[str]) -> str | None:
    found = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return found[0] if found else None


def _some(words: Sequence[str]) -> str:
    shown = ", ".join(words[:_SHOWN])
    return shown if len(words) <= _SHOWN else f"{shown}, …"
