"""gather: the source that a pipeline file names, opened as it says."""

from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from replicate.base.errors import PipelineError
from replicate.pipeline.model import GatherConfig
from replicate.sources.records import Window
from replicate.sources.registry import FILTERS, Source, SourceSettings, open_source
from replicate.stages.common import Context
from replicate.stages.gather_calls import StoredCalls
from replicate.study import Study


def open_study_source(context: Context) -> tuple[Source, StoredCalls]:
    """The study's source, open, and the record of its calls.

    Raises:
        PipelineError: It does not know what the pipeline file filters by.
    """
    study, config = context.study, context.study.pipeline.gather
    endpoint = context.world.flickr_endpoint() if config.source == "flickr" else config.endpoint
    calls = StoredCalls(study, origin(endpoint))
    settings = replace(source_settings(study), endpoint=endpoint, ledger=calls, clock=context.clock)
    source = open_source(config.source, settings)
    if unknown := sorted(_filters(config) - source.filters):
        source.close()
        raise PipelineError(
            f"[gather] {unknown[0]} means nothing to the source {config.source!r}: it does not "
            "know that of its images.",
            f"Leave {unknown[0]} out of the pipeline file.",
        )
    return source, calls


def source_settings(study: Study) -> SourceSettings:
    """What the pipeline file says about the source."""
    root, config = study.root, study.pipeline.gather
    return SourceSettings(
        path=root / config.path if config.path else None,
        metadata=root / config.metadata if config.metadata else None,
        endpoint=config.endpoint,
        search=config.search,
        licences=config.licences,
        media=config.media,
        content=config.content,
        safe_search=config.safe_search,
        arguments=config.arguments,
        per_page=config.per_page,
        timeout=config.timeout,
        attempts=config.attempts,
        calls_per_hour=config.calls_per_hour,
    )


def _filters(config: GatherConfig) -> set[str]:
    """The keys that leave images out, as far as this pipeline file uses them."""
    return {key for key in FILTERS & config.model_fields_set if getattr(config, key)}


def addresses(context: Context) -> tuple[str, bool]:
    """What candidates' addresses are relative to, and whether they are files of this machine."""
    if context.study.pipeline.gather.source == "flickr":  # fetching files needs no key
        return context.world.flickr_endpoint(), False
    source, _ = open_study_source(context)
    with source:
        return source.base, source.local


def windows(config: GatherConfig) -> list[Window]:
    """The upload times to search, in order; empty: any."""
    return [
        Window(_midnight(window.start), _midnight(window.end) - 1) for window in config.date_windows
    ]


def origin(address: str) -> str:
    """Scheme, host and port of an address, with a slash at the end.

    >>> origin("http://127.0.0.1:8701/services/rest/")
    'http://127.0.0.1:8701/'
    """
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/"


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
