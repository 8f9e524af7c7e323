"""What all tables of a study's database are made of."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column


class Base(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: DateTime(timezone=True)}  # noqa: RUF012


def text(doc: str, **kwargs: Any) -> Any:
    """A column of text that says what it holds."""
    return mapped_column(Text, doc=doc, **kwargs)
