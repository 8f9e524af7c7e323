"""What `replicate analyze` is told beside the scores: families, kinds of shift, votes."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from replicate.analysis.further import Material
from replicate.analysis.scores import Scores
from replicate.base.errors import MissingError, UsageError
from replicate.cli.analyze_inputs import who_fits
from replicate.cli.output import say
from replicate.zoo.published_names import match


def material_of(
    given: Mapping[str, Any],
    original: Scores,
    others: Sequence[Scores],
    subgroups: Mapping[str, Any],
) -> Material:
    """The material of the further questions.

    Args:
        given: The command's options.
        original: The original's scores.
        others: The new sets'.
        subgroups: Set → each item's subgroup, read as `--groups` are.

    Raises:
        MissingError: A file is not there.
        UsageError: A file cannot be used; the hint says what it should hold.
    """
    models = sorted({model for scores in (original, *others) for model in scores.models})
    sets = [scores.name for scores in others]
    return Material(
        families=_of_models(given["families"], models, "model,family"),
        standards=_standards(given["standards"], models),
        kinds=_kinds(given["kinds"], sets),
        trained_on=_of_models(given["trained_on"], models, "model,training set"),
        tasks=given["tasks"],
        subgroups=subgroups,
        votes=_votes(given["frequencies"], [original, *others]),
    )


def _rows(path: Path, columns: str) -> list[list[str]]:
    """The rows of a small table, without its header (a first row that repeats the columns)."""
    if not path.is_file():
        raise MissingError(f"There is no file at {path}.", f"It holds {columns}, one a line.")
    text = path.read_text(encoding="utf-8-sig")
    split = "\t" if "\t" in text else ","
    rows = [
        [cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=split)
    ]
    rows = [row for row in rows if any(row) and not row[0].startswith("#")]
    width = columns.count(",") + 1
    for row in rows:
        if len(row) < min(width, 2) or not all(row[: min(width, 2)]):
            raise UsageError(f"{path} has the line {','.join(row)!r}.", f"Write {columns} a line.")
    if rows and rows[0][0].lower() == columns.partition(",")[0]:
        rows = rows[1:]
    if not rows:
        raise UsageError(f"{path} is empty.", f"Write {columns} a line.")
    return rows


def _of_models(path: Path | None, models: Sequence[str], columns: str) -> dict[str, str]:
    if path is None:
        return {}
    rows = {row[0]: row[1] for row in _rows(path, columns)}
    names = _known(models, list(rows))
    if not names:
        raise UsageError(
            f"None of the models that {path} names is known.",
            f"The models are: {', '.join(models[:12])}.",
        )
    return {names[name]: value for name, value in rows.items() if name in names}


def _known(models: Sequence[str], written: Sequence[str]) -> dict[str, str]:
    """Names as they are written → models; those that are no model are left out."""
    return {name: model for name, model in match(models, written).names.items() if model in models}


def _standards(path: Path | None, models: Sequence[str]) -> dict[str, str]:
    found = _of_models(path, models, "model,standard")
    names = _known(models, sorted({*found.values()}))
    unknown = sorted({*found.values()} - {*names})
    if unknown:
        raise UsageError(
            f"{path} names a standard model that is not known: {unknown[0]}.",
            f"The models are: {', '.join(models[:12])}.",
        )
    return {model: names[standard] for model, standard in found.items()}


def _kinds(path: Path | None, sets: Sequence[str]) -> dict[str, tuple[str, ...]]:
    if path is None:
        return {}
    found = {row[0]: tuple(row[1:]) for row in _rows(path, "set,kind")}
    unknown = [name for name in found if name not in sets]
    if unknown and len(unknown) == len(found):
        raise UsageError(
            f"{path} names the set {unknown[0]!r}, which is not there.",
            f"The new sets are: {', '.join(sets)}.",
        )
    if unknown:  # as where shifts.csv says of more sets than are compared
        say(f"{path} names sets that are not compared: {', '.join(unknown)}.")
    return {name: kinds for name, kinds in found.items() if name in sets}


def _votes(texts: Sequence[str], sets: Sequence[Scores]) -> dict[str, Any]:
    """Selected and shown of each item, for the set that a file names or that fits its length."""
    found: dict[str, Any] = {}
    names = [scores.name for scores in sets]
    for text in texts:
        name, equals, rest = text.partition("=")
        named = bool(equals) and name in names
        path = Path(rest if named else text)
        table = _counts(path)
        fit = [s.name for s in sets if s.items is not None and len(s.items) == len(table)]
        if named:
            fit = [item for item in fit if item == name]
        if len(fit) != 1:
            raise UsageError(
                f"{path} has frequencies of {len(table)} items, and "
                f"{who_fits(fit, name if named else None)}.",
                f"One row an item, in the order of the labels: --frequencies NAME={path}",
            )
        found[fit[0]] = (table[:, 0], table[:, 1])
    return found


def _counts(path: Path) -> Any:
    rows = _rows_with_header(path)
    header = [cell.lower() for cell in rows[0]]
    if not {"selected", "shown"} <= set(header):
        raise UsageError(
            f"{path} has no columns selected and shown.",
            "How many people selected each item, of how many that saw it; one row an item.",
        )
    at = [header.index("selected"), header.index("shown")]
    try:
        table = np.array([[float(row[i]) for i in at] for row in rows[1:]]).reshape(-1, 2)
    except (ValueError, IndexError) as error:
        raise UsageError(f"{path} holds something that is no count: {error}.") from error
    whole = np.isfinite(table).all() and bool((table == np.rint(table)).all())
    if not whole or (table < 0).any() or (table[:, 0] > table[:, 1]).any():
        raise UsageError(f"{path}: selected and shown are whole numbers, 0 ≤ selected ≤ shown.")
    return table.astype(np.int64)


def _rows_with_header(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise MissingError(f"There is no file of frequencies at {path}.")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if any(row)]
    if len(rows) < 2:
        raise UsageError(f"{path} holds no frequencies.", "Columns selected,shown; a row an item.")
    return rows
