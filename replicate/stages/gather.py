"""gather: the sets that are given, and candidates for every class from the source.

First the searches, class by class; downloads follow, in small transactions, from whatever was
found and is not here yet.
"""

from urllib.parse import urljoin

from sqlalchemy import delete, func, select

from replicate.base.errors import GuardError
from replicate.stages.common import Context, Tally, stage
from replicate.stages.erasing import erase_returned
from replicate.stages.gather_facts import gather_facts
from replicate.stages.gather_files import download_candidates, missing_files
from replicate.stages.gather_references import gather_references
from replicate.stages.gather_search import search_classes
from replicate.stages.gather_sets import gather_sets
from replicate.stages.gather_source import addresses
from replicate.store.tables import Candidate, ClassSearch, Query
from replicate.store.takedowns import mark_candidates


@stage("gather")
def gather(context: Context) -> Tally:
    """Gather what is missing: sets, searches, files."""
    tally = Tally()
    gather_sets(context, tally)
    gather_facts(context, tally)
    gather_references(context, tally)
    search_classes(context, tally)
    with context.study.session() as session:
        mark_candidates(session)
    base, local = addresses(context) if missing_files(context) else ("", False)
    download_candidates(context, tally, lambda url: urljoin(base, url), local)
    erase_returned(context.study)
    _summarise(context, tally)
    return tally


def _summarise(context: Context, tally: Tally) -> None:
    with context.study.session() as session:
        rows = session.execute(
            select(Candidate.class_id, func.count().label("n"))
            .where(Candidate.status == "ok")
            .group_by(Candidate.class_id)
        ).all()
        found = session.scalar(select(func.count()).select_from(Candidate))
    counts = {row.class_id: row.n for row in rows}
    by_class = {item.class_id: counts.get(item.class_id, 0) for item in context.study.classes}
    tally.details["candidates"] = by_class
    if not any(by_class.values()):
        if not found:
            # Searches that found nothing at all are forgotten: mended, they are made again.
            with context.study.session() as session:
                session.execute(delete(ClassSearch))
                session.execute(delete(Query))
        raise GuardError(
            "No candidate was gathered for any class: the pool is empty.",
            "Check [gather] source, the terms of the classes, date_windows and licences.",
        )
    if empty := [class_id for class_id, count in by_class.items() if not count]:
        tally.notes.append(f"No candidates at all for: {', '.join(empty)}.")
