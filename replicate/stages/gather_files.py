"""gather, last part: the files of the candidates that were found."""

from collections.abc import Callable, Iterator
from itertools import groupby, islice

from sqlalchemy import ColumnElement, Row, func, select, tuple_, update

from replicate.base.resources import usable_cores
from replicate.sources.download import Download, Downloader, Limits
from replicate.sources.keep import Keeper, Kept
from replicate.stages.common import Context, Tally
from replicate.stages.gather_sets import image_row, insert_images
from replicate.store.tables import Candidate

_BATCH = 200
_PAGE = 20_000
_MANY = 2_000  # files from which on it is worth while to start processes that decode them
_REPEATS = 3  # a file under so many ids stands in for photos that are no more
_Owners = tuple[Row[str, str, str, str], ...]
_Batch = list[Kept[_Owners]]


def missing_files(context: Context) -> bool:
    """Whether there is any file to download."""
    with context.study.session() as session:
        wanted = select(Candidate.source_id).where(_todo(context)).limit(1)
        return session.execute(wanted).first() is not None


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
    todo, rest = _todo(context), select(func.count()).select_from(Candidate)
    with context.study.session() as session:
        waiting = session.scalar(rest.where(todo)) or 0
        tally.skipped += (session.scalar(rest) or 0) - waiting
    if waiting:
        _fetch(context, waiting, tally, address, local)
    # Asked every time: a run that was cut off after its last file had no time for it.
    _refuse_repeated(context, tally)


def _fetch(
    context: Context, total: int, tally: Tally, address: Callable[[str], str], local: bool
) -> None:
    config = context.study.pipeline.gather
    limits = Limits(
        connections=config.connections,
        per_host=config.per_host,
        timeout=config.timeout,
        attempts=config.attempts,
        max_bytes=round(1e6 * config.max_megabytes),
        allow_files=local,
        honour_noai=config.honour_noai,
        longest_wait=config.longest_wait,
    )
    keeper = Keeper(context.study.images, round(1e6 * config.max_megapixels), config.smallest_side)
    done = 0
    # A photo that was found for two classes is fetched once.
    downloads = (
        Download(tuple(owners), address(url))
        for url, owners in groupby(_rows(context), key=lambda row: row.url)
    )
    with Downloader[_Owners](limits) as downloader:
        workers = usable_cores() if total >= _MANY else 1
        for batch in _batches(keeper.keep(downloader.fetch(downloads), workers)):
            _store(context, batch, tally)
            done += sum(len(item.key) for item in batch)
            context.progress("downloading", done, total)


def _todo(context: Context) -> ColumnElement[bool]:
    """Whether a candidate's file is to be fetched now."""
    wanted = Candidate.status == "found"
    if not context.options.retry_failed:
        return wanted
    again = Candidate.status == "failed"
    if context.options.retry_reason is not None:
        again &= Candidate.reason == context.options.retry_reason
    return wanted | again


def _rows(context: Context) -> Iterator[Row[str, str, str, str]]:
    """The candidates whose files are to be fetched, those of one address together.

    Read in pages, for there may be millions; each is found by where the last one ended, since
    what has been done meanwhile is not to be done any more.
    """
    columns = (Candidate.url, Candidate.source, Candidate.source_id, Candidate.class_id)
    wanted = select(*columns).where(_todo(context)).order_by(*columns).limit(_PAGE)
    page = wanted
    while True:
        with context.study.session() as session:
            rows = session.execute(page).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        page = wanted.where(tuple_(*columns) > tuple_(*rows[-1]))


def _batches(kept: Iterator[Kept[_Owners]]) -> Iterator[_Batch]:
    while batch := list(islice(kept, _BATCH)):
        yield batch


def _store(context: Context, batch: _Batch, tally: Tally) -> None:
    """The rows of files that are there already."""
    images, updates = [], []
    for item in batch:
        if item.image_id is not None:
            images.append(image_row(item.image_id, item.size, item.n_bytes))
            tally.done += len(item.key)
        else:
            tally.failed[str(item.reason)] += len(item.key)
        updates += [
            {
                "source": owner.source,
                "source_id": owner.source_id,
                "class_id": owner.class_id,
                "status": "ok" if item.image_id else "failed",
                "attempts": item.attempts,
                "reason": item.reason,
                "image_id": item.image_id,
            }
            for owner in item.key
        ]
    with context.study.session() as session:
        insert_images(session, images)
        session.execute(update(Candidate), updates)


def _refuse_repeated(context: Context, tally: Tally) -> None:
    """A file that three or more photos share shows none of them."""
    with context.study.session() as session:
        repeated = (
            select(Candidate.image_id)
            .where(Candidate.status == "ok")
            .group_by(Candidate.image_id)
            .having(func.count(Candidate.source_id.distinct()) >= _REPEATS)
        )
        changed = session.execute(
            update(Candidate)
            .where(Candidate.image_id.in_(repeated), Candidate.status == "ok")
            .values(status="failed", reason="repeated")
            .returning(Candidate.source_id),
            execution_options={"synchronize_session": False},
        ).all()
    if changed:
        tally.failed["repeated"] += len(changed)
        tally.done -= len(changed)
