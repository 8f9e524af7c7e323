"""What all tables of the crowd server share."""

from typing import Any

from sqlalchemy import Float, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column


class Base(DeclarativeBase):
    """All tables of a crowd server's database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text, int: Integer, float: Float}  # noqa: RUF012


def moment(doc: str, **kwargs: Any) -> Any:
    """A column that holds a moment."""
    return mapped_column(doc=f"{doc} Seconds since 1970, UTC.", **kwargs)
