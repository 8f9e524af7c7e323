"""Sources of candidates, by name: what every source can do, our own, and those of other packages.

A package brings a source by an entry point of the group ``replicate.sources``::

    [project.entry-points."replicate.sources"]
    museum = "museum_candidates:open_source"

The object is called with `SourceSettings` and gives a `Source`.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, Protocol, Self

from replicate.base.clock import Clock, SystemClock
from replicate.base.errors import MissingError, PipelineError
from replicate.sources.call_ledger import CallLedger
from replicate.sources.records import QueryPage, Window

GROUP = "replicate.sources"
FILTERS = frozenset({"date_windows", "licences", "media", "content", "safe_search", "arguments"})


class Source(Protocol):
    """Where candidates come from. Use it as a context manager: it closes its connections.

    Attributes:
        name: The source's name, as in the pipeline file.
        base: What the addresses of its files are relative to; empty: they are absolute.
        local: Whether its files lie on this machine, so that ``file:`` addresses are read.
        filters: The keys of `[gather]` that it can leave images out by, of `FILTERS`. It knows
            upload times if ``date_windows`` is one of them.
        by_class: Whether a class's id is a search term too.

    It may have ``notes`` as well, a list of texts: what a user should know once all was searched.
    """

    name: str
    base: str
    local: bool
    filters: frozenset[str]
    by_class: bool

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        """Everything that the source has for a term, page by page.

        Every photo is handed out once a search; a page without new photos ends it. The same
        source, asked the same, answers in the same order. Whoever has enough stops iterating.

        Args:
            term: What to search for.
            window: Upload times to search within; None: any.

        Raises:
            SourceError: The source cannot be used at all.
        """
        ...

    def close(self) -> None:
        """Close its connections."""
        ...

    def __enter__(self) -> Self:
        """Itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        ...


@dataclass(frozen=True)
class SourceSettings:
    """What a source is opened with.

    Attributes:
        path: ``[gather] path``, made absolute; None if there is none.
        metadata: ``[gather] metadata``, made absolute; None if there is none.
        endpoint: The address of its API.
        search: Whether tags only are searched, or titles, descriptions and tags.
        licences: Flickr licence numbers to accept; empty: any.
        media: ``photos``, or ``all``.
        content: Kinds of content to accept; empty: any.
        safe_search: The least safe images to accept.
        arguments: Further arguments of the API's search.
        per_page: Results a page.
        timeout: Seconds to wait for one answer.
        attempts: Tries of one call.
        calls_per_hour: The rate limit.
        ledger: The calls that were made, also by earlier runs; None: only this run's count.
        clock: Where the time comes from.
    """

    path: Path | None = None
    metadata: Path | None = None
    endpoint: str = ""
    search: Literal["tags", "text"] = "text"
    licences: tuple[int, ...] = ()
    media: Literal["photos", "all"] = "photos"
    content: tuple[str, ...] = ()
    safe_search: str = "safe"
    arguments: Mapping[str, str | int] = field(default_factory=dict)
    per_page: int = 500
    timeout: float = 30.0
    attempts: int = 3
    calls_per_hour: int = 3600
    ledger: CallLedger | None = None
    clock: Clock = field(default_factory=SystemClock)

    def needed_path(self, source: str) -> Path:
        """The path.

        Raises:
            PipelineError: There is none.
        """
        if self.path is None:
            raise PipelineError(
                f'[gather] source = "{source}" needs a path.', 'Add: path = "candidates"'
            )
        return self.path


Factory = Callable[[SourceSettings], Source]


def _flickr(settings: SourceSettings) -> Source:
    from replicate.sources.flickr import FlickrSource
    from replicate.sources.flickr_calls import keys_from_environment

    key, secret = keys_from_environment()
    return FlickrSource(
        settings.endpoint,
        key,
        secret,
        search_in=settings.search,
        licences=settings.licences,
        media=settings.media,
        content=settings.content,
        safe_search=settings.safe_search,
        arguments=settings.arguments,
        per_page=settings.per_page,
        timeout=settings.timeout,
        attempts=settings.attempts,
        calls_per_hour=settings.calls_per_hour,
        ledger=settings.ledger,
        clock=settings.clock,
    )


