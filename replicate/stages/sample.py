"""sample: draw the test sets of the `[[sample]]` blocks.

A set that was drawn is not drawn again unless that is asked for: then a later revision is, and
the one before stays as it is. A frozen set never changes. Each set is stored in one transaction;
a set that cannot be drawn stops the stage with exit 4, once the others are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from replicate.base.errors import GuardError, MissingError, UsageError
from replicate.pipeline.sampling import SampleConfig
from replicate.sampling.advice import more_needed
from replicate.sampling.feasibility import ORIGINAL_IMAGES, InfeasibleSample, Need
from replicate.sampling.frequencies import Counts, Frequencies, frequencies
from replicate.sampling.holdout import Ballots, Check, ballots, compare, split_votes
from replicate.sampling.manifest import Manifest
from replicate.sampling.revisions import Previous, Revision, class_sources, revise
from replicate.sampling.strategies import Chosen, Request, Sample
from replicate.sampling.strategies import plan as plan_sample
from replicate.stages.common import Context, Tally, stage
from replicate.stages.freezing import block_of, drawn_from, freeze_row, write_missing_manifests
from replicate.stages.reviewed import left_out
from replicate.store.queries import (
    Member,
    accepted,
    counted_votes,
    newest_revision,
    pool,
    set_members,
)
from replicate.store.tables import Hit, Prediction, TestSet, TestSetImage
from replicate.store.takedowns import TAKEN_DOWN, taken_down
from replicate.study import Study

_FIRST = 1  # the revision that this stage draws


@dataclass(frozen=True)
class _Material:
    """What sets are drawn from: every vote that counts, the pool and the original.

    Their tables say which images there are; ``rows`` says where in the votes each of them is.
    """

    votes: Ballots
    pool: Frequencies
    original: Frequencies
    rows: tuple[Counts, Counts]
    pages_open: int
    excluded: dict[tuple[str, str], str]


@dataclass(frozen=True)
class _Counts:
    """Selection counts after some votes were set aside, of the pool and of the original."""

    pool: Frequencies
    original: Frequencies
    kept_pool: Frequencies
    kept_original: Frequencies


@stage("sample")
def sample(context: Context) -> Tally:
    """Draw every set of the pipeline that was not drawn before; or a later revision of one set."""
    study = context.study
    if context.options.revise is not None:
        return _revise(context, context.options.revise)
    blocks = study.pipeline.sample
    with study.session() as session:
        drawn = {block.name for block in blocks if newest_revision(session, block.name)}
        todo = [block for block in blocks if block.name not in drawn]
        material = _material(session, study) if todo else None
        origin = drawn_from(session, study, context.clock.now()) if todo else {}
    write_missing_manifests(study)
    tally = Tally(skipped=len(drawn))
    if material is None:
        return tally
    if material.pages_open:
        tally.notes.append(
            f"{material.pages_open} pages of work are not complete; their votes are not in."
        )
    tables = _all_counts(study, material, todo)
    infeasible: list[InfeasibleSample] = []
    for position, block in enumerate(todo):
        context.progress("drawing test sets", position, len(todo))
        counts = tables[block.holdout_votes]
        request = _request(study, block)
        found = _plan(study, request, counts, material.excluded)
        if not found.feasible:
            infeasible.append(InfeasibleSample(found.needs, block.name))
            continue
        _store(context, block, request, found, counts, origin)
        tally.done += 1
        tally.details[block.name] = {"n": len(found.chosen), "not_eligible": dict(found.reasons)}
    write_missing_manifests(study)
    if infeasible:
        raise infeasible[0]
    return tally


def _revise(context: Context, name: str) -> Tally:
    """Draw the next revision of a set: what may stay stays (`replicate.sampling.revisions`)."""
    study, block = context.study, block_of(context.study, name)
    with study.session() as session:
        row = newest_revision(session, name)
        if row is None:
            raise MissingError(
                f"The test set {name!r} was not drawn yet.", "Draw it: replicate sample"
            )
        exploratory = context.options.exploratory
        if _was_scored(session, name) and not exploratory:
            raise GuardError(
                f"Models were scored on the test set {name!r}: drawing it again after that is a "
                "choice that their accuracies may have made.",
                f"If that is meant: replicate sample --revise {name} --exploratory",
            )
        before = _previous(session, row)
        material = _material(session, study)
        down = taken_down(session)  # those are in no pool
        origin = drawn_from(session, study, context.clock.now())
    counts, request = _counts(study, material, block.holdout_votes), _request(study, block)
    classes = [item.class_id for item in study.classes]
    excluded = material.excluded | {
        (item.image_id, item.class_id): TAKEN_DOWN
        for item in before.chosen
        if item.image_id in down
    }
    found = revise(request, counts.pool, counts.original, classes, before, excluded)
    if not found.sample.feasible:
        raise InfeasibleSample(found.sample.needs, name)
    if set(found.sample.chosen) == set(before.chosen):
        return Tally(skipped=1, notes=[f"{name}-{row.revision} would hold the same images."])
    _store(context, block, request, found.sample, counts, origin, row.revision + 1, found)
    write_missing_manifests(study)
    reasons = Counter(found.dropped.values())
    details = {
        "revision": row.revision + 1,
        "n": len(found.sample.chosen),
        "kept": found.kept,
        "dropped": dict(sorted(reasons.items())),
        "classes_unchanged": len(found.unchanged),
    }
    note = (
        f"{name}-{row.revision + 1}: {found.kept} images stay, {len(found.dropped)} go, "
        f"{len(found.sample.chosen) - found.kept} are new; {len(found.unchanged)} of "
        f"{len(classes)} classes are as they were."
    )
    return Tally(done=1, details={name: details}, notes=[note])


def _was_scored(session: Session, name: str) -> bool:
    scored = select(Prediction.model).where(Prediction.set_name == name, Prediction.status == "ok")
    return session.scalars(scored.limit(1)).first() is not None


def _previous(session: Session, row: TestSet) -> Previous:
    images = session.scalars(
        select(TestSetImage)
        .where(TestSetImage.name == row.name, TestSetImage.revision == row.revision)
        .order_by(TestSetImage.position)
    ).all()
    chosen = [Chosen(i.class_id, i.image_id, i.stratum or "", i.filled) for i in images]
    return Previous(tuple(chosen), (row.match or {}).get("sources", {}))


def plan(study: Study) -> list[dict[str, Any]]:
    """What every set of the pipeline wants, by class and stratum; nothing is drawn.

    Returns:
        Rows with ``set, class_id, stratum, wanted, there, filled, missing``, and how many more
        votes or candidates that would take (`replicate.sampling.advice`): ``more_votes``,
        ``more_candidates``.

    Raises:
        MissingError: There are no votes yet.
    """
    with study.session() as session:
        material = _material(session, study)
    tables = _all_counts(study, material, study.pipeline.sample)
    rows: list[dict[str, Any]] = []
    for block in study.pipeline.sample:
        counts = tables[block.holdout_votes]
        found = _plan(study, _request(study, block), counts, material.excluded)
        for need in found.needs:
            side = counts.original if need.stratum == ORIGINAL_IMAGES else counts.pool
            more = more_needed(need, side.of_class(need.class_id), block.min_votes)
            rows.append(
                _need_row(block.name, need)
                | {"more_votes": more.votes, "more_candidates": more.candidates}
            )
    return rows


def _material(session: Session, study: Study) -> _Material:
    votes = ballots(counted_votes(session))
    if not len(votes.item):
        raise MissingError(
            "There are no votes to sample by.", "Run the stage before first: replicate collect"
        )
    pages = session.scalars(
        select(Hit.hit_key).where(Hit.status.in_(("composed", "published")))
    ).all()
    members = pool(session)
    if study.pipeline.label.mode == "expert":
        stays = accepted(session)
        members = [member for member in members if member in stays]
    excluded = left_out(session, study)
    sides = _unseen(members), _unseen(set_members(session, "original"))
    rows = votes.seen.rows_for(sides[0]), votes.seen.rows_for(sides[1])
    return _Material(votes, *sides, rows, len(pages), excluded)


def _all_counts(
    study: Study, material: _Material, blocks: Sequence[SampleConfig]
) -> dict[int, _Counts]:
    """The counts that some sets need, by how many votes each sets aside."""
    asked = sorted({block.holdout_votes for block in blocks})
    return {k: _counts(study, material, k) for k in asked}


def _counts(study: Study, material: _Material, holdout_votes: int) -> _Counts:
    """Selection frequencies by the votes that are not set aside, and by those that are."""
    matched, kept = split_votes(material.votes, holdout_votes, study.seed)
    sides = list(zip((material.pool, material.original), material.rows, strict=True))
    return _Counts(*(table.on(*side) for table in (matched, kept) for side in sides))


def _unseen(members: Iterable[Member]) -> Frequencies:
    """Some (image, class), with no votes yet."""
    return frequencies((*pair, 0, 0) for pair in {(m.image_id, m.class_id) for m in members})


def _request(study: Study, block: SampleConfig) -> Request:
    if block.strategy == "quota":
        raise UsageError(
            f"The test set {block.name!r} asks for keyword quotas, but the study does not know "
            "the keywords of the original's images.",
            "Choose another strategy in its [[sample]] block.",
        )
    return Request(
        name=block.name,
        strategy=block.strategy,
        per_class=block.per_class,
        seed=study.seed,
        min_votes=block.min_votes,
        edges=block.bins,
        min_original_images=block.min_original_images,
        fill=block.fill,
        threshold=block.threshold,
        overrides=block.overrides,
    )


def _plan(
    study: Study, request: Request, counts: _Counts, excluded: Mapping[tuple[str, str], str]
) -> Sample:
    classes = [item.class_id for item in study.classes]
    return plan_sample(request, counts.pool, counts.original, classes, excluded)


def _need_row(name: str, need: Need) -> dict[str, Any]:
    return {
        "set": name,
        "class_id": need.class_id,
        "stratum": need.stratum,
        "wanted": need.wanted,
        "there": need.there,
        "filled": need.filled,
        "missing": need.missing,
    }


def _store(
    context: Context,
    block: SampleConfig,
    request: Request,
    found: Sample,
    counts: _Counts,
    origin: dict[str, Any],
    revision: int = _FIRST,
    revised: Revision | None = None,
) -> None:
    """One revision of a set, in one transaction."""
    pairs = [(chosen.image_id, chosen.class_id) for chosen in found.chosen]
    parameters = request.parameters() | {"holdout_votes": block.holdout_votes}
    if revised is not None and context.options.exploratory:
        parameters["exploratory"] = True  # drawn by somebody who could have seen accuracies
    manifest = Manifest(block.name, revision, block.strategy, parameters, pairs)
    members = [Member(image_id, class_id) for image_id, class_id in pairs]
    now = context.clock.now()
    with context.study.session() as session:
        row = TestSet(
            name=block.name,
            revision=revision,
            strategy=block.strategy,
            parameters=parameters,
            digest=manifest.digest,
            n=len(pairs),
            match=_match(block, request, found, counts, members)
            | {
                "sources": class_sources(
                    request, counts.pool, counts.original, sorted({c for _, c in pairs})
                ),
                "revised": None if revised is None else _revised(revised),
            },
            drawn_from=origin,
            created_at=now,
            frozen_at=None,
        )
        session.add(row)
        session.flush()
        session.execute(
            insert(TestSetImage),
            [
                {
                    "name": block.name,
                    "revision": revision,
                    "position": position,
                    "image_id": chosen.image_id,
                    "class_id": chosen.class_id,
                    "stratum": chosen.stratum,
                    "filled": chosen.filled,
                }
                for position, chosen in enumerate(found.chosen)
            ],
        )
        if block.freeze:
            freeze_row(session, context.study, row, now)


def _match(
    block: SampleConfig,
    request: Request,
    found: Sample,
    counts: _Counts,
    members: Sequence[Member],
) -> dict[str, Any]:
    """How well the set matches the original: by the votes it was drawn by, and by the others."""
    enough = counts.original.where(counts.original.shown >= request.min_votes)
    chosen = _unseen(members)
    drawn = compare(enough, counts.pool.on(chosen))
    kept = compare(counts.kept_original, counts.kept_pool.on(chosen))
    return {
        "drawn": _as_json(drawn),
        "heldout": _as_json(kept) if block.holdout_votes else None,
        "holdout_votes": block.holdout_votes,
        "not_eligible": dict(found.reasons),
        "filled": sum(chosen.filled for chosen in found.chosen),
        "strata": [_need_row(block.name, need) for need in found.needs],
    }


def _revised(found: Revision) -> dict[str, Any]:
    return {
        "kept": found.kept,
        "dropped": [[*pair, reason] for pair, reason in found.dropped.items()],
        "unchanged": list(found.unchanged),
    }


def _as_json(check: Check | None) -> dict[str, Any] | None:
    return check.as_dict() if check is not None and check.se == check.se else None
