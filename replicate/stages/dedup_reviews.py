"""What reviewers' verdicts on pairs mean for dedup: they go before what the pixels say."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.duplicates.clusters import Edge
from replicate.duplicates.cuts import SURE
from replicate.store.reviews import DIFFERENT, SAME, Pair
from replicate.store.tables import DedupDecision, DuplicatePair

Row = Mapping[str, Any]  # a row of duplicate_pairs


def edges(rows: Sequence[Row], verdicts: Mapping[Pair, str]) -> list[Edge]:
    """The pairs that count: those that pixels are sure of, unless reviewers say otherwise."""
    return [
        Edge(
            row["reference_id"],
            row["candidate_id"],
            row["reference_set"] != "candidates",
            _distance(row),
        )
        for row in rows
        if _counts(row["verdict"], verdicts.get((row["reference_id"], row["candidate_id"])))
    ]


def _distance(row: Row) -> float:
    """How far the images of a pair are; a pair that nobody could look at explains a drop least."""
    pixels: float | None = row["pixel_distance"]
    return 1.0 + float(row["distance"]) if pixels is None else pixels


def said_same(
    session: Session,
    verdicts: Mapping[Pair, str],
    references: Container[str],
    candidates: Container[str],
) -> list[Row]:
    """The stored pairs that reviewers call the same, whether the search finds them again or not.

    Args:
        session: An open session.
        verdicts: What reviewers say together.
        references: The images of the reference sets.
        candidates: The candidates that are there.
    """
    if SAME not in verdicts.values():
        return []
    return [
        {
            "reference_id": row.reference_id,
            "candidate_id": row.candidate_id,
            "reference_set": row.reference_set,
            "distance": row.distance,
            "pixel_distance": row.pixel_distance or 0.0,
            "verdict": row.verdict,
        }
        for row in session.scalars(select(DuplicatePair))
        if verdicts.get((row.reference_id, row.candidate_id)) == SAME
        and row.candidate_id in candidates
        and row.reference_id in (candidates if row.reference_set == "candidates" else references)
    ]


def decided_otherwise(
    session: Session,
    verdicts: Mapping[Pair, str],
    used: Container[str],
    candidates: Container[str],
) -> set[str]:
    """Candidates that are to be decided about again, for reviewers say otherwise.

    Who keeps a candidate that reviewers call the same as another one, or who dropped one for a
    pair that does not count (any more), decides again: about all that was dropped, for what goes
    with whom may have changed, and about the kept candidates in question.

    Args:
        session: An open session.
        verdicts: What reviewers say together.
        used: The names of the reference sets that are searched now, and ``candidates``.
        candidates: The candidates that are there.

    Returns:
        Image ids; none while decisions and verdicts agree.
    """
    if not verdicts:
        return set()
    rows = session.scalars(select(DedupDecision))
    decisions = {row.image_id: row for row in rows if row.image_id in candidates}
    kept = {image for image, row in decisions.items() if row.keep}
    again: set[str] = set()
    wrong = False
    for row in session.scalars(select(DuplicatePair)):
        pair = (row.reference_id, row.candidate_id)
        if row.reference_set not in used:
            continue
        others = {pair[0]} if row.reference_set == "candidates" else set()
        if verdicts.get(pair) == SAME and {pair[1], *others} <= kept:
            again |= {pair[1], *others}
        elif not _counts(row.verdict, verdicts.get(pair)):
            wrong |= _caused(decisions, pair) or _caused(decisions, (pair[1], pair[0]))
    dropped = {image for image, row in decisions.items() if not row.keep}
    return again | dropped if again or wrong else set()


def _counts(found: str, said: str | None) -> bool:
    return said == SAME or (found == SURE and said != DIFFERENT)


def _caused(decisions: Mapping[str, DedupDecision], pair: Pair) -> bool:
    decision = decisions.get(pair[1])
    return decision is not None and not decision.keep and decision.because_of == pair[0]
