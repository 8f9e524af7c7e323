"""What a model's outputs mean on a set: the same classes, some of them, or many outputs for one."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.digests import digest_value
from replicate.base.errors import ItemError, MissingError, UsageError


@dataclass(frozen=True)
class OutputMap:
    """Which class each output votes for.

    Attributes:
        classes: The classes that compete, in order; predictions are places in this list.
        of_output: For each output its place in ``classes``, or −1: it does not compete.
        name: What the map is, for the predictions' key: equal maps have equal names.
    """

    classes: tuple[str, ...]
    of_output: npt.NDArray[np.int64]
    name: str

    @property
    def plain(self) -> bool:
        """Whether every output competes for a class of its own, in order."""
        return np.array_equal(self.of_output, np.arange(len(self.classes)))

    def labels(self, class_ids: Sequence[str]) -> npt.NDArray[np.int32]:
        """Each image's class as a place in ``classes``; −1 for one that no output means."""
        place = {name: at for at, name in enumerate(self.classes)}
        return np.array([place.get(name, -1) for name in class_ids], np.int32)

    def scores(self, logits: Any) -> Any:
        """Scores of the classes that compete: of several outputs for one class the highest.

        Args:
            logits: A tensor of shape (n, outputs).

        Returns:
            A tensor of shape (n, classes).
        """
        if self.plain:
            return logits
        import torch

        at = torch.from_numpy(self.of_output).to(logits.device)
        kept = at >= 0
        best = logits.new_full((len(logits), len(self.classes)), float("-inf"))
        index = at[kept].expand(len(logits), -1)
        return best.scatter_reduce(1, index, logits[:, kept], "amax")


def output_map(
    outputs: Sequence[str] | None,
    n_outputs: int,
    set_classes: Sequence[str] | None,
    given: Mapping[str, str] | None = None,
    restrict: bool = False,
    other_names: Mapping[str, str] | None = None,
) -> OutputMap:
    """The map of a model's outputs on a set.

    Args:
        outputs: The class id of each output; None where they are not known.
        n_outputs: How many outputs.
        set_classes: The set's classes; None where they are not known.
        given: Output's class id (or its number) → class of the set, many to one if need be.
        restrict: Only outputs that mean a class of the set compete, as for a set with some of the
            model's classes.
        other_names: What else the set's classes are called, in small letters → the class. An
            output that is known by such a name means that class, if no other output does.

    Raises:
        ItemError: With reason ``class_map``: no output means a class of the set.

    >>> found = output_map(["cat", "dog", "owl"], 3, ["owl", "cat"], restrict=True)
    >>> found.classes, found.of_output.tolist()
    (('cat', 'owl'), [0, -1, 1])
    """
    names = [str(i) for i in range(n_outputs)] if outputs is None else list(outputs)
    own = "own"
    if other_names and outputs is not None and not given:
        names = _renamed(names, set(set_classes or ()), other_names)
        own = "own" if names == list(outputs) else f"names:{digest_value(names)[:12]}"
    if given:
        names = [given.get(name, given.get(str(i), "")) for i, name in enumerate(names)]
        restrict = True
    if set_classes is None:
        if given:
            set_classes = sorted(set(names) - {""})
        else:
            return OutputMap(tuple(names), np.arange(n_outputs), own)
    wanted = set(set_classes)
    lacking = sorted(wanted - set(names))
    if lacking:
        some = ", ".join(lacking[:5]) + (", …" if len(lacking) > 5 else "")
        why = "its outputs are not known by name" if outputs is None else "no output means them"
        raise ItemError(
            "class_map",
            f"{len(lacking)} of the set's {len(wanted)} classes have no output ({some}): {why}; "
            "give a class map",
        )
    if not restrict:
        return OutputMap(tuple(names), np.arange(n_outputs), own)
    classes = tuple(dict.fromkeys(name for name in names if name in wanted))
    place = {name: at for at, name in enumerate(classes)}
    of_output = np.array([place.get(name, -1) for name in names], np.int64)
    return OutputMap(classes, of_output, f"map:{_digest(classes, of_output)}")


def _renamed(labels: list[str], wanted: set[str], other_names: Mapping[str, str]) -> list[str]:
    """Outputs by class where their label is another name of one, and of one output alone."""
    meant: list[str] = []
    for label in labels:
        # Labels such as "goldfish, Carassius auratus" hold several names.
        parts = (part.strip().lower() for part in (label, *label.split(",")))
        found = {other_names[part] for part in parts if part in other_names}
        meant.append(found.pop() if label not in wanted and len(found) == 1 else label)
    counts = Counter(meant)
    return [name if counts[name] == 1 else label for name, label in zip(meant, labels, strict=True)]


def _digest(classes: Sequence[str], of_output: npt.NDArray[np.int64]) -> str:
    return digest_value([list(classes), of_output.tolist()])[:12]


def read_class_map(path: Path) -> dict[str, str]:
    """A class map from a file: ``output,class`` a line, output by class id, name or number.

    Raises:
        MissingError: There is no such file.
        UsageError: A line does not say both, or an output is named twice.
    """
    if not path.is_file():
        raise MissingError(f"There is no class map at {path}.", "Write output,class a line.")
    found: dict[str, str] = {}
    for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not found and [cell.lower() for cell in cells[:2]] == ["output", "class"]:
            continue
        if len(cells) < 2 or not cells[0] or not cells[1]:
            raise UsageError(
                f"{path} has the line {','.join(row)!r}.", "Write output,class a line."
            )
        if cells[0] in found:
            raise UsageError(f"{path} names the output {cells[0]!r} twice.")
        found[cells[0]] = cells[1]
    if not found:
        raise UsageError(f"{path} is empty.", "Write output,class a line.")
    return found


def sorted_as_text(labels: npt.NDArray[Any], predicted: npt.NDArray[Any], n_classes: int) -> float:
    """The accuracy if numeric class folders 0 … n − 1 had been sorted as text (0, 1, 10, 100 …).

    The most reported fault in this field: a label is a place in that sorted list.

    Args:
        labels: Labels as places, shape (n,).
        predicted: Predicted classes as numbers, shape (n,).
        n_classes: How many classes there are.

    >>> sorted_as_text(np.array([2]), np.array([10]), 12)
    1.0
    """
    order = np.array(sorted(range(n_classes), key=str))
    inside = (labels >= 0) & (labels < n_classes)
    if not inside.any():
        return 0.0
    return float((order[labels[inside]] == predicted[inside]).mean())
