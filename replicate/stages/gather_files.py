"""gather, last part: the files of the candidates that were found."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Select, func, or_, select, update

from replicate.sources.download import Download, Downloader, Limits, Outcome
from replicate.stages.common import Context, Tally
from replicate.stages.gather_sets import image_row, insert_images
from replicate.store.tables import Candidate

_BATCH = 200
_REPEATS = 3  # a file under so many ids stands in for photos that are no more


def missing_files(context: Context) -> bool:
    """Whether there is any file to download."""
    with context.study.session() as session:
        return session.execute(_todo(context).limit(1)).first() is not None


def download_candidates(
    context: Context, tally: Tally, address: Callable[[str], str], local: bool
) -> None:
    """Download what was found and is not here yet.

    Args:
        context: The stage's context.
        tally: Counts are added to it.
        address: Makes an absolute address of a stored one.
        local: Whether addresses may be files of this machine.
    """
    study = context.study
    with study.session() as session:
        rows = session.execute(_todo(context)).all()
        total = session.scalar(select(func.count()).select_from(Candidate)) or 0
    tally.skipped += total - len(rows)
    if rows:
        _fetch(context, rows, tally, address, local)
    # Asked every time: a run that was cut off after its last file had no time for it.
    _refuse_repeated(context, tally)


def _fetch(
    context: Context,
    rows: Sequence[Any],
    tally: Tally,
    address: Callable[[str], str],
    local: bool,
) -> None:
    config = context.study.pipeline.gather
    # A photo that was found for two classes is fetched once.
    by_url = [
        (url, [(row.source, row.source_id, row.class_id) for row in same])
        for url, same in groupby(sorted(rows, key=lambda row: row.url), key=lambda row: row.url)
    ]
    limits = Limits(
        connections=config.connections,
        timeout=config.timeout,
        attempts=config.attempts,
        allow_files=local,
    )
    with Downloader(limits) as downloader:
        outcomes = downloader.fetch(
            Download(str(place), address(url)) for place, (url, _) in enumerate(by_url)
        )
        for done, batch in enumerate(_batches(outcomes)):
            context.progress("downloading", min((done + 1) * _BATCH, len(by_url)), len(by_url))
            _store(context, batch, [by_url[int(outcome.key)][1] for outcome in batch], tally)


def _todo(context: Context) -> Select[str, str, str, str]:
    """Candidates whose files are to be fetched now."""
    wanted = [Candidate.status == "found"]
    if context.options.retry_failed:
        again = Candidate.status == "failed"
        if context.options.retry_reason is not None:
            again &= Candidate.reason == context.options.retry_reason
        wanted.append(again)
    return select(Candidate.source, Candidate.source_id, Candidate.class_id, Candidate.url).where(
        or_(*wanted)
    )


def _batches(outcomes: Iterator[Outcome]) -> Iterator[list[Outcome]]:
    batch: list[Outcome] = []
    for outcome in outcomes:
        batch.append(outcome)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _store(
    context: Context,
    batch: list[Outcome],
    owners: list[list[tuple[str, str, str]]],
    tally: Tally,
) -> None:
    """Files first, then the rows that point to them."""
    images, updates = [], []
    for outcome, keys in zip(batch, owners, strict=True):
        image_id = None
        if outcome.data is not None:
            image_id = context.study.images.put(outcome.data)
            images.append(image_row(image_id, outcome.size, len(outcome.data)))
            tally.done += len(keys)
        else:
            tally.failed[str(outcome.reason)] += len(keys)
        updates += [
            {
                "source": source,
                "source_id": source_id,
                "class_id": class_id,
                "status": "ok" if image_id else "failed",
                "attempts": outcome.attempts,
                "reason": outcome.reason,
                "image_id": image_id,
            }
            for source, source_id, class_id in keys
        ]
    with context.study.session() as session:
        insert_images(session, images)
        session.execute(update(Candidate), updates)


def _refuse_repeated(context: Context, tally: Tally) -> None:
    """A file that three or more photos share shows none of them."""
    with context.study.session() as session:
        repeated = session.scalars(
            select(Candidate.image_id)
            .where(Candidate.status == "ok")
            .group_by(Candidate.image_id)
            .having(func.count(Candidate.source_id.distinct()) >= _REPEATS)
        ).all()
        if not repeated:
            return
        changed = session.execute(
            update(Candidate)
            .where(Candidate.image_id.in_(repeated), Candidate.status == "ok")
            .values(status="failed", reason="repeated")
            .returning(Candidate.source_id)
        ).all()
        tally.failed["repeated"] += len(changed)
        tally.done -= len(changed)
