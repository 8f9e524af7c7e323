"""What is known of the original's images beside their pixels, from a table that came with them."""

from sqlalchemy import Integer
from sqlalchemy.orm import Mapped, mapped_column

from replicate.store.table_base import Base, text


class OriginalFact(Base):
    """What `[original] metadata` says of one image of the original."""

    __tablename__ = "original_facts"
    name: Mapped[str] = text("The image's name in its set.", primary_key=True)
    keyword: Mapped[str | None] = text("The keyword that it was found by.")
    year: Mapped[int | None] = mapped_column(Integer, doc="When it was taken, or else uploaded.")
    rank: Mapped[int | None] = mapped_column(
        Integer, doc="Its place among the results of its search, from 1."
    )
