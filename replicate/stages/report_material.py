"""What the store knows of candidates, votes and runs, as the report shows it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from scipy import special
from sqlalchemy import column, func, select, table
from sqlalchemy.orm import Session

from replicate.analysis.intervals import Interval
from replicate.analysis.votes import HeldoutDifference, intraclass_correlation
from replicate.base.randomness import uniform
from replicate.reporting.data import (
    FunnelStep,
    SampleImage,
    Samples,
    Strip,
)
from replicate.reporting.labelling import Labelling, RuleRow, WorkerRow
from replicate.reporting.provenance import BatchRow, RunRow
from replicate.stages.batches import batch_states
from replicate.store.queries import Frequency, Member, gathered, pool
from replicate.store.rules import outcome
from replicate.store.safety import held
from replicate.store.tables import (
    Assignment,
    Candidate,
    DedupDecision,
    Hit,
    PreparedImage,
    Run,
    TestSet,
)
from replicate.store.takedowns import taken_down
from replicate.store.workers import worker_records
from replicate.study import Study

Votes = Mapping[Member, Frequency]
_CONTROLS = table(
    "worker_controls",
    *(column(name) for name in ("n_positive", "n_negative", "positive_right", "negative_right")),
)


def funnel(
    session: Session, study: Study, votes: Votes, drawn: Iterable[Sequence[Member]]
) -> tuple[FunnelStep, ...]:
    """What became of the candidates, step by step; empty if none were gathered.

    Args:
        session: An open session.
        study: The study.
        votes: The votes that count, by (image, class).
        drawn: The members of each new set.
    """
    rows = session.execute(
        select(Candidate.status, Candidate.reason, func.count()).group_by(
            Candidate.status, Candidate.reason
        )
    ).all()
    found = sum(count for _, _, count in rows)
    if found == 0:
        return ()
    failed = Counter[str]()
    for status, reason, count in rows:
        if status != "ok":
            failed[reason or ("failed" if status == "failed" else "not_tried")] += count
    downloaded = found - failed.total()
    files = gathered(session)
    prepared, unprepared = _prepared(session, study, files)
    kept, dropped = _kept(session, prepared)
    least = min(block.min_votes for block in study.pipeline.sample)
    labelled = {m for m in kept if m in votes and votes[m].shown >= least}
    used = labelled & {member for members in drawn for member in members}
    return (
        FunnelStep("found by search", found),
        FunnelStep("downloaded", downloaded, _by_reason(failed)),
        FunnelStep("different files", len(files), _some("same_file", downloaded - len(files))),
        FunnelStep("prepared", len(prepared), _by_reason(unprepared)),
        FunnelStep("not near-duplicates", len(kept), _by_reason(dropped)),
        FunnelStep(
            f"at least {least} votes",
            len(labelled),
            _some("too_few_votes", len(kept) - len(labelled)),
        ),
        FunnelStep("in a new set", len(used), _some("not_drawn", len(labelled) - len(used))),
    )


def _by_reason(counts: Counter[str]) -> dict[str, int]:
    """Counts in the order of their reasons: a database may give them in another each time."""
    return dict(sorted(counts.items()))


def _some(reason: str, count: int) -> dict[str, int]:
    return {reason: count} if count else {}


def _prepared(
    session: Session, study: Study, files: Sequence[Member]
) -> tuple[list[Member], Counter[str]]:
    rows = session.execute(
        select(PreparedImage.image_id, PreparedImage.status, PreparedImage.reason).where(
            PreparedImage.steps == study.steps
        )
    ).all()
    state = {row.image_id: row.status if row.status == "ok" else row.reason for row in rows}
    lost = Counter(
        state.get(member.image_id) or "not_prepared"
        for member in files
        if state.get(member.image_id) != "ok"
    )
    return [member for member in files if state.get(member.image_id) == "ok"], lost


def _kept(session: Session, prepared: Sequence[Member]) -> tuple[list[Member], Counter[str]]:
    rows = session.execute(
        select(DedupDecision.image_id, DedupDecision.class_id, DedupDecision.reason)
    ).all()
    reasons = {Member(row.image_id, row.class_id): row.reason for row in rows}
    stays = set(pool(session))
    for name, hidden in (("reported_unsafe", held(session)), ("taken_down", taken_down(session))):
        reasons |= {member: name for member in prepared if member.image_id in hidden}
    lost = Counter(
        reasons.get(member) or "not_compared" for member in prepared if member not in stays
    )
    return [member for member in prepared if member in stays], lost


def labelling(session: Session, votes: Votes) -> Labelling | None:
    """How the votes came about; None if there are none.

    Args:
        session: An open session.
        votes: The votes that count, by (image, class).
    """
    assignments, workers = session.execute(
        select(func.count(), func.count(Assignment.worker_id.distinct()))
    ).one()
    if not assignments:
        return None
    unreadable = session.scalar(
        select(func.count()).select_from(Assignment).where(Assignment.reason.is_not(None))
    )
    hits = session.scalar(select(func.count()).select_from(Hit).where(Hit.hit_id.is_not(None)))
    controls, right = session.execute(
        select(
            func.sum(_CONTROLS.c.n_positive + _CONTROLS.c.n_negative),
            func.sum(_CONTROLS.c.positive_right + _CONTROLS.c.negative_right),
        )
    ).one()
    paid = session.execute(
        select(Hit.reward, func.count())
        .join(Assignment, Assignment.hit_key == Hit.hit_key)
        .where(Assignment.status != "Rejected")
        .group_by(Hit.reward)
    ).all()
    rules = outcome(session)
    in_pool = [votes[member] for member in pool(session) if member in votes]
    return Labelling(
        hits=hits or 0,
        assignments=assignments,
        unreadable=unreadable or 0,
        workers=workers,
        flagged=rules.flagged,
        votes=sum(row.shown for row in votes.values()),
        control_accuracy=float(right) / float(controls) if controls else None,
        icc=intraclass_correlation([f.selected for f in in_pool], [f.shown for f in in_pool]),
        cost=f"${sum((Decimal(reward) * count for reward, count in paid), Decimal(0)):,.2f}",
        records=_worker_rows(session),
        rules=tuple(
            RuleRow(item.rule, item.value, item.judged, item.flagged) for item in rules.rules
        ),
        left_out=rules.votes_left_out,
    )


def _worker_rows(session: Session) -> tuple[WorkerRow, ...]:
    """Every worker, the least informed first."""
    records = sorted(
        worker_records(session),
        key=lambda record: (math.isnan(record.informedness), record.informedness, record.worker),
    )
    return tuple(
        WorkerRow(
            worker=record.worker,
            votes=record.votes,
            controls=record.controls,
            right=record.right,
            accuracy=record.accuracy_interval,
            repeats=record.repeats,
            consistent=record.consistent,
            pages=record.pages,
            all_or_none=record.all_or_none,
            seconds_per_page=record.seconds_per_page,
            seconds_per_image=record.seconds_per_image,
            agreement=record.agreement,
            sensitivity=record.sensitivity,
            specificity=record.specificity,
            informedness_se=record.informedness_se,
            flags=record.flags,
        )
        for record in records
    )


def any_simulated(session: Session) -> bool:
    """Whether a simulated worker sent any of the assignments."""
    return session.scalar(select(Assignment.simulated).where(Assignment.simulated).limit(1)) is True


def heldout(row: TestSet | None, level: float) -> HeldoutDifference | None:
    """A test set's match on held-out votes, as the sampling found it; None if it kept none.

    Args:
        row: The test set.
        level: Confidence level of the interval, in (0, 1).
    """
    kept = (row.match or {}).get("heldout") if row is not None else None
    if not kept or kept.get("difference") is None or kept.get("se") is None:
        return None
    difference, se = float(kept["difference"]), float(kept["se"])
    half = float(special.ndtri((1 + level) / 2)) * se
    return HeldoutDifference(
        float(kept["original"]),
        float(kept["new"]),
        difference,
        se,
        Interval(difference - half, difference + half, level),
        int(kept.get("n_original", 0)),
        int(kept.get("n_new", 0)),
        int(kept.get("n_without", 0)),
    )


def samples(
    study: Study,
    name: str,
    members: Iterable[Member],
    votes: Votes,
    displays: Mapping[str, str],
) -> Samples:
    """Sample images of a set by selection frequency, the most selected first.

    Args:
        study: The study, for its seed, its files and how many images to show.
        name: The set.
        members: Its images.
        votes: The votes that count, by (image, class).
        displays: By image id, the digest of the copy that workers saw.
    """
    edges = (0.0, *study.pipeline.sample[0].bins, 1.0)
    wanted = study.pipeline.report.samples_per_bin
    bins: list[list[Frequency]] = [[] for _ in edges[:-1]]
    for member in members:
        row = votes.get(member)
        if row is not None:
            # A frequency on an edge belongs to the bin above, as in the sampling.
            place = sum(row.selected >= edge * row.shown - 1e-9 for edge in edges[1:-1])
            bins[place].append(row)
    strips = []
    for place in reversed(range(len(bins))):
        drawn = sorted(
            (row for row in bins[place] if row.image_id in displays),
            key=lambda row: (
                uniform(study.seed, "report-sample", name, row.image_id),
                row.class_id,
            ),
        )
        images = tuple(
            SampleImage(
                study.displays.get(displays[row.image_id]), row.class_id, row.selected, row.shown
            )
            for row in drawn[:wanted]
            if study.displays.exists(displays[row.image_id])
        )
        label = "–".join(str(float(edge)) for edge in edges[place : place + 2])
        strips.append(Strip(label, len(bins[place]), images))
    return Samples(name, tuple(strips))


def batch_rows(session: Session) -> tuple[BatchRow, ...]:
    """The batches of HITs: where each went, and what came of it."""
    return tuple(
        BatchRow(
            batch_id=batch.batch_id,
            mode=batch.mode,
            confirmed=batch.confirmed_at,
            hits=batch.published,
            assignments=batch.assignments,
            collected=batch.collected,
            agreed=f"${Decimal(batch.total):,.2f}",
        )
        for batch in batch_states(session)
    )


def run_rows(session: Session, before: int) -> tuple[RunRow, ...]:
    """The runs before this one that did something, or did not end well."""
    rows = session.scalars(select(Run).where(Run.run_id < before).order_by(Run.run_id))
    return tuple(
        RunRow(
            row.run_id,
            row.stage,
            row.started_at,
            row.ended_at,
            row.status,
            row.done,
            row.skipped,
            {str(reason): int(count) for reason, count in row.failed.items()},
        )
        for row in rows
        if row.done or row.failed or row.status != "done"
    )
