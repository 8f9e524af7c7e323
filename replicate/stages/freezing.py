"""Freezing a test set: its manifest is written down, and from then on it never changes.

What a set was drawn from is written down when it is drawn, for votes and pool may grow before it
is frozen. The store keeps the manifest's text, so that the file is the same bytes whenever it is
written.
"""

import difflib
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from replicate.base.clock import Clock, SystemClock
from replicate.base.digests import digest_rows
from replicate.base.errors import GuardError, MissingError, ReplicateError, UsageError
from replicate.base.files import write_text
from replicate.pipeline import pipeline_digest
from replicate.pipeline.sampling import SampleConfig
from replicate.sampling.frozen import Frozen, counts, from_text
from replicate.sampling.manifest import Manifest
from replicate.stages.common import library_versions
from replicate.store import queries, reviews
from replicate.store.rules import outcome
from replicate.store.tables import (
    Assignment,
    Candidate,
    DedupDecision,
    FrozenSet,
    TestSet,
    TestSetImage,
)
from replicate.study import Study


def freeze(study: Study, name: str, clock: Clock | None = None) -> TestSet:
    """Freeze the newest revision of a set: its manifest is written, and it never changes again.

    Freezing a frozen set does nothing.

    Returns:
        The set's row.

    Raises:
        UsageError: The pipeline has no such set.
        MissingError: It was not drawn yet, or its images are not prepared.
    """
    known_set(study, name)
    with study.session() as session:
        row = queries.newest_revision(session, name)
        if row is None:
            raise MissingError(
                f"The test set {name!r} was not drawn yet.", "Draw it: replicate sample"
            )
        if row.frozen_at is None:
            freeze_row(session, study, row, (clock or SystemClock()).now())
    write_missing_manifests(study)
    return row


def known_set(study: Study, name: str) -> None:
    """Refuse a name that is no test set's.

    Raises:
        UsageError: The pipeline has no such set.
    """
    block_of(study, name)


