"""Workers in the store: what all votes say of them, and every worker's record."""

from dataclasses import asdict
from statistics import median
from typing import Any

from sqlalchemy import Engine, delete, insert, select, text
from sqlalchemy.orm import Session

from replicate.base.digests import digest_rows
from replicate.crowd.quality import WorkerRecord
from replicate.store import database
from replicate.store.tables import Estimate, WorkerEstimate

_PARTS = (
    "SELECT worker_id, COUNT(*) AS votes, SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) AS yes "
    "FROM usable_votes WHERE role <> 'repeat' GROUP BY worker_id",
    "SELECT * FROM worker_controls",
    "SELECT * FROM worker_repeats",
    "SELECT * FROM worker_pages",
    "SELECT worker_id, n_agreed, n_compared, sensitivity, specificity, informedness_se "
    "FROM worker_estimates",
)


def refresh_estimates(session: Session) -> Estimate | None:
    """Estimate every worker's rates anew, unless they stem from the votes that are there.

    A page's votes follow from its answer and never change; so the digest is of the pages that
    count, with how many votes and yeses each has.

    Returns:
        What the estimates are made from; None if there are no votes.
    """
    digest = _pages_digest(session)
    known = session.scalars(select(Estimate)).first()
    if (known.votes_digest if known else None) == digest:
        return known
    session.execute(delete(Estimate))
    session.execute(delete(WorkerEstimate))
    return _estimate(session, digest) if digest else None


def update_estimates(engine: Engine) -> None:
    """Make stale estimates anew, whoever else writes meanwhile; fresh ones are left alone."""
    with database.session(engine) as session:
        if estimates_are_fresh(session):
            return
    with database.session(engine) as session:
        # Writing first waits for another process's transaction; on SQLite one that has read
        # something could not wait, for what it read may be out of date.
        session.execute(delete(Estimate))
        refresh_estimates(session)


def estimates_are_fresh(session: Session) -> bool:
    """Whether the estimates, or that there are none, stem from the votes that are there."""
    return session.scalar(select(Estimate.votes_digest)) == _pages_digest(session)


def _pages_digest(session: Session) -> str | None:
    rows = session.execute(
        text(
            "SELECT assignment_id, COUNT(*), SUM(CASE WHEN value = 'yes' THEN 1 ELSE 0 END) "
            "FROM usable_votes WHERE role <> 'repeat' GROUP BY assignment_id"
        )
    ).all()
    if not rows:
        return None
    return digest_rows([page, int(votes), int(yes)] for page, votes, yes in rows)


def _estimate(session: Session, digest: str) -> Estimate:
    # Imported late: most commands that open a study need no estimates.
    from replicate.crowd.quality import judge

    votes = session.execute(
        text("SELECT image_id, class_id, worker_id, value FROM usable_votes WHERE role <> 'repeat'")
    ).all()
    crowd = judge(
        [(image, class_id) for image, class_id, _, _ in votes],
        [worker for _, _, worker, _ in votes],
        [value == "yes" for _, _, _, value in votes],
    )
    found = Estimate(
        votes_digest=digest,
        n_votes=len(votes),
        n_images=len(crowd.model.probability),
        prevalence=crowd.model.prevalence,
        iterations=crowd.model.iterations,
        converged=crowd.model.converged,
    )
    session.add(found)
    rows = []
    for rates in crowd.workers:
        row = asdict(rates)
        rows.append({"worker_id": row.pop("worker"), **row})
    session.execute(insert(WorkerEstimate), rows)
    session.flush()
    return found


def worker_records(session: Session) -> list[WorkerRecord]:
    """Every worker whose work was collected, sorted by (hashed) id."""
    refresh_estimates(session)
    names = session.scalars(text("SELECT DISTINCT worker_id FROM assignments ORDER BY worker_id"))
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for sql in _PARTS:
        for row in session.execute(text(sql)).mappings():
            found[row["worker_id"]].update(row)
    for worker, seconds in _times(session).items():
        found[worker].update(seconds)
    flags: dict[str, list[str]] = {}
    for worker, rule in session.execute(text("SELECT worker_id, rule FROM worker_flags")):
        flags.setdefault(worker, []).append(rule)
    return [
        _record(worker, row, tuple(sorted(flags.get(worker, ())))) for worker, row in found.items()
    ]


def _times(session: Session) -> dict[str, dict[str, float]]:
    """Each worker's median seconds, a page and an image; nobody whose times are not known."""
    times: dict[str, list[tuple[float, float]]] = {}
    rows = session.execute(text("SELECT worker_id, seconds, n_votes FROM pages"))
    for worker, seconds, votes in rows:
        if seconds is not None:
            times.setdefault(worker, []).append((float(seconds), float(seconds) / votes))
    return {
        worker: {
            "seconds": median(page for page, _ in both),
            "seconds_per_image": median(image for _, image in both),
        }
        for worker, both in times.items()
    }


def _record(worker: str, row: dict[str, Any], flags: tuple[str, ...]) -> WorkerRecord:
    def number(name: str) -> float:
        return float("nan") if row.get(name) is None else float(row[name])

    def count(name: str) -> int:
        value = number(name)
        return int(value) if value == value else 0

    return WorkerRecord(
        worker=worker,
        votes=count("votes"),
        yes=count("yes"),
        positive=count("n_positive"),
        positive_right=count("positive_right"),
        negative=count("n_negative"),
        negative_right=count("negative_right"),
        repeats=count("n_repeats"),
        consistent=count("n_consistent"),
        pages=count("n_pages"),
        all_or_none=count("n_all_or_none"),
        seconds_per_page=number("seconds"),
        seconds_per_image=number("seconds_per_image"),
        compared=count("n_compared"),
        agreed=count("n_agreed"),
        sensitivity=number("sensitivity"),
        specificity=number("specificity"),
        informedness_se=number("informedness_se"),
        flags=flags,
    )
