"""report: everything that was stored, as one page, its figures and its tables.

The report is made from the store alone, so it can be made again anywhere. It is written anew only
when something that it shows has changed: the pipeline, the sets, the votes, the predictions, or
what was lost on the way.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from replicate import __version__
from replicate.analysis.votes import HeldoutDifference
from replicate.base.digests import digest_value
from replicate.base.errors import MissingError
from replicate.pipeline import pipeline_digest
from replicate.reporting.balance import Balance, balance_of
from replicate.reporting.compare import compare
from replicate.reporting.data import (
    FunnelStep,
    ReportData,
    Samples,
    SetFrequencies,
    SetInfo,
)
from replicate.reporting.labelling import Labelling
from replicate.reporting.page import is_current, write_report
from replicate.reporting.provenance import Provenance
from replicate.stages.common import Context, Tally, library_versions, stage
from replicate.stages.frequencies import study_frequencies
from replicate.stages.report_adjusted import adjusted_sets
from replicate.stages.report_material import (
    Votes,
    any_simulated,
    batch_rows,
    funnel,
    heldout,
    labelling,
    run_rows,
    samples,
)
from replicate.stages.report_scores import Scores, read_scores, score_rows
from replicate.stages.score_sets import ORIGINAL, SetsToScore, SetToScore, sets_to_score
from replicate.store.queries import (
    Member,
    frequencies,
    newest_revision,
    pool,
    predictions_digest,
    visible_ids,
    votes_digest,
)
from replicate.store.tables import TestSet, TestSetImage
from replicate.study import Study

_LAYOUT = 3  # of the report itself: another number makes all older reports stale


@dataclass(frozen=True)
class _Stored:
    """What the report shows and is quick to read: enough to know whether anything changed.

    Attributes:
        sets: The scored sets, the original first.
        infos: What the report says of each, by name.
        votes: The votes that count, by (image, class).
        heldouts: By new set, the difference on held-out votes.
        balances: By new set, the covariates that it was matched by.
        pool: The candidate pool.
        funnel: What became of the candidates.
        labelling: How the votes came about.
        scores: Which predictions there are.
        votes_digest: The digest of all votes.
        predictions_digest: The digest of all predictions.
    """

    sets: SetsToScore
    infos: dict[str, SetInfo]
    votes: Votes
    heldouts: dict[str, HeldoutDifference]
    balances: dict[str, Balance]
    pool: list[Member]
    funnel: tuple[FunnelStep, ...]
    labelling: Labelling | None
    scores: Scores
    votes_digest: str
    predictions_digest: str

    def key(self, study: Study) -> str:
        """The digest of everything that the report shows, but for the runs and their times."""
        shown = (
            self.infos,
            self.heldouts,
            self.balances,
            self.funnel,
            self.labelling,
            self.scores,
        )
        return digest_value(
            [
                _LAYOUT,
                __version__,
                pipeline_digest(study.pipeline),
                study.loaded.text,
                self.votes_digest,
                self.predictions_digest,
                repr(shown),
            ]
        )


@stage("report")
def report(context: Context) -> Tally:
    """Write the report, unless the one that is there shows the same."""
    study = context.study
    with study.session() as session:
        stored = _stored(session, study)
        key = stored.key(study)
        if is_current(study.report_dir, key):
            return Tally(skipped=1)
        context.progress("comparing models")
        data = _data(session, context, stored)
    context.progress("writing the report")
    files = write_report(data, study.report_dir, key)
    missing = sorted({f"{item.model} on {item.set_name}" for item in data.exclusions})
    return Tally(
        done=1,
        details={"figures": len(files.figures), "tables": len(files.tables), "left_out": missing},
        notes=[f"The report: {files.html}"],
    )


def _stored(session: Session, study: Study) -> _Stored:
    sets = sets_to_score(session, study)
    votes = {Member(f.image_id, f.class_id): f for f in frequencies(session)}
    scores = score_rows(session, study, sets.all)
    if not scores.on(ORIGINAL):
        raise MissingError(
            "No model has been scored on the original yet.", "Run first: replicate score"
        )
    expected = {control.name: control.expect for control in study.pipeline.control}
    expected |= {
        each.name: f"The original's images after {', '.join(each.steps)}: what that alone does to "
        "accuracies, on the same images. A drop on a new set is to be seen beside it."
        for each in sets.sets
        if each.steps
    }
    infos, heldouts, balances = {}, {}, {}
    for each in sets.all:
        row = newest_revision(session, each.name) if each.role == "new" else None
        restricted = len(each.classes) if each.name in sets.subsets else None
        infos[each.name] = _info(session, each, row, expected, scores, restricted)
        held = heldout(row, study.pipeline.report.level)
        if held is not None:
            heldouts[each.name] = held
        balance = balance_of((row.match or {}) if row is not None else {})
        if balance is not None:
            balances[each.name] = balance
    drawn = [each.members for each in sets.sets if each.role == "new"]
    return _Stored(
        sets,
        infos,
        votes,
        heldouts,
        balances,
        pool(session),
        funnel(session, study, votes, drawn),
        labelling(session, votes),
        scores,
        votes_digest(session) or "",
        predictions_digest(session) or "",
    )


def _info(
    session: Session,
    each: SetToScore,
    row: TestSet | None,
    expected: dict[str, str],
    scores: Scores,
    restricted: int | None,
) -> SetInfo:
    filled = 0
    if row is not None:
        images = select(func.count()).where(
            TestSetImage.name == row.name,
            TestSetImage.revision == row.revision,
            TestSetImage.filled,
        )
        filled = session.scalar(images) or 0
    return SetInfo(
        name=each.name,
        role="original" if each.role == "train" else each.role,
        n=len(each.members),
        digest=each.digest,
        strategy=row.strategy if row else "",
        parameters=_parameters(row.parameters) if row else {},
        revision=row.revision if row else None,
        frozen=each.frozen,
        exploratory=each.name in scores.exploratory,
        expect=expected.get(each.name, ""),
        per_class=dict(Counter(member.class_id for member in each.members)),
        filled=filled,
        restricted=restricted,
        paired=bool(each.steps),
    )


def _parameters(values: dict[str, Any]) -> dict[str, str]:
    """A strategy's parameters as text, but for those that are not set or are said elsewhere."""
    shown = {}
    for key, value in sorted(values.items()):
        if key in ("strategy", "seed", "name") or value in (None, {}, [], ""):
            continue
        if isinstance(value, list):
            shown[key] = " ".join(str(item) for item in value)
        elif isinstance(value, dict):
            shown[key] = " ".join(f"{name}: {item}" for name, item in sorted(value.items()))
        else:
            shown[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return shown


def _data(session: Session, context: Context, stored: _Stored) -> ReportData:
    study, config = context.study, context.study.pipeline.report
    (original, *others), parts = read_scores(study, stored.sets, stored.infos, stored.scores)
    comparisons = compare(
        original,
        sorted(others, key=lambda scored: scored.info.role == "control"),
        stored.scores.models,
        study.seed,
        resamples=config.resamples,
        level=config.level,
        parts=parts,
    )
    sandbox = study.pipeline.sandbox is not None
    return ReportData(
        title=config.title or study.pipeline.study.name,
        study=study.pipeline.study.name,
        level=config.level,
        resamples=config.resamples,
        simulated=sandbox or any_simulated(session),
        simulated_source=sandbox and study.pipeline.gather.source == "flickr",
        original=stored.infos[ORIGINAL],
        comparisons=comparisons,
        frequencies=_frequencies(study, stored),
        adjusted=adjusted_sets(session, study, stored.sets, (original, *others), parts),
        samples=_samples(session, study, stored),
        funnel=stored.funnel,
        labelling=stored.labelling,
        classes=tuple((item.class_id, item.name) for item in study.classes),
        exclusions=stored.scores.exclusions,
        provenance=Provenance(
            pipeline=study.loaded.text,
            pipeline_digest=pipeline_digest(study.pipeline),
            seed=study.seed,
            steps=study.steps,
            scored=f"Of every image of every set, its prepared bytes ({study.steps}), the same "
            "transformations for originals, controls and candidates.",
            votes_digest=stored.votes_digest,
            predictions_digest=stored.predictions_digest,
            versions=library_versions(),
            runs=run_rows(session, context.run_id),
            batches=batch_rows(session),
            models=stored.scores.rows,
        ),
    )


def _groups(stored: _Stored) -> list[tuple[str, Any, tuple[Member, ...]]]:
    groups: list[tuple[str, Any, tuple[Member, ...]]] = []
    for each in stored.sets.sets:
        if each.role == "original":
            groups.append((each.name, "original", each.members))
            groups.append(("candidates", "pool", tuple(stored.pool)))
        elif each.role == "new":
            groups.append((each.name, "new", each.members))
    return groups


def _frequencies(study: Study, stored: _Stored) -> tuple[SetFrequencies, ...]:
    if not stored.votes:
        return ()
    means = study_frequencies(study, level=study.pipeline.report.level).groups
    found = []
    for name, role, members in _groups(stored):
        rows = [stored.votes[member] for member in members if member in stored.votes]
        if rows:
            selected, shown = [row.selected for row in rows], [row.shown for row in rows]
            found.append(
                SetFrequencies(
                    name,
                    role,
                    tuple(selected),
                    tuple(shown),
                    n_without=len(members) - len(rows),
                    interval=means[name].mean.interval if name in means else None,
                    heldout=stored.heldouts.get(name),
                    balance=stored.balances.get(name),
                )
            )
    return tuple(found)


def _samples(session: Session, study: Study, stored: _Stored) -> tuple[Samples, ...]:
    if not stored.votes or study.pipeline.report.samples_per_bin == 0:
        return ()
    displays = {image: display for image, (_, display) in visible_ids(session, study.steps).items()}
    return tuple(
        samples(study, name, members, stored.votes, displays)
        for name, _, members in _groups(stored)
    )