def block_of(study: Study, name: str) -> SampleConfig:
    """The block of the pipeline file that asks for a set.

    Raises:
        UsageError: There is none.
    """
    blocks = {block.name: block for block in study.pipeline.sample}
    if name not in blocks:
        near = difflib.get_close_matches(name, blocks, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Its sets are: {', '.join(blocks)}"
        raise UsageError(f"The pipeline has no test set {name!r}.", hint)
    return blocks[name]


def freeze_row(session: Session, study: Study, row: TestSet, now: datetime) -> None:
    """Freeze a set that was drawn, within a transaction.

    Raises:
        MissingError: Some of its images are not prepared by the pipeline file's steps.
        GuardError: Some of its images were taken down, or are held, since it was drawn.
        ReplicateError: Its images are not those that were drawn.
    """
    members = queries.members_of_test_set(session, row.name, row.revision)
    hidden = queries.withheld(session)
    if out := sum(member.image_id in hidden for member in members):
        raise GuardError(
            f"{out} images of {row.name}-{row.revision} were taken down or reported as unsafe "
            "since it was drawn, so it cannot be frozen.",
            "Look at reported ones (replicate takedown reported), or draw the set without them: "
            f"replicate sample --revise {row.name}",
        )
    row.frozen_at = now
    session.flush()
    lost = sum(each is None for each in _write_down(session, study, row, now).prepared)
    if lost:
        raise MissingError(
            f"{lost} images of the test set {row.name!r} are not prepared by the steps that the "
            "pipeline file names, so it cannot be frozen.",
            "Run first: replicate prepare",
        )


def manifest_path(study: Study, name: str, revision: int) -> Path:
    """Where a frozen set's manifest is."""
    return study.root / "sets" / f"{name}-{revision}.json"


def frozen_set(session: Session, study: Study, row: TestSet) -> Frozen:
    """A frozen set, as it was written down.

    Raises:
        ReplicateError: The store was changed since.
    """
    kept = session.get(FrozenSet, (row.name, row.revision))
    if kept is None:  # frozen by a version that kept no manifests
        return _write_down(session, study, row, row.frozen_at or row.created_at)
    frozen = from_text(kept.manifest, f"The manifest of {row.name}-{row.revision} in the store")
    if frozen.manifest.digest != row.digest or frozen.digest != kept.digest:
        raise ReplicateError(
            f"The manifest of {row.name}-{row.revision} in the store is not the one that was "
            "frozen."
        )
    return frozen


def manifest_of(session: Session, study: Study, row: TestSet) -> Frozen:
    """The manifest of any set: as it was written down, or as it would be for one not frozen."""
    if row.frozen_at is not None:
        return frozen_set(session, study, row)
    return _described(session, study, row, None)


def write_missing_manifests(study: Study) -> None:
    """The manifest of every frozen set that has no file yet; the store is what counts."""
    with study.session() as session:
        for row in session.scalars(select(TestSet).where(TestSet.frozen_at.is_not(None))).all():
            path = manifest_path(study, row.name, row.revision)
            if not path.exists():
                write_text(path, frozen_set(session, study, row).text())


def drawn_from(session: Session, study: Study, now: datetime) -> dict[str, Any]:
    """What a set that is drawn now is drawn from, as JSON values.

    Args:
        session: An open session.
        study: The study.
        now: When it is drawn.
    """
    pool, original = queries.pool(session), queries.set_members(session, "original")
    return {
        "at": now.isoformat(),
        "study": study.pipeline.study.name,
        "seed": study.seed,
        "pipeline": study.loaded.text,
        "pipeline_digest": pipeline_digest(study.pipeline),
        "versions": library_versions(),
        "candidates": _candidates(session),
        "near_duplicates": _near_duplicates(session, study),
        "pool": {"images": len(pool), "digest": queries.members_digest(pool)},
        "original": {"images": len(original), "digest": queries.members_digest(original)},
        "votes": _votes(session),
        "reviews": _reviews(session),
    }


def _write_down(session: Session, study: Study, row: TestSet, now: datetime) -> Frozen:
    frozen = _described(session, study, row, now)
    session.add(
        FrozenSet(
            name=row.name, revision=row.revision, manifest=frozen.text(), digest=frozen.digest
        )
    )
    session.flush()
    return frozen


def _described(session: Session, study: Study, row: TestSet, now: datetime | None) -> Frozen:
    images = session.scalars(
        select(TestSetImage)
        .where(TestSetImage.name == row.name, TestSetImage.revision == row.revision)
        .order_by(TestSetImage.position)
    ).all()
    members = [(image.image_id, image.class_id) for image in images]
    manifest = Manifest(row.name, row.revision, row.strategy, row.parameters, members)
    if manifest.digest != row.digest:
        raise ReplicateError(
            f"The images of {row.name}-{row.revision} are not those that were drawn: their digest "
            f"is {manifest.digest[:12]}…, not {row.digest[:12]}….",
            "Somebody changed the store; draw the set again in a new study.",
        )
    prepared = queries.prepared_ids(session, study.steps)
    record = {
        "steps": study.steps,
        "classes": [[item.class_id, item.name] for item in study.classes],
        "counts": counts(members, [i.stratum for i in images], [i.filled for i in images]),
        "versions": library_versions(),
        "frozen_at": now.isoformat() if now else None,
        "drawn_from": row.drawn_from,
    }
    if covariates := (row.match or {}).get("covariates"):
        record["covariates"] = covariates
    published = [prepared.get(image_id, (None, None))[0] for image_id, _ in members]
    return Frozen(manifest, published, record)


def _candidates(session: Session) -> dict[str, Any]:
    rows = session.execute(
        select(Candidate.status, Candidate.reason, func.count()).group_by(
            Candidate.status, Candidate.reason
        )
    ).all()
    failed = {str(reason): n for status, reason, n in rows if status == "failed"}
    return {
        "found": sum(n for _, _, n in rows),
        "failed": dict(sorted(failed.items())),
        "files": len(queries.gathered(session)),
    }


def _near_duplicates(session: Session, study: Study) -> dict[str, Any]:
    rows = session.execute(
        select(
            DedupDecision.image_id,
            DedupDecision.class_id,
            DedupDecision.keep,
            DedupDecision.reason,
        )
    ).all()
    dropped: dict[str, int] = {}
    for row in rows:
        if not row.keep:
            dropped[str(row.reason)] = dropped.get(str(row.reason), 0) + 1
    return {
        **study.pipeline.dedup.model_dump(mode="json"),
        "looked_at": len(rows),
        "dropped": dict(sorted(dropped.items())),
        "digest": digest_rows(list(row) for row in rows),
    }


def _reviews(session: Session) -> dict[str, Any]:
    said = [
        [*item, given.verdict, sorted(given.flags)]
        for item, history in reviews.item_histories(session).items()
        for given in history.standing
    ]
    return {"judgements": len(said), "digest": digest_rows(said)}


def _votes(session: Session) -> dict[str, Any]:
    rules = outcome(session)
    simulated = session.scalar(
        select(func.count()).select_from(Assignment).where(Assignment.simulated)
    )
    return {
        "digest": queries.votes_digest(session),
        "usable": rules.votes,
        "left_out": rules.votes_left_out,
        "workers": rules.workers,
        "workers_left_out": rules.flagged,
        "simulated": bool(simulated),
    }
