"""What the store knows of how a set came about, for its exports' cards and datasheets."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from replicate.analysis.votes import intraclass_correlation
from replicate.base.errors import PipelineError
from replicate.pipeline import Pipeline, parse_pipeline
from replicate.reporting.export_data import Annotation, ExportImage, Gathering
from replicate.reporting.export_words import several
from replicate.sources.licences import licence
from replicate.stages.freezing import drawn_from
from replicate.stages.ledger import sums
from replicate.store import reviews
from replicate.store.queries import frequencies, pool
from replicate.store.rules import outcome
from replicate.store.tables import Assignment, Batch, Hit, Run, TestSet
from replicate.store.workers import worker_records
from replicate.study import Study


def annotation(
    session: Session, study: Study, row: TestSet, images: Sequence[ExportImage]
) -> Annotation | None:
    """How the votes came about; None if there are none.

    Args:
        session: An open session.
        study: The study.
        row: The set.
        images: The images that are published.
    """
    submissions, first, last = session.execute(
        select(
            func.count(), func.min(Assignment.submitted_at), func.max(Assignment.submitted_at)
        ).select_from(Assignment)
    ).one()
    if not submissions:
        return None
    label = recorded_pipeline(study, row).label
    rules = outcome(session)
    kept = pool(session)
    votes = {(row.image_id, row.class_id): row for row in frequencies(session)}
    judged = [votes[key] for m in kept if (key := (m.image_id, m.class_id)) in votes]
    icc = intraclass_correlation([f.selected for f in judged], [f.shown for f in judged])
    records = worker_records(session)
    controls = sum(record.controls for record in records)
    paid = sums(session)
    on_page = label.candidates + label.positive + label.negative + label.originals + label.repeats
    pages = session.scalar(select(func.count()).select_from(Hit).where(Hit.hit_id.is_not(None)))
    return Annotation(
        platforms=_platforms(session),
        simulated=bool(session.scalar(select(Assignment.simulated).where(Assignment.simulated))),
        question=label.question.rstrip("?"),
        instructions=label.instructions,
        photographs_only=label.photographs_only,
        consent=label.consent,
        language=label.language,
        reward=f"{label.reward:.2f}",
        hourly=f"{label.reward * 3600 / Decimal(str(label.seconds_per_image * on_page)):.2f}",
        paid=f"{paid.paid:,.2f}" if paid.assignments else "",
        assignments_wanted=label.assignments,
        images_per_page=on_page,
        controls_per_page=label.positive + label.negative,
        pages=pages or 0,
        assignments=submissions,
        workers=rules.workers,
        workers_left_out=rules.flagged,
        votes=rules.votes - rules.votes_left_out,
        votes_left_out=rules.votes_left_out,
        rules={rule.rule: rule.value for rule in rules.rules},
        control_accuracy=sum(record.right for record in records) / controls if controls else None,
        icc=_number(icc),
        agreement=agreement(images),
        first=day(first),
        last=day(last),
    )


def recorded_pipeline(study: Study, row: TestSet) -> Pipeline:
    """The pipeline file as it was when a set was drawn; the present one if that is not known."""
    text = (row.drawn_from or {}).get("pipeline")
    try:
        return parse_pipeline(text).pipeline if text else study.pipeline
    except PipelineError:  # written for another version
        return study.pipeline


def agreement(images: Sequence[ExportImage]) -> float | None:
    """The share of pairs of votes on the same image that agree; None without pairs."""
    pairs = alike = 0
    for image in images:
        n, k = image.shown or 0, image.selected or 0
        pairs += n * (n - 1)
        alike += k * (k - 1) + (n - k) * (n - k - 1)
    return alike / pairs if pairs else None


def gathering(session: Session, study: Study, row: TestSet) -> Gathering:
    """Where a set's candidates came from: as it was written down when the set was drawn.

    Args:
        session: An open session.
        study: The study.
        row: The set; for one that was drawn by a version that wrote nothing down, the store is
            asked.
    """
    pipeline = recorded_pipeline(study, row)
    config, dedup = pipeline.gather, pipeline.dedup
    drawn: dict[str, Any] = row.drawn_from or drawn_from(session, study, row.created_at)
    found, near = drawn["candidates"], drawn["near_duplicates"]
    first, last = session.execute(
        select(func.min(Run.started_at), func.max(Run.ended_at)).where(
            Run.stage == "gather", Run.done > 0
        )
    ).one()
    how = f"by {dedup.bits}-bit {dedup.hash} within {dedup.radius} bits"
    if dedup.confirm == "pixels":
        how += ", confirmed by pixels,"
    where = {"test": "the original", "train": "its train set"}
    how += f" among {' and '.join(where.get(name, name) for name in dedup.references)}"
    how += " and among the candidates themselves" if dedup.within else ""
    search = "" if config.source != "flickr" else f"search in {config.search}"
    return Gathering(
        source=config.source,
        simulated=config.source == "flickr" and pipeline.sandbox is not None,
        search=search,
        windows=tuple(f"from {w.start} to before {w.end}" for w in config.date_windows),
        licences=tuple(licence("flickr", str(number)).name for number in config.licences),
        first=day(first),
        last=day(last),
        found=found["found"],
        failed=found["failed"],
        files=found["files"],
        looked_at=near["looked_at"],
        dropped=near["dropped"],
        dedup=how,
        pool=drawn["pool"]["images"],
    )


def reviewed(session: Session, images: Sequence[ExportImage]) -> str:
    """How many of the images were looked at by reviewers, and what they said, in a sentence."""
    histories = reviews.item_histories(session)
    mine = [histories.get((image.image_id, image.class_id)) for image in images]
    verdicts = [history.verdicts for history in mine if history and history.verdicts]
    if not verdicts:
        return "Nobody has reviewed the set's images, beyond the votes."
    people = {name for history in mine if history for name in history.latest}
    doubted = sum(any(verdict != reviews.OK for verdict in each) for each in verdicts)
    return (
        f"{several(len(people), 'reviewer')} looked at {len(verdicts)} of the "
        f"{several(len(images), 'image')}; about {doubted} of them somebody had a doubt."
    )


def day(moment: datetime | str | None) -> str:
    """The day of a moment, as 2026-01-31; empty for none."""
    return "" if moment is None else str(moment)[:10]


def _platforms(session: Session) -> tuple[str, ...]:
    """Where people worked; a server's address is nobody's business."""
    rows = session.scalars(select(Batch).order_by(Batch.batch_id)).all()
    return tuple(dict.fromkeys(f"{row.provider}: {row.mode.rsplit(': ', 1)[-1]}" for row in rows))


def _number(value: float) -> float | None:
    return None if value != value else float(value)
