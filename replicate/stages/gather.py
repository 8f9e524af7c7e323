"""gather: the sets that are given, and candidates for every class from the source.

A class's searches and the candidates they found come in one transaction: a class that has a query
is done. Downloads follow, in small transactions, from whatever was found and is not here yet.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from urllib.parse import urljoin, urlsplit

from sqlalchemy import Select, delete, func, insert, select

from replicate.base.digests import digest_value
from replicate.base.errors import GuardError, PipelineError
from replicate.pipeline.model import GatherConfig
from replicate.sources.flickr import SIZES
from replicate.sources.records import Photo, QueryPage, Window
from replicate.sources.registry import Source, SourceSettings, open_source
from replicate.sources.terms import source_terms, split_budget
from replicate.stages.common import Context, Tally, stage
from replicate.stages.erasing import erase_returned
from replicate.stages.gather_files import download_candidates, missing_files
from replicate.stages.gather_sets import gather_sets
from replicate.store.tables import Candidate, Query
from replicate.store.takedowns import mark_candidates
from replicate.study import StudyClass


@stage("gather")
def gather(context: Context) -> Tally:
    """Gather what is missing: sets, searches, files."""
    tally = Tally()
    gather_sets(context, tally)
    _search(context, tally)
    with context.study.session() as session:
        mark_candidates(session)
    base, local = _addresses(context) if missing_files(context) else ("", False)
    download_candidates(context, tally, lambda url: urljoin(base, url), local)
    erase_returned(context.study)
    _summarise(context, tally)
    return tally


class ClassSearch:
    """The searches for one class: its budget split over its terms.

    Each term first gives its share; what some terms lack is then taken from the others, in
    order. Pages are only asked for when they are needed.

    Args:
        source: Where to search.
        terms: The class's search terms, at least one.
        windows: Upload times to search, in order; empty: any.
        budget: How many photos to choose.
    """

    def __init__(
        self, source: Source, terms: Sequence[str], windows: Sequence[Window], budget: int
    ) -> None:
        self.pages: list[tuple[QueryPage, int]] = []
        self.chosen: list[tuple[Photo, QueryPage]] = []
        self._source, self._windows = source, windows
        self._seen: set[str] = set()
        streams = [self._stream(term) for term in terms]
        for stream, share in zip(streams, split_budget(budget, len(terms)), strict=True):
            self.chosen.extend(islice(stream, share))
        for stream in streams:
            self.chosen.extend(islice(stream, budget - len(self.chosen)))

    def _stream(self, term: str) -> Iterator[tuple[Photo, QueryPage]]:
        windows: Sequence[Window | None] = self._windows or [None]
        for window in windows:
            for page in self._source.search(term, window):
                new = [photo for photo in page.photos if photo.id not in self._seen]
                self._seen.update(photo.id for photo in new)
                self.pages.append((page, len(new)))
                for photo in new:
                    yield photo, page


def _search(context: Context, tally: Tally) -> None:
    study, config = context.study, context.study.pipeline.gather
    with study.session() as session:
        searched = set(session.scalars(select(Query.class_id).distinct()))
    todo = [item for item in study.classes if item.class_id not in searched]
    if not todo:
        return
    with _source(context) as source:
        for place, item in enumerate(todo):
            context.progress("searching", place, len(todo))
            terms = source_terms(item.class_id, item.terms, source.by_class)
            texts = [term.text for term in terms]
            found = ClassSearch(source, texts, _windows(config), config.per_class)
            _store(context, item, found, source.base)
            if len(found.chosen) < config.per_class:
                tally.notes.append(
                    f"Class {item.class_id}: {len(found.chosen)} candidates found "
                    f"of {config.per_class} asked for."
                )


def _source(context: Context) -> Source:
    """The study's source, open.

    Raises:
        PipelineError: It does not know what the pipeline file filters by.
    """
    config = context.study.pipeline.gather
    flickr = config.source == "flickr"
    source = open_source(
        config.source,
        SourceSettings(
            path=context.study.root / config.path if config.path else None,
            endpoint=context.world.flickr_endpoint() if flickr else config.endpoint,
            search=config.search,
            licences=config.licences,
            per_page=config.per_page,
            timeout=config.timeout,
            attempts=config.attempts,
            calls_per_hour=config.calls_per_hour,
            clock=context.clock,
        ),
    )
    for key, wanted, known in (
        ("date_windows", config.date_windows, source.dated),
        ("licences", config.licences, source.licensed),
    ):
        if wanted and not known:
            source.close()
            raise PipelineError(
                f"[gather] {key} mean nothing to the source {config.source!r}: its images have "
                "none, so none would be found.",
                f"Leave {key} out of the pipeline file.",
            )
    return source


def _addresses(context: Context) -> tuple[str, bool]:
    """What candidates' addresses are relative to, and whether they are files of this machine."""
    if context.study.pipeline.gather.source == "flickr":  # fetching files needs no key
        return context.world.flickr_endpoint(), False
    with _source(context) as source:
        return source.base, source.local


