"""gather: the searches for each class, and the candidates that they find.

Queries and candidates are stored as they come, and the class is done when a row of its own says so.
A class that a run was cut off in is searched anew by the next, from the answers that were kept:
what was asked already is not asked again.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any, cast

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.orm import Session

from replicate.base.digests import digest_value
from replicate.sources.flickr_photos import SIZES
from replicate.sources.records import Photo, QueryPage, Window
from replicate.sources.registry import Source
from replicate.sources.terms import source_terms, split_budget
from replicate.stages.common import Context, Tally
from replicate.stages.gather_source import open_study_source, origin, windows
from replicate.store.gather_tables import Candidate, ClassSearch, Query
from replicate.study import StudyClass

_BATCH = 2000

Found = tuple[Photo, QueryPage]


class TermsSearch:
    """The searches for one class: its budget split over its terms.

    Each term first gives its share; what some terms lack is then taken from the others, in
    order. Pages are only asked for when they are needed, and only once.

    Args:
        source: Where to search.
        terms: The class's search terms, at least one.
        windows: Upload times to search, in order; empty: any.
        budget: How many photos to choose.
    """

    def __init__(
        self, source: Source, terms: Sequence[str], windows: Sequence[Window], budget: int
    ) -> None:
        self._source, self._terms, self._windows = source, terms, windows
        self._budget = budget
        self._seen: set[str] = set()
        self._pages: list[tuple[QueryPage, int]] = []

    def chosen(self) -> Iterator[Found]:
        """The photos that are chosen, with the pages that showed them."""
        streams = [self._stream(term) for term in self._terms]
        left = self._budget
        for stream, share in zip(streams, split_budget(left, len(streams)), strict=True):
            for found in islice(stream, share):
                left -= 1
                yield found
        for stream in streams:
            for found in islice(stream, left):
                left -= 1
                yield found

    def take_pages(self) -> list[tuple[QueryPage, int]]:
        """The pages that were asked for since the last time, with how many photos were new."""
        taken, self._pages = self._pages, []
        return taken

    def _stream(self, term: str) -> Iterator[Found]:
        parts: Sequence[Window | None] = self._windows or [None]
        for window in parts:
            for page in self._source.search(term, window):
                new = [photo for photo in page.photos if photo.id not in self._seen]
                self._seen.update(photo.id for photo in new)
                self._pages.append((page, len(new)))
                for photo in new:
                    yield photo, page


def search_classes(context: Context, tally: Tally) -> None:
    """Search for every class that is not done."""
    study, config = context.study, context.study.pipeline.gather
    with study.session() as session:
        done = set(session.scalars(select(ClassSearch.class_id)))
    todo = [item for item in study.classes if item.class_id not in done]
    if not todo:
        return
    source, calls = open_study_source(context)
    with source:
        for place, item in enumerate(todo):
            context.progress("searching", place, len(todo))
            found = _search(context, source, item)
            calls.forget()
            if found < config.per_class:
                tally.notes.append(
                    f"Class {item.class_id}: {found} candidates found "
                    f"of {config.per_class} asked for."
                )
        tally.notes.extend(getattr(source, "notes", ()))


def _search(context: Context, source: Source, item: StudyClass) -> int:
    """Search for one class and store what is found; how many candidates that is."""
    study, config = context.study, context.study.pipeline.gather
    terms = [term.text for term in source_terms(item.class_id, item.terms, source.by_class)]
    search = TermsSearch(source, terms, windows(config), config.per_class)
    rows = FoundRows(config.source, item.class_id, config.size_url, origin(source.base))
    _forget_unfinished(context, item)
    chosen = search.chosen()
    n_stored = 0
    while batch := list(islice(chosen, _BATCH)):
        with study.session() as session:
            rows.store(session, search.take_pages(), batch, n_stored, context.run_id)
        n_stored += len(batch)
    with study.session() as session:
        rows.store(session, search.take_pages(), [], n_stored, context.run_id)
        session.add(
            ClassSearch(
                class_id=item.class_id,
                source=config.source,
                candidates=n_stored,
                run_id=context.run_id,
            )
        )
    return n_stored


def _forget_unfinished(context: Context, item: StudyClass) -> None:
    """What a run that was cut off had stored of a class; its files were not fetched yet."""
    with context.study.session() as session:
        session.execute(delete(Candidate).where(Candidate.class_id == item.class_id))
        session.execute(delete(Query).where(Query.class_id == item.class_id))


class FoundRows:
    """Makes rows of what a search for a class found.

    Args:
        source: The source's name.
        class_id: The class.
        size: The size to download, such as ``url_l``.
        base: What addresses on the source's own server begin with; they are kept relative to it,
            for a local Flickr has another port each time.
    """

    def __init__(self, source: str, class_id: str, size: str, base: str) -> None:
        self._source, self._class_id = source, class_id
        self._size, self._base = size, base

    def store(
        self,
        session: Session,
        pages: Sequence[tuple[QueryPage, int]],
        chosen: Sequence[Found],
        position: int,
        run_id: int,
    ) -> None:
        """Store pages, and the photos that were chosen from them or from pages before.

        Args:
            session: An open session.
            pages: Pages, with how many photos on each were new.
            chosen: Photos and their pages.
            position: The place of the first photo among the class's.
            run_id: The run.
        """
        if pages:
            queries = {row["query_id"]: row for row in self._queries(pages, run_id)}
            session.execute(insert(Query), list(queries.values()))
        if chosen:
            # As a table: for the sake of speed the ORM has no part in it.
            table = cast(Table, Candidate.__table__)
            session.connection().execute(insert(table), list(self._candidates(chosen, position)))

    def _queries(
        self, pages: Iterable[tuple[QueryPage, int]], run_id: int
    ) -> Iterator[dict[str, Any]]:
        for page, new in pages:
            yield {
                "query_id": self._query_id(page),
                "source": self._source,
                "class_id": self._class_id,
                "term": page.term,
                "window_start": _iso(page.window.start) if page.window else None,
                "window_end": _iso(page.window.end) if page.window else None,
                "page": page.page,
                "total": page.total,
                "fetched": page.fetched,
                "new": new,
                "run_id": run_id,
            }

    def _candidates(self, chosen: Sequence[Found], position: int) -> Iterator[dict[str, Any]]:
        for _, group in groupby(chosen, key=lambda found: id(found[1])):
            same = list(group)
            query_id = self._query_id(same[0][1])
            for photo, _page in same:
                yield {
                    "source": self._source,
                    "source_id": photo.id,
                    "class_id": self._class_id,
                    "position": position,
                    "query_id": query_id,
                    "url": self._relative(photo.url(self._size, *SIZES) or ""),
                    "page_url": photo.page_url or None,
                    "owner": photo.owner_name or photo.owner or None,
                    "owner_id": photo.owner or None,
                    "title": photo.title or None,
                    "licence": photo.licence or None,
                    "uploaded": photo.uploaded.isoformat() if photo.uploaded else None,
                    "taken": photo.taken or None,
                    "keyword": photo.keyword or None,
                    "tags": " ".join(photo.tags) or None,
                    "sizes": self._sizes(photo),
                    "status": "found",
                    "attempts": 0,
                }
                position += 1

    def _query_id(self, page: QueryPage) -> str:
        window = [page.window.start, page.window.end] if page.window else None
        return digest_value([self._source, self._class_id, page.term, window, page.page])

    def _sizes(self, photo: Photo) -> dict[str, str] | None:
        if len(photo.urls) < 2:
            return None
        base, start = self._base, len(self._base) - 1
        return {
            name: url[start:] if url.startswith(base) else url for name, url in photo.urls.items()
        }

    def _relative(self, url: str) -> str:
        return url[len(self._base) - 1 :] if url.startswith(self._base) else url


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
