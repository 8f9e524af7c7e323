"""dedup: near-duplicates of the reference sets, and of each other, leave the candidate pool.

The hash proposes pairs, pixels decide (`[dedup] confirm`), and the paper's rule says what goes.
Hashes are stored as they are made; pairs and decisions of all new candidates come in one
transaction at the end, so that a run that is cut off leaves no half decision.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from replicate.base.errors import MissingError
from replicate.duplicates.calibrate import Calibration
from replicate.duplicates.clusters import Drop, Keep, resolve
from replicate.duplicates.listing import existing
from replicate.pipeline.dedup import DedupConfig
from replicate.stages.common import Context, Tally, stage
from replicate.stages.dedup_pairs import CANDIDATES, Row, calibrations, compared, found_pairs
from replicate.stages.dedup_reviews import Row as StoredRow
from replicate.stages.dedup_reviews import decided_otherwise, edges, said_same
from replicate.stages.reviewed import pair_verdicts
from replicate.store.queries import Member, gathered, prepared_ids, set_members
from replicate.store.reviews import Pair
from replicate.store.tables import Candidate, DedupDecision, DuplicatePair, Image
from replicate.store.takedowns import taken_down
from replicate.study import Study

_SET_NAMES = {"test": "original", "train": "train"}
_CHUNK = 500  # ids in one statement
# The order of the search's results, over all classes.
_ORDER = (Candidate.position, Candidate.class_id, Candidate.source, Candidate.source_id)


@dataclass(frozen=True)
class _Todo:
    """What there is to decide on.

    Attributes:
        candidates: Every candidate that is prepared.
        new: Those without a decision.
        kept: Images that were kept before.
        references: Image id to the name of the first reference set that holds it.
        prepared: Image id to the digest of the prepared bytes.
        verdicts: What reviewers say of pairs.
        same: The stored pairs that they call the same.
        again: Candidates that were decided about otherwise before reviewers said this.
    """

    candidates: list[Member]
    new: list[Member]
    kept: frozenset[str]
    references: dict[str, str]
    prepared: dict[str, str]
    verdicts: dict[Pair, str]
    same: list[StoredRow]
    again: set[str]


@stage("dedup")
def dedup(context: Context) -> Tally:
    """Decide about every prepared candidate that was not decided about before."""
    study, config = context.study, context.study.pipeline.dedup
    with study.session() as session:
        todo = _todo(session, study, config)
    tally = Tally(done=len(todo.new), skipped=len(todo.candidates) - len(todo.new))
    if not todo.new:
        return tally
    for place in config.hash_files:
        next(existing([str(study.root / place)]))  # said before anything is hashed
    candidates = sorted({member.image_id for member in todo.candidates})
    images = compared(context, todo.references, candidates, todo.prepared)
    context.progress("confirming near-duplicates")
    measured = calibrations(study, images)
    rows = found_pairs(context, images, measured)
    joined = edges([*rows, *todo.same], todo.verdicts)
    pool = [(member.image_id, member.class_id) for member in todo.candidates]
    with study.session() as session:
        keep = _keep(session, config)
    drops = {drop.image_id: drop for drop in resolve(pool, joined, todo.kept, keep)}
    with study.session() as session:
        _forget(session, todo.again)
        _store(session, rows, todo.new, drops)
    tally.details = _details(rows, todo.new, drops, measured)
    if images.features is not None:
        tally.details["features"] = images.features.cuts.as_dict()
    tally.notes = _notes(tally.details)
    if todo.again:
        tally.notes.append(
            f"Reviewers contradict earlier decisions: {len(todo.again)} candidates, all that were "
            "dropped among them, were decided about again."
        )
    return tally


def _todo(session: Session, study: Study, config: DedupConfig) -> _Todo:
    down = taken_down(session)
    prepared = {
        image: ids[0]
        for image, ids in prepared_ids(session, study.steps).items()
        if image not in down
    }
    candidates = [member for member in gathered(session) if member.image_id in prepared]
    if not candidates:
        raise MissingError(
            "There are no prepared candidates to look for near-duplicates among.",
            "Run the stage before first: replicate prepare",
        )
    rows = session.execute(
        select(DedupDecision.image_id, DedupDecision.class_id, DedupDecision.keep)
    ).all()
    verdicts = pair_verdicts(session, study)
    used = frozenset({CANDIDATES, *(_SET_NAMES.get(name, name) for name in config.references)})
    there = {member.image_id for member in candidates}
    again = decided_otherwise(session, verdicts, used, there)
    decided = {(row.image_id, row.class_id) for row in rows if row.image_id not in again}
    references: dict[str, str] = {}
    for name in config.references:
        set_name = _SET_NAMES.get(name, name)
        for member in set_members(session, set_name):
            if member.image_id in prepared:
                references.setdefault(member.image_id, set_name)
    return _Todo(
        candidates=candidates,
        new=[item for item in candidates if (item.image_id, item.class_id) not in decided],
        kept=frozenset(row.image_id for row in rows if row.keep and row.image_id not in again),
        references=references,
        prepared=prepared,
        verdicts=verdicts,
        same=said_same(session, verdicts, references, there),
        again=again,
    )


def _keep(session: Session, config: DedupConfig) -> Keep:
    """Which of several candidates stays."""
    if config.keep in ("fewest", "none"):
        return config.keep
    if config.keep == "largest":
        sizes = session.execute(select(Image.image_id, Image.width, Image.height)).all()
        return {row.image_id: -row.width * row.height for row in sizes}
    wanted = select(Candidate.image_id).where(Candidate.status == "ok").order_by(*_ORDER)
    places: dict[str, float] = {}
    for place, image in enumerate(session.scalars(wanted)):
        places.setdefault(str(image), place)
    return places


def _forget(session: Session, image_ids: set[str]) -> None:
    ordered = sorted(image_ids)
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        session.execute(delete(DedupDecision).where(DedupDecision.image_id.in_(chunk)))


def _store(
    session: Session, rows: list[Row], new: Sequence[Member], drops: dict[str, Drop]
) -> None:
    known = set(
        session.execute(select(DuplicatePair.reference_id, DuplicatePair.candidate_id)).tuples()
    )
    unknown: dict[Pair, Row] = {}
    for row in rows:
        pair = (row["reference_id"], row["candidate_id"])
        if pair not in known:  # an image may be in several reference sets, or in the pool as well
            unknown.setdefault(pair, row)
    if unknown:
        session.execute(insert(DuplicatePair), list(unknown.values()))
    decisions = []
    for member in new:
        drop = drops.get(member.image_id)
        decisions.append(
            {
                "image_id": member.image_id,
                "class_id": member.class_id,
                "keep": drop is None,
                "reason": f"duplicate_of_{drop.cause}" if drop else None,
                "because_of": drop.because_of if drop else None,
            }
        )
    session.execute(insert(DedupDecision), decisions)


def _details(
    rows: list[Row],
    new: Sequence[Member],
    drops: dict[str, Drop],
    measured: Mapping[str, Calibration],
) -> dict[str, Any]:
    dropped = Counter(
        f"duplicate_of_{drops[member.image_id].cause}" for member in new if member.image_id in drops
    )
    return {
        "pairs": dict(sorted(Counter(row["verdict"] for row in rows).items())),
        "found_by": dict(sorted(Counter(row["found_by"] for row in rows).items())),
        "dropped": dict(sorted(dropped.items())),
        "calibration": {name: one.as_dict() for name, one in measured.items()},
    }


def _notes(details: dict[str, Any]) -> list[str]:
    notes = [
        f"{sum(details['dropped'].values())} near-duplicates left the pool; "
        f"{details['pairs'].get('unsure', 0)} pairs are unsure and stay."
    ]
    measured = details["calibration"].get("references")
    if measured and measured["recall"] < 1.0:
        notes.append(
            f"Of {measured['n_planted']} planted near-duplicates {measured['recall']:.1%} would be "
            f"found. The hash would propose all at [dedup] radius = {measured['needed_radius']}; "
            "the pixels would confirm more with a larger false_drops."
        )
    return notes