def _folder(settings: SourceSettings) -> Source:
    from replicate.sources.folder import FolderSource
    from replicate.sources.table import TableSource

    path = settings.needed_path("folder")
    if settings.metadata is None:
        return FolderSource(path, settings.per_page)
    return TableSource(
        settings.metadata, settings.search, settings.per_page, settings.licences, path
    )


def _table(settings: SourceSettings) -> Source:
    from replicate.sources.table import TableSource

    return TableSource(
        settings.needed_path("table"), settings.search, settings.per_page, settings.licences
    )


def _webdataset(settings: SourceSettings) -> Source:
    from replicate.sources.webdataset import WebDatasetSource

    return WebDatasetSource(settings.needed_path("webdataset"), settings.search, settings.per_page)


BUILT_IN: dict[str, Factory] = {
    "flickr": _flickr,
    "folder": _folder,
    "table": _table,
    "webdataset": _webdataset,
}


def asked_by_class(name: str, settings: SourceSettings) -> bool:
    """Whether a source is asked for a class's id too, before its terms.

    Of our own this is known without opening them: a plan reads no rows and needs no keys.

    Raises:
        PipelineError: There is no such source, or it needs a setting.
        UsageError: What another package's source is to read is wrong.
        MissingError: Another package's source lacks something.
    """
    if name == "folder":
        return settings.metadata is None
    if name == "table":
        from replicate.sources.table import has_classes

        return has_classes(settings.needed_path("table"))
    if name in BUILT_IN:
        return name != "flickr"
    with open_source(name, settings) as source:
        return source.by_class


def check_places(name: str, settings: SourceSettings) -> None:
    """Refuse folders and files of our own sources that are not there; nothing in them is read.

    Raises:
        PipelineError: A source of our own needs a path, and none is given.
        MissingError: Something is not there.
    """
    if name == "webdataset":
        from replicate.sources.shards import find_shards

        find_shards(settings.needed_path(name))
    places = {"folder": ("path", "metadata"), "table": ("path",)}.get(name, ())
    if places:
        settings.needed_path(name)
    for key in places:
        path: Path | None = getattr(settings, key)
        what = "folder" if (name, key) == ("folder", "path") else "table"
        if path is not None and not (path.is_dir() if what == "folder" else path.is_file()):
            raise MissingError(f"There is no {what} {path}.", f"[gather] {key} names it.")


def source_names() -> tuple[str, ...]:
    """Every name that ``[gather] source`` can have."""
    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - {*BUILT_IN}))


def open_source(name: str, settings: SourceSettings) -> Source:
    """Open a source.

    Args:
        name: Its name, as in ``[gather] source``.
        settings: What it is opened with.

    Raises:
        PipelineError: There is no such source, or it needs a setting.
        UsageError: What it is to read is wrong.
        MissingError: It lacks something: keys, a file, the package that brings it.
    """
    if name in BUILT_IN:
        return BUILT_IN[name](settings)
    for point in entry_points(group=GROUP):
        if point.name == name:
            return _loaded(point)(settings)
    names = source_names()
    near = difflib.get_close_matches(name, names, n=1)
    raise PipelineError(
        f"[gather] source = {name!r} is no source.",
        f"Did you mean {near[0]!r}?" if near else f"Known sources: {', '.join(names)}",
    )


def _loaded(point: EntryPoint) -> Factory:
    try:
        factory: Factory = point.load()
    except Exception as error:
        raise MissingError(
            f"The source {point.name!r} of the package "
            f"{point.dist.name if point.dist else point.value} cannot be loaded: {error}.",
            "Install that package again, or name another [gather] source.",
        ) from error
    return factory
