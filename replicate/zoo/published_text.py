"""Published predictions as text: JSON that is not quite JSON, tables with and without a header."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from replicate.zoo.published_columns import choose, choose_list, ids_of, is_known, is_scores
from replicate.zoo.published_values import Raw, is_number

_NUMBERS = re.compile(r"[\s\[\](),;0-9eE+\-.]*")


def from_lists(lists: Mapping[str, Any], labels: bool) -> Raw:
    """Arrays or lists side by side: one of values, and perhaps one that names the items."""
    name, item = choose_list(lists, labels)
    items = None
    if item is not None and np.ndim(lists[item]) == 1 and len(lists[item]) == len(lists[name]):
        items = tuple(str(each) for each in lists[item])
    return Raw(lists[name], items)


def from_json(text: str, labels: bool) -> Raw:
    """The values of a JSON text, or of what was meant to be one."""
    try:
        value = json.loads(text)
    except ValueError:
        value = _loose(text)
    if isinstance(value, dict):
        return _from_object(value, labels)
    if not isinstance(value, list):
        raise ValueError("not a list")
    if value and all(isinstance(row, dict) for row in value):
        header = list(dict.fromkeys(key for row in value for key in row))
        if any(isinstance(cell, list) for row in value[:1] for cell in row.values()):
            return from_lists({key: [row.get(key, []) for row in value] for key in header}, labels)
        rows = [[str(row.get(key, "")) for key in header] for row in value]
        return named(header, rows, labels)
    return Raw(value)


def _from_object(value: dict[str, Any], labels: bool) -> Raw:
    """An object: lists with names, or values of items by name."""
    rows = [row for row in value.values() if isinstance(row, dict)]
    if rows and len(rows) == len(value) and any(is_known(x) or is_scores(x) for x in rows[0]):
        named = [{"item": key, **row} for key, row in value.items()]
        return from_json(json.dumps(named), labels)
    lists = {name: x for name, x in value.items() if isinstance(x, list)}
    known = any(is_known(name) or is_scores(name) for name in lists)
    if (len(lists) < len(value) and len(lists) == 1) or known or len(lists) == 1:
        only = next(iter(lists.values()))
        if len(lists) == 1 and only and all(isinstance(row, dict) for row in only):
            return from_json(json.dumps(only), labels)
        return from_lists(lists, labels)
    return Raw(list(value.values()), tuple(str(key) for key in value))


def _loose(text: str) -> list[Any]:
    """Numbers in brackets that are not quite JSON: trailing commas, no commas, one list a line."""
    if not _NUMBERS.fullmatch(text):
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines]  # JSON lines
        except ValueError:
            # Text in single quotes, as Python prints lists.
            value: list[Any] = json.loads(re.sub(r",\s*([\]}])", r"\1", text.replace("'", '"')))
            return value
    if any(text.count(a) != text.count(b) for a, b in ("[]", "()")):
        raise ValueError("its brackets do not close: was it cut off?")
    inner = re.findall(r"\[([^\[\]]*)\]", text)
    rows = inner if len(inner) > 1 else []
    numbers = [[float(x) for x in re.split(r"[\s,;\[\]()]+", row) if x] for row in rows or [text]]
    return numbers if rows else numbers[0]


def from_table(text: str, labels: bool) -> Raw:
    """The values of a table, with or without a header, whatever separates its columns."""
    lines = [x for x in text.splitlines() if x.strip() and not x.lstrip().startswith("#")]
    if not lines:
        return Raw([])
    if all(re.fullmatch(r"\s*[\[(].*[\])],?\s*", line) for line in lines):
        return from_json("\n".join(lines), labels)
    delimiter = next((mark for mark in "\t,;" if mark in lines[0].rstrip(f"{mark} ")), "")
    if delimiter:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
        ]
        rows = [row[:-1] if len(row) > 1 and row[-1] == "" else row for row in rows]
    else:
        bare = [line.strip(" ,;\"'") for line in lines]
        cells = [line.split() for line in bare]
        # Class ids side by side, or the name of an image and its class id.
        split = all(is_number(cell) for row in cells[1:] for cell in row)
        split = split or all(len(row) == 2 and is_number(row[1]) for row in cells)
        rows = cells if split else [[line] for line in bare]
    first, rest = rows[0], rows[1:]
    is_header = any(is_known(cell) for cell in first) or (
        bool(rest)
        and not any(is_number(cell) for cell in first)
        and all(is_number(row[-1]) for row in rest)
    )
    if is_header:
        return named(first, rest, labels)
    if _has_item_names(rows):
        return Raw([row[1:] for row in rows], tuple(row[0] for row in rows))
    numbered = [row[0] for row in rows] == [str(i) for i in range(len(rows))]
    if len(first) > 1 and len(rows) > 2 and numbered:
        return Raw([row[1:] for row in rows])
    return Raw(rows)


def _has_item_names(rows: list[list[str]]) -> bool:
    """Whether the first of several columns names the items: text, no name twice."""
    names = [row[0] for row in rows]
    return (
        len(rows[0]) > 1
        and len({len(row) for row in rows}) == 1
        and not any(is_number(name) for name in names)
        and len(set(names)) == len(names)
        and (len(rows[0]) == 2 or all(is_number(cell) for row in rows for cell in row[1:]))
    )


def named(header: Sequence[str], rows: list[list[str]], labels: bool) -> Raw:
    """The values of a table with a header."""
    chosen = choose(header, labels)
    values = [[row[i] for i in chosen.columns if i < len(row)] for row in rows]
    if any(cell.strip() == "" for row in values for cell in row):
        where = next(at for at, row in enumerate(values) for cell in row if not cell.strip())
        raise ValueError(f"the value of item {where} is missing")
    if chosen.scores and not all(is_number(cell) for row in values for cell in row):
        raise ValueError(f"which of its columns? ({', '.join(header)})")
    items = None if chosen.item is None else tuple(row[chosen.item] for row in rows)
    names = ids_of([header[i] for i in chosen.columns]) if chosen.scores else None
    return Raw(values, items, names, chosen.right)
