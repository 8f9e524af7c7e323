"""Frozen test sets. That they never change is held by triggers; see `db/study`."""

from sqlalchemy import ForeignKeyConstraint, Integer
from sqlalchemy.orm import Mapped, mapped_column

from replicate.store.table_base import Base, text


class FrozenSet(Base):
    """The manifest of a frozen test set, as its file has it."""

    __tablename__ = "frozen_sets"
    name: Mapped[str] = text("The test set.", primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, doc="Its revision.")
    manifest: Mapped[str] = text("The whole file, JSON.")
    digest: Mapped[str] = text("The file's manifest_digest: of all that it says.")
    __table_args__ = (
        ForeignKeyConstraint(["name", "revision"], ["test_sets.name", "test_sets.revision"]),
    )
