"""Workers in the store: what all votes say of them, and every worker's record."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, delete, insert, select, text
from sqlalchemy.orm import Session

from replicate.base.digests import digest_rows
from replicate.crowd.quality import WorkerRecord
from replicate.store import database
from replicate.store.tables import Estimate, WorkerEstimate

if TYPE_CHECKING:
    import pandas as pd

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

    votes = _table(
        session,
        "SELECT image_id, class_id, worker_id AS worker, value FROM usable_votes "
        "WHERE role <> 'repeat'",
    )
    crowd = judge(votes.assign(yes=votes["value"] == "yes"))
    found = Estimate(
        votes_digest=digest,
        n_votes=len(votes),
        n_images=len(crowd.model.probability),
        prevalence=crowd.model.prevalence,
        iterations=crowd.model.iterations,
        converged=crowd.model.converged,
    )
    session.add(found)
    table = crowd.workers.rename(columns={"worker": "worker_id"})
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    session.execute(insert(WorkerEstimate), rows)
    session.flush()
    return found


def worker_records(session: Session) -> list[WorkerRecord]:
    """Every worker whose work was collected, sorted by (hashed) id."""
    refresh_estimates(session)
    found = _table(session, "SELECT DISTINCT worker_id FROM assignments ORDER BY worker_id")
    for sql in _PARTS:
        found = found.merge(_table(session, sql), on="worker_id", how="left")
    found = found.merge(_times(session), on="worker_id", how="left")
    flags: dict[str, list[str]] = {}
    for worker, rule in session.execute(text("SELECT worker_id, rule FROM worker_flags")):
        flags.setdefault(worker, []).append(rule)
    return [
        _record(row, tuple(sorted(flags.get(str(row["worker_id"]), ()))))
        for row in found.to_dict("records")
    ]


def _table(session: Session, sql: str) -> "pd.DataFrame":
    import pandas as pd

    result = session.execute(text(sql))
    return pd.DataFrame(result.all(), columns=list(result.keys()))


def _times(session: Session) -> "pd.DataFrame":
    """Each worker's median seconds, a page and an image."""
    pages = _table(session, "SELECT worker_id, seconds, n_votes FROM pages")
    pages = pages.astype({"seconds": "float64", "n_votes": "float64"})
    pages["seconds_per_image"] = pages["seconds"] / pages["n_votes"]
    return pages.groupby("worker_id")[["seconds", "seconds_per_image"]].median().reset_index()


def _record(row: dict[Any, Any], flags: tuple[str, ...]) -> WorkerRecord:
    def number(name: str) -> float:
        return float("nan") if row[name] is None else float(row[name])

    def count(name: str) -> int:
        value = number(name)
        return int(value) if value == value else 0

    return WorkerRecord(
        worker=str(row["worker_id"]),
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
