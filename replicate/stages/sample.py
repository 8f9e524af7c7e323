"""sample: draw the test sets of the `[[sample]]` blocks.

A set that was drawn is not drawn again unless that is asked for: then a later revision is, and
the one before stays as it is. A frozen set never changes. Each set is stored in one transaction;
a set that cannot be drawn stops the stage with exit 4, once the others are.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from replicate.base.errors import GuardError, MissingError
from replicate.pipeline.sampling import SampleConfig
from replicate.sampling.advice import more_needed
from replicate.sampling.feasibility import ORIGINAL_IMAGES, InfeasibleSample, Need
from replicate.sampling.holdout import Check, compare
from replicate.sampling.manifest import Manifest
from replicate.sampling.request import Chosen, Sample
from replicate.sampling.revisions import Previous, Revision
from replicate.stages.common import Context, Tally, stage
from replicate.stages.freezing import block_of, drawn_from, freeze_row, write_missing_manifests
from replicate.stages.sample_material import (
    Drawing,
    all_counts,
    counts_of,
    load_material,
    request_of,
    unseen,
)
from replicate.store.queries import Member, newest_revision
from replicate.store.tables import Prediction, TestSet, TestSetImage
from replicate.store.takedowns import TAKEN_DOWN, taken_down
from replicate.study import Study

_FIRST = 1  # the revision that this stage draws


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
        material = load_material(session, study) if todo else None
        origin = drawn_from(session, study, context.clock.now()) if todo else {}
    write_missing_manifests(study)
    tally = Tally(skipped=len(drawn))
    if material is None:
        return tally
    if material.pages_open:
        tally.notes.append(
            f"{material.pages_open} pages of work are not complete; their votes are not in."
        )
    tables = all_counts(study, material, todo)
    infeasible: list[InfeasibleSample] = []
    for position, block in enumerate(todo):
        context.progress("drawing test sets", position, len(todo))
        counts = tables[block.holdout_votes]
        drawing = Drawing(study, request_of(study, block), counts, material)
        found = drawing.plan()
        if not found.feasible:
            infeasible.append(InfeasibleSample(found.needs, block.name, block.fill))
            continue
        _store(context, block, drawing, found, origin)
        tally.done += 1
        filled = sum(item.filled for item in found.chosen)
        tally.details[block.name] = {
            "n": len(found.chosen),
            "filled": filled,
            "not_eligible": dict(found.reasons),
        }
        if filled:
            tally.notes.append(f"{block.name}: {filled} images stand in for missing ones.")
    write_missing_manifests(study)
    if infeasible:
        raise _first_of(infeasible)
    return tally


def _first_of(infeasible: Sequence[InfeasibleSample]) -> InfeasibleSample:
    """The first set that cannot be drawn, with what all of them lack."""
    first, *others = infeasible
    if others:
        first.message += f" Nor can {', '.join(each.name for each in others)} be drawn."
    first.details = {"lacking": [row for each in infeasible for row in each.lacking()]}
    return first


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
        material = load_material(session, study)
        down = taken_down(session)  # those are in no pool
        origin = drawn_from(session, study, context.clock.now())
    counts = counts_of(study, material, block.holdout_votes)
    drawing = Drawing(study, request_of(study, block), counts, material)
    classes = [item.class_id for item in study.classes]
    gone = {
        (item.image_id, item.class_id): TAKEN_DOWN
        for item in before.chosen
        if item.image_id in down
    }
    found = drawing.revise(before, gone)
    if not found.sample.feasible:
        raise InfeasibleSample(found.sample.needs, name, block.fill)
    if set(found.sample.chosen) == set(before.chosen):
        return Tally(skipped=1, notes=[f"{name}-{row.revision} would hold the same images."])
    _store(context, block, drawing, found.sample, origin, row.revision + 1, found)
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
        material = load_material(session, study)
    tables = all_counts(study, material, study.pipeline.sample)
    rows: list[dict[str, Any]] = []
    for block in study.pipeline.sample:
        counts = tables[block.holdout_votes]
        found = Drawing(study, request_of(study, block), counts, material).plan()
        for need in found.needs:
            side = counts.original if need.stratum == ORIGINAL_IMAGES else counts.pool
            more = more_needed(need, side.of_class(need.class_id), block.min_votes)
            rows.append(
                _need_row(block.name, need)
                | {"more_votes": more.votes, "more_candidates": more.candidates}
            )
    return rows


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
    drawing: Drawing,
    found: Sample,
    origin: dict[str, Any],
    revision: int = _FIRST,
    revised: Revision | None = None,
) -> None:
    """One revision of a set, in one transaction."""
    pairs = [(chosen.image_id, chosen.class_id) for chosen in found.chosen]
    parameters = drawing.request.parameters() | {"holdout_votes": block.holdout_votes}
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
            match=_match(block, drawing, found, members)
            | {
                "sources": drawing.sources(sorted({c for _, c in pairs})),
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
    drawing: Drawing,
    found: Sample,
    members: Sequence[Member],
) -> dict[str, Any]:
    """How well the set matches the original: by the votes it was drawn by, and by the others."""
    counts = drawing.counts
    counts = drawing.counts
    enough = counts.original.where(counts.original.shown >= drawing.request.min_votes)
    chosen = unseen(members)
    drawn = compare(enough, counts.pool.on(chosen))
    kept = compare(counts.kept_original, counts.kept_pool.on(chosen))
    return {
        "drawn": _as_json(drawn),
        "heldout": _as_json(kept) if block.holdout_votes else None,
        "holdout_votes": block.holdout_votes,
        "not_eligible": dict(found.reasons),
        "filled": sum(chosen.filled for chosen in found.chosen),
        "covariates": _balance(drawing),
        "strata": [_need_row(block.name, need) for need in found.needs],
    }


def _balance(drawing: Drawing) -> dict[str, Any] | None:
    """How well covariates match, and what matching them did to true frequencies."""
    matched = drawing.covariates
    if matched is None:
        return None
    shift = matched.frequency_shift()
    return {
        "means": [item.as_dict() for item in matched.balance()],
        "frequency_shift": None if shift is None else shift.as_dict(),
    }


def _revised(found: Revision) -> dict[str, Any]:
    return {
        "kept": found.kept,
        "dropped": [[*pair, reason] for pair, reason in found.dropped.items()],
        "unchanged": list(found.unchanged),
    }


def _as_json(check: Check | None) -> dict[str, Any] | None:
    return check.as_dict() if check is not None and check.se == check.se else None
