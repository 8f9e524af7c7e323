"""dedup: near-duplicates of the reference sets, and of each other, leave the candidate pool.

The hash proposes pairs, pixels decide (`[dedup] confirm`), and the paper's rule says what goes.
Hashes are stored as they are made; pairs and decisions of all new candidates come in one
transaction at the end, so that a run that is cut off leaves no half decision.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from replicate.base.errors import ItemError, MissingError
from replicate.base.images import decode
from replicate.duplicates.calibrate import Calibration, calibrate, tightened
from replicate.duplicates.clusters import Drop, resolve
from replicate.duplicates.confirm import DIFFERENT, Thresholds, confirm
from replicate.duplicates.edits import posted_again
from replicate.duplicates.search import Pairs, pairs_among, pairs_within
from replicate.pipeline.model import DedupConfig
from replicate.sources.prepare import prepare
from replicate.stages.common import Context, Tally, stage
from replicate.stages.dedup_hashes import load, one_size, stored_hashes
from replicate.stages.dedup_reviews import Row, decided_otherwise, edges, said_same
from replicate.stages.reviewed import pair_verdicts
from replicate.store.queries import Member, gathered, prepared_ids, set_members
from replicate.store.reviews import Pair
from replicate.store.tables import DedupDecision, DuplicatePair
from replicate.store.takedowns import taken_down
from replicate.study import Study

Pixels = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

_SET_NAMES = {"test": "original", "train": "train"}
_CHUNK = 500  # ids in one statement
_PLANTED = 200  # near-duplicates planted to calibrate the threshold
_NO_DOUBT = Thresholds(1.0, 1.0)


@dataclass(frozen=True)
class _Side:
    """Images of one side of the search: ids, prepared ids, pixels of one size, hashes."""

    image_ids: list[str]
    pixels: Pixels
    hashes: Words


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
    same: list[Row]
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
    references = sorted(todo.references)
    candidates = sorted({member.image_id for member in todo.candidates})
    digests = [todo.prepared[image] for image in (*references, *candidates)]
    pixels = load(context, digests)
    hashes = stored_hashes(context, digests, pixels)
    compared = one_size(pixels)
    first = _Side(references, compared[: len(references)], hashes[: len(references)])
    second = _Side(candidates, compared[len(references) :], hashes[len(references) :])
    context.progress("confirming near-duplicates")
    calibrations = _calibrations(study, config, first if len(references) > 1 else second, second)
    rows = _pairs(first, second, todo, config, calibrations)
    joined = edges([*rows, *todo.same], todo.verdicts)
    pool = [(member.image_id, member.class_id) for member in todo.candidates]
    drops = {drop.image_id: drop for drop in resolve(pool, joined, todo.kept)}
    with study.session() as session:
        _forget(session, todo.again)
        _store(session, rows, todo.new, drops)
    tally.details = _details(rows, todo.new, drops, calibrations)
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
    used = frozenset({"candidates", *(_SET_NAMES.get(name, name) for name in config.references)})
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


def _calibrations(
    study: Study, config: DedupConfig, reference: _Side, candidates: _Side
) -> dict[str, Calibration]:
    """The measured thresholds: against `references`, and within the `candidates`.

    Empty if pixels are not asked, the threshold is given, or there are not two images to measure
    on. The planted
    near-duplicates go through `[prepare]`, as a real one would.
    """
    measured_here = config.confirm == "pixels" and config.threshold is None
    if not measured_here or len(reference.image_ids) < 2:
        return {}
    steps = study.pipeline.prepare.steps
    height, width = reference.pixels.shape[1:]

    def edit(pixels: Pixels, random: np.random.Generator) -> Pixels:
        edited = np.zeros_like(pixels)
        for place, one in enumerate(pixels):
            # What cannot be prepared stays black: it counts as not found.
            with suppress(ItemError):
                again = decode(prepare(posted_again(one, random), steps)).convert("L")
                sized = again.resize((width, height), Pillow.Resampling.LANCZOS)
                edited[place] = np.asarray(sized)
        return edited

    # Candidates can go by mistake in two ways; each gets half of what is allowed.
    share = config.false_drops / 2 if config.within else config.false_drops
    measured = calibrate(
        reference.pixels,
        edit,
        radius=config.radius,
        bits=config.bits,
        seed=study.seed,
        max_false=share,
        sample=_PLANTED,
    )
    within = tightened(
        measured,
        candidates.pixels,
        seed=study.seed,
        bits=config.bits,
        max_false=share,
    )
    return {"references": measured, "candidates": within}


def _pairs(
    first: _Side,
    second: _Side,
    todo: _Todo,
    config: DedupConfig,
    calibrations: dict[str, Calibration],
) -> list[dict[str, Any]]:
    """Rows of `duplicate_pairs`: what the hash proposes and the pixels do not rule out."""
    thresholds = {name: measured.thresholds for name, measured in calibrations.items()}
    rows = _rows(
        first,
        second,
        pairs_within(first.hashes, second.hashes, config.radius),
        [todo.references[image] for image in first.image_ids],
        thresholds.get("references", _NO_DOUBT),
        config,
    )
    if config.within:
        rows += _rows(
            second,
            second,
            pairs_among(second.hashes, config.radius),
            ["candidates"] * len(second.image_ids),
            thresholds.get("candidates", _NO_DOUBT),
            config,
        )
    return rows


def _rows(
    first: _Side,
    second: _Side,
    pairs: Pairs,
    sets: Sequence[str],
    thresholds: Thresholds,
    config: DedupConfig,
) -> list[dict[str, Any]]:
    found = confirm(first.pixels, second.pixels, pairs, thresholds)
    distance, verdict = found.distance, found.verdict
    if config.confirm == "pixels" and config.threshold is not None:
        # A threshold that is given is one of plain squared L2, as the papers have it.
        distance = found.squared
        verdict = Thresholds(config.threshold, config.threshold).verdicts(distance)
    kept = np.flatnonzero(verdict != DIFFERENT)
    return [
        {
            "reference_id": first.image_ids[pairs.reference[i]],
            "candidate_id": second.image_ids[pairs.candidate[i]],
            "reference_set": sets[pairs.reference[i]],
            "distance": int(pairs.distance[i]),
            "pixel_distance": float(distance[i]),
            "verdict": str(verdict[i]),
        }
        for i in kept
    ]


def _forget(session: Session, image_ids: set[str]) -> None:
    ordered = sorted(image_ids)
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        session.execute(delete(DedupDecision).where(DedupDecision.image_id.in_(chunk)))


def _store(
    session: Session, rows: list[dict[str, Any]], new: Sequence[Member], drops: dict[str, Drop]
) -> None:
    known = set(
        session.execute(select(DuplicatePair.reference_id, DuplicatePair.candidate_id)).tuples()
    )
    unknown = [row for row in rows if (row["reference_id"], row["candidate_id"]) not in known]
    if unknown:
        session.execute(insert(DuplicatePair), unknown)
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
    rows: list[dict[str, Any]],
    new: Sequence[Member],
    drops: dict[str, Drop],
    calibrations: dict[str, Calibration],
) -> dict[str, Any]:
    dropped = Counter(
        f"duplicate_of_{drops[member.image_id].cause}" for member in new if member.image_id in drops
    )
    return {
        "pairs": dict(sorted(Counter(row["verdict"] for row in rows).items())),
        "dropped": dict(sorted(dropped.items())),
        "calibration": {name: measured.as_dict() for name, measured in calibrations.items()},
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
