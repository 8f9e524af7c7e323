"""The reference of all keys of a pipeline file, made from the model itself."""

from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from replicate.pipeline.model import Pipeline


@dataclass(frozen=True)
class Key:
    """One key: its dotted name, type, default and meaning, all as text."""

    key: str
    type: str
    default: str
    meaning: str


def key_table() -> list[Key]:
    """Every key of a pipeline file, in the order of the tables.

    >>> [row.default for row in key_table() if row.key == "label.assignments"]
    ['10']
    """
    return _keys(Pipeline, "")


def _keys(model: type[BaseModel], prefix: str) -> list[Key]:
    rows = []
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        table, repeated = _table(field.annotation)
        if table is not None:
            rows += _keys(table, f"{key}[]." if repeated else f"{key}.")
        else:
            rows.append(Key(key, _type(field.annotation), _default(field), field.description or ""))
    return rows


def _table(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for part in get_args(annotation):
        table, _ = _table(part)
        if table is not None:
            return table, get_origin(annotation) is tuple
    return None, False


def _type(annotation: Any) -> str:
    text = getattr(annotation, "__name__", None)
    if text and not get_args(annotation):
        return str(text)
    origin = get_origin(annotation)
    inside = [part for part in get_args(annotation) if part not in (type(None), Ellipsis)]
    if origin is tuple:
        return f"list of {_type(inside[0])}"
    if origin is dict:
        return f"table of {_type(inside[1])}"
    if str(annotation).startswith("typing.Literal"):
        return " or ".join(repr(part) for part in get_args(annotation))
    if str(annotation).startswith("typing.Annotated"):
        return _type(inside[0])
    return " or ".join(_type(part) for part in inside) or str(annotation)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none, must be given"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "-"
    if isinstance(value, tuple):
        value = list(value)
    return str(value) if not isinstance(value, str) else repr(value)
