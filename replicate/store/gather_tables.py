"""The tables of gathering: what was asked of a source, and what it offered."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from replicate.store.table_base import Base, text


class ApiCall(Base):
    """One call of a source's API in the last hour, or one whose class is not searched to its end.

    The rate limit is counted over these rows, so that it holds from one run to the next. An answer
    is kept until its class is done: a run that was killed is carried on without asking again.
    """

    __tablename__ = "api_calls"
    call_id: Mapped[int] = mapped_column(primary_key=True, doc="Counts up.")
    request: Mapped[str] = text("Digest of what was asked; no key is part of it.", index=True)
    at: Mapped[datetime] = mapped_column(doc="When it was asked.")
    answer: Mapped[bytes | None] = mapped_column(
        LargeBinary, doc="The answer, JSON, compressed; null: none came, or it is needed no more."
    )


class ClassSearch(Base):
    """One class whose searches are done."""

    __tablename__ = "class_searches"
    class_id: Mapped[str] = text("The class.", primary_key=True)
    source: Mapped[str] = text("Where it was searched for.")
    candidates: Mapped[int] = mapped_column(Integer, doc="How many candidates were found.")
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.run_id"), doc="The run that ended them.")


class Query(Base):
    """One page of one search: what was asked and what came back."""

    __tablename__ = "queries"
    query_id: Mapped[str] = text(
        "Digest of source, class, term, window and page.", primary_key=True
    )
    source: Mapped[str] = text("The source's name, such as flickr.")
    class_id: Mapped[str] = text("The class that was searched for.")
    term: Mapped[str] = text("The search term.")
    window_start: Mapped[str | None] = text("First upload time asked for.")
    window_end: Mapped[str | None] = text("Last upload time asked for.")
    page: Mapped[int] = mapped_column(Integer, doc="Page, from 1.")
    total: Mapped[int | None] = mapped_column(Integer, doc="How many results were claimed.")
    fetched: Mapped[int] = mapped_column(Integer, doc="Results on the page.")
    new: Mapped[int] = mapped_column(Integer, doc="Results not seen before in this class.")
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.run_id"), doc="The run that asked.")


class Candidate(Base):
    """One image proposed for one class: the candidate pool."""

    __tablename__ = "candidates"
    source: Mapped[str] = text("The source's name, such as flickr.", primary_key=True)
    source_id: Mapped[str] = text("The source's own id of the image.", primary_key=True)
    class_id: Mapped[str] = text("The class it was found for.", primary_key=True)
    position: Mapped[int] = mapped_column(Integer, doc="Its place among the class's results.")
    query_id: Mapped[str] = mapped_column(
        Text, ForeignKey("queries.query_id"), doc="The search that found it."
    )
    url: Mapped[str] = text("Where it was to be downloaded from.")
    page_url: Mapped[str | None] = text("The page that shows it.")
    owner: Mapped[str | None] = text("Whose it is: a name, or an id where none is known.")
    owner_id: Mapped[str | None] = text("The owner's id at the source.")
    title: Mapped[str | None] = text("Its title.")
    licence: Mapped[str | None] = text("Its licence, as the source numbers it.")
    uploaded: Mapped[str | None] = text("When it was uploaded.")
    taken: Mapped[str | None] = text("When it was taken.")
    tags: Mapped[str | None] = text("Its tags, separated by spaces.")
    keyword: Mapped[str | None] = text(
        "The keyword that the source says it was found by; null: the term of the search."
    )
    sizes: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True), doc="The addresses of all its sizes, by name; null: only `url`."
    )
    status: Mapped[str] = text("found, ok, failed or taken_down.")
    attempts: Mapped[int] = mapped_column(Integer, default=0, doc="Tries to download it.")
    reason: Mapped[str | None] = text("Why it failed.")
    image_id: Mapped[str | None] = mapped_column(
        Text, ForeignKey("images.image_id"), doc="The file, once it is here."
    )
    __table_args__ = (Index("candidates_by_image", "image_id", "class_id"),)