def _windows(config: GatherConfig) -> list[Window]:
    return [
        Window(_midnight(window.start), _midnight(window.end) - 1) for window in config.date_windows
    ]


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _store(context: Context, item: StudyClass, found: ClassSearch, address: str) -> None:
    config = context.study.pipeline.gather
    base = urlsplit(address)
    queries = {
        _query_id(config.source, item, page): {
            "query_id": _query_id(config.source, item, page),
            "source": config.source,
            "class_id": item.class_id,
            "term": page.term,
            "window_start": _iso(page.window.start) if page.window else None,
            "window_end": _iso(page.window.end) if page.window else None,
            "page": page.page,
            "total": page.total,
            "fetched": page.fetched,
            "new": new,
            "run_id": context.run_id,
        }
        for page, new in found.pages
    }
    candidates = [
        {
            "source": config.source,
            "source_id": photo.id,
            "class_id": item.class_id,
            "position": position,
            "query_id": _query_id(config.source, item, page),
            "url": _address(photo, config.size_url, f"{base.scheme}://{base.netloc}/"),
            "page_url": photo.page_url or None,
            "owner": photo.owner_name or photo.owner or None,
            "title": photo.title or None,
            "licence": photo.licence or None,
            "uploaded": photo.uploaded.isoformat() if photo.uploaded else None,
            "taken": photo.taken or None,
            "status": "found",
            "attempts": 0,
        }
        for position, (photo, page) in enumerate(found.chosen)
    ]
    with context.study.session() as session:
        session.execute(insert(Query), list(queries.values()))
        if candidates:
            session.execute(insert(Candidate), candidates)


def _query_id(source: str, item: StudyClass, page: QueryPage) -> str:
    window = [page.window.start, page.window.end] if page.window else None
    return digest_value([source, item.class_id, page.term, window, page.page])


def _address(photo: Photo, size: str, origin: str) -> str:
    """The address of the wanted size, else of the original, else of the largest there is.

    An address on the API's own server is kept relative to it, for a local Flickr has another
    port each time. Empty if the photo has no address at all.
    """
    url = photo.url(size, *SIZES) or ""
    return f"/{url.removeprefix(origin)}" if url.startswith(origin) and origin != ":///" else url


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _used_queries() -> Select[str]:
    return select(Candidate.query_id).distinct()


def _summarise(context: Context, tally: Tally) -> None:
    with context.study.session() as session:
        rows = session.execute(
            select(Candidate.class_id, func.count().label("n"))
            .where(Candidate.status == "ok")
            .group_by(Candidate.class_id)
        ).all()
    counts = {row.class_id: row.n for row in rows}
    by_class = {item.class_id: counts.get(item.class_id, 0) for item in context.study.classes}
    tally.details["candidates"] = by_class
    if not any(by_class.values()):
        if not rows and not tally.failed:
            # Searches that found nothing at all are forgotten: mended, they are made again.
            with context.study.session() as session:
                session.execute(delete(Query).where(Query.query_id.not_in(_used_queries())))
        raise GuardError(
            "No candidate was gathered for any class: the pool is empty.",
            "Check [gather] source, the terms of the classes, date_windows and licences.",
        )
    if empty := [class_id for class_id, count in by_class.items() if not count]:
        tally.notes.append(f"No candidates at all for: {', '.join(empty)}.")
