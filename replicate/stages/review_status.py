"""What reviews of a study say so far: counts, agreement, what follows, and every verdict."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

Kind = Literal["duplicates", "sets"]


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
    """

    total: int
    looked: Mapping[str, int]
    enough: int
    disagreements: int
    together: Mapping[str, int]
    agreement: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "total": self.total,
            "looked": dict(self.looked),
            "enough": self.enough,
            "disagreements": self.disagreements,
            "together": dict(self.together),
            "agreement": dict(self.agreement),
        }


def status(study: Study) -> dict[str, Heard]:
    """What reviewers said, by what they looked at: ``duplicates``, and every set by its name."""
    found: dict[str, Heard] = {}
    least = study.pipeline.review.reviewers
    with study.session() as session:
        total = session.scalar(select(func.count()).select_from(DuplicatePair)) or 0
        together = Counter(pair_verdicts(session, study).values())
        pairs = reviews.pair_histories(session)
        found["duplicates"] = _heard(total, pairs.values(), least, together)
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


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def rows(session: Session, kind: Kind) -> list[dict[str, Any]]:
    """Every verdict that was ever given, the first first; ``counts`` where it is the latest."""
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


def columns(kind: Kind) -> list[str]:
    """The columns of `rows`."""
    own = (
        ["reference_id", "candidate_id", "reviewer", "verdict"]
        if kind == "duplicates"
        else ["image_id", "class_id", "reviewer", "verdict", "flags", "note", "set", "revision"]
    )
    return [*own, "at", "counts"]


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
