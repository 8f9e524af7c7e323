"""What reviews of a study say so far: counts, agreement, what follows, and every verdict."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from replicate.analysis.agreement import agreement
from replicate.stages.reviewed import left_out, pair_verdicts
from replicate.store import reviews
from replicate.store.queries import members_of_test_set, newest_revision
from replicate.store.reviews import History
from replicate.store.tables import DuplicatePair, DuplicateVerdict, SetReview
from replicate.study import Study

Kind = Literal["duplicates", "sets", "horizons"]


@dataclass(frozen=True)
class Heard:
    """What reviewers said of one kind of thing.

    Attributes:
        total: Things there are.
        looked: By reviewer, how many of them they have looked at.
        enough: Things that as many looked at as `[review] reviewers` says.
        disagreements: Things on which they do not all say the same.
        together: How many things each outcome has.
        agreement: On the first verdicts, given before others' could be seen.
        horizon: Of pairs: candidates that have any, those of them whose pairs were all looked
            at, and the smallest review horizon; None of sets.
    """

    total: int
    looked: Mapping[str, int]
    enough: int
    disagreements: int
    together: Mapping[str, int]
    agreement: Mapping[str, Any]
    horizon: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "total": self.total,
            "looked": dict(self.looked),
            "enough": self.enough,
            "disagreements": self.disagreements,
            "together": dict(self.together),
            "agreement": dict(self.agreement),
            **({} if self.horizon is None else {"horizon": dict(self.horizon)}),
        }


def status(study: Study) -> dict[str, Heard]:
    """What reviewers said, by what they looked at: ``duplicates``, and every set by its name."""
    found: dict[str, Heard] = {}
    least = study.pipeline.review.reviewers
    with study.session() as session:
        count = select(func.count()).select_from(DuplicatePair).where(reviews.VISIBLE)
        total = session.scalar(count) or 0
        together = Counter(pair_verdicts(session, study).values())
        pairs = reviews.pair_histories(session)
        heard = _heard(total, pairs.values(), least, together)
        found["duplicates"] = replace(heard, horizon=_horizon(session, least))
        items = reviews.item_histories(session)
        out = left_out(session, study)
        for block in study.pipeline.sample:
            row = newest_revision(session, block.name)
            if row is None:
                continue
            members = members_of_test_set(session, row.name, row.revision)
            keys = [(member.image_id, member.class_id) for member in members]
            said = [items[key] for key in keys if key in items]
            excluded = Counter(out[key] for key in keys if key in out)
            found[f"{row.name}-{row.revision}"] = _heard(len(keys), said, least, excluded)
    return found


def _heard(
    total: int, histories: Iterable[History], least: int, together: Mapping[str, int]
) -> Heard:
    known = list(histories)
    first = agreement([given.verdict for given in each.first.values()] for each in known)
    return Heard(
        total=total,
        looked=dict(sorted(Counter(name for each in known for name in each.latest).items())),
        enough=sum(len(each.latest) >= least for each in known),
        disagreements=sum(each.disagreement for each in known),
        together=dict(sorted(together.items())),
        agreement={
            "compared": first.things,
            "agreed": _known(first.agreed),
            "alpha": _known(first.alpha),
        },
    )


def _horizon(session: Session, least: int) -> dict[str, Any]:
    found = reviews.horizons(session, least).values()
    return {
        "candidates": len(found),
        "complete": sum(math.isinf(each.distance) for each in found),
        "smallest": _shown(min(each.distance for each in found)) if found else None,
    }


def _shown(distance: float) -> float:
    """A horizon as it is shown: 1 where nothing is left, for that is the largest distance."""
    return min(max(distance, 0.0), 1.0)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def rows(session: Session, kind: Kind, least: int = 1) -> list[dict[str, Any]]:
    """A table of reviews.

    Args:
        session: An open session.
        kind: ``duplicates`` or ``sets``: every verdict that was ever given, the first first, and
            whether it ``counts``: whether it is the latest of its reviewer. ``horizons``: how far
            the pairs of each candidate were looked at.
        least: How many reviewers must have looked at a pair, for horizons.
    """
    if kind == "horizons":
        return [
            {
                "image_id": image_id,
                "horizon": _shown(each.distance),
                "complete": math.isinf(each.distance),
                "pairs": each.pairs,
                "looked": each.looked,
            }
            for image_id, each in reviews.horizons(session, least).items()
        ]
    if kind == "duplicates":
        said = [_of_pair(row) for row in _ordered(session, DuplicateVerdict, "verdict_id")]
        keys = ("reference_id", "candidate_id", "reviewer")
    else:
        said = [_of_image(row) for row in _ordered(session, SetReview, "review_id")]
        keys = ("image_id", "class_id", "reviewer")
    latest = {tuple(row[key] for key in keys): place for place, row in enumerate(said)}
    last = set(latest.values())
    return [
        {**row, "counts": place in last and row["verdict"] != reviews.WITHDRAWN}
        for place, row in enumerate(said)
    ]


_COLUMNS: dict[Kind, list[str]] = {
    "duplicates": ["reference_id", "candidate_id", "reviewer", "verdict", "at", "counts"],
    "sets": [
        *("image_id", "class_id", "reviewer", "verdict", "flags", "note", "set", "revision"),
        *("at", "counts"),
    ],
    "horizons": ["image_id", "horizon", "complete", "pairs", "looked"],
}


def columns(kind: Kind) -> list[str]:
    """The columns of `rows`."""
    return _COLUMNS[kind]


def _ordered(session: Session, table: Any, key: str) -> Any:
    return session.scalars(select(table).order_by(getattr(table, key)))


def _of_pair(row: DuplicateVerdict) -> dict[str, Any]:
    return {
        "reference_id": row.reference_id,
        "candidate_id": row.candidate_id,
        "reviewer": row.reviewer,
        "verdict": row.verdict,
        "at": row.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _of_image(row: SetReview) -> dict[str, Any]:
    return {
        "image_id": row.image_id,
        "class_id": row.class_id,
        "reviewer": row.reviewer,
        "verdict": row.verdict,
        "flags": " ".join(row.flags),
        "note": row.note,
        "set": row.set_name,
        "revision": row.revision,
        "at": row.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
