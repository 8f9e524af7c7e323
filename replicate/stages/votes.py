"""Votes from elsewhere into a study, and a study's votes out of it.

What was imported once is not imported again: a submission is known by its HIT, class and worker.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from replicate.base.clock import Clock, SystemClock
from replicate.base.digests import digest_value
from replicate.base.errors import MissingError
from replicate.crowd.imports import Imported, ImportedVote
from replicate.crowd.providers import mode_text
from replicate.stages.common import Tally
from replicate.stages.labelling import KEY_FILE, refuse_mixture, secret_key, worker_hash
from replicate.store import queries
from replicate.store.tables import (
    Assignment,
    Batch,
    Candidate,
    Hit,
    HitImage,
    PreparedImage,
    SetImage,
    Vote,
)
from replicate.store.workers import refresh_estimates
from replicate.study import Study

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("image_id", "class_id", "worker", "status", "vote")
_EXPORT = """
SELECT v.image_id AS image_id, v.class_id AS class_id, v.role AS role, v.worker_id AS worker,
       v.value AS vote, a.status AS status, a.simulated AS simulated,
       CASE WHEN c.slot IS NULL THEN 0 ELSE 1 END AS counted,
       h.expert_round AS expert_round, a.assignment_id AS assignment, h.hit_id AS hit,
       v.slot AS slot, v.milliseconds AS milliseconds, a.seconds AS seconds,
       a.submitted_at AS submitted_at, b.mode AS mode
FROM votes v
JOIN assignments a ON a.assignment_id = v.assignment_id
JOIN hits h ON h.hit_key = a.hit_key
LEFT JOIN batches b ON b.batch_id = h.batch_id
LEFT JOIN counted_votes c ON c.assignment_id = v.assignment_id AND c.slot = v.slot
ORDER BY h.class_id, h.number, a.assignment_id, v.slot
"""


def table_of(found: Imported, key: bytes) -> "pd.DataFrame":
    """Imported votes as the table that `replicate freq` reads; workers as keyed hashes.

    Args:
        found: The votes.
        key: What workers' ids are hashed with.
    """
    import pandas as pd

    rows = [
        (v.image, v.class_id, worker_hash(key, v.worker), v.status, v.vote) for v in found.votes
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def import_votes(study: Study, found: Imported, kind: str, clock: Clock | None = None) -> Tally:
    """Put imported votes into a study.

    Images are known by their id, by the name of an original, by a candidate's address or source
    id, or by the file name in one of those, where that is one image only.

    Args:
        study: The study.
        found: The votes; what cannot be used is counted in it as well.
        kind: The format that they came in.
        clock: Where the time comes from.

    Returns:
        Submissions stored (done), stored before (skipped), and what was left out by reason.

    Raises:
        GuardError: The study's votes are simulated.
        MissingError: The study knows no image yet.
    """
    mode = mode_text("imported", kind, "people who worked elsewhere")
    refuse_mixture(study, False, mode)
    key = secret_key(study.root / KEY_FILE)
    classes = {each.class_id for each in study.classes}
    tally = Tally(details={"mode": mode, "rows": found.rows, "votes": 0})
    with study.session() as session:
        images = _Images(session)
        groups: dict[tuple[str, str], dict[str, list[tuple[str, ImportedVote]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for vote in found.votes:
            image = images.find(vote.image)
            if vote.class_id not in classes:
                found.leave_out("unknown_class", f"class {vote.class_id!r}")
            elif image is None:
                found.leave_out(images.why(vote.image), f"image {vote.image!r}")
            else:
                page = vote.hit or f"{image}"
                groups[page, vote.class_id][worker_hash(key, vote.worker)].append((image, vote))
        batch = _Batch(mode, (clock or SystemClock()).now())
        for (page, class_id), workers in groups.items():
            _store(session, batch, images, page, class_id, workers, tally)
        refresh_estimates(session)
    tally.failed.update(found.left_out)
    tally.notes += [f"{reason}: {where}" for reason, where in sorted(found.examples.items())]
    return tally


class _Images:
    """A study's images by the names that files elsewhere may call them."""

    def __init__(self, session: Session) -> None:
        self._names: dict[str, set[str]] = defaultdict(set)
        self.originals: dict[str, set[str]] = defaultdict(set)
        for row in session.scalars(select(SetImage).where(SetImage.set_name == "original")):
            if row.image_id is not None:
                self._add(row.image_id, row.image_id, row.name)
                self.originals[row.image_id].add(row.class_id)
        for each in session.scalars(select(Candidate).where(Candidate.image_id.is_not(None))):
            self._add(each.image_id or "", each.image_id or "", each.source_id, each.url)
        for kept in session.scalars(select(PreparedImage)):
            self._add(kept.image_id, kept.image_id, kept.prepared_id, kept.display_id)
        if not self._names:
            raise MissingError(
                "The study knows no images that votes could be on.", "Run first: replicate gather"
            )

    def _add(self, image: str, *names: str | None) -> None:
        for name in names:
            for each in {name, *_file_names(name or "")} - {None, ""}:
                self._names[str(each)].add(image)

    def find(self, name: str) -> str | None:
        """The image of a name, if it is exactly one."""
        for each in (name, *_file_names(name)):
            found = self._names.get(each, set())
            if found:
                return next(iter(found)) if len(found) == 1 else None
        return None

    def why(self, name: str) -> str:
        """Why a name is no image."""
        known = any(self._names.get(each) for each in (name, *_file_names(name)))
        return "ambiguous_image" if known else "unknown_image"

    def role(self, image: str, class_id: str) -> str:
        """What an image of a foreign page is: an original is a control."""
        classes = self.originals.get(image)
        if classes is None:
            return "candidate"
        return "positive" if class_id in classes else "negative"


def _file_names(name: str) -> tuple[str, ...]:
    """The file name in an address or path, with and without its suffix."""
    try:
        path = PurePosixPath(unquote(urlsplit(name).path).replace("\\", "/"))
    except ValueError:
        return ()
    return (path.name, path.stem) if path.name else ()


class _Batch:
    """The batch of one import; made when there is something in it."""

    def __init__(self, mode: str, now: datetime) -> None:
        self.mode = mode
        self.now = now
        self._row: Batch | None = None

    def row(self, session: Session) -> Batch:
        """Its row."""
        if self._row is None:
            self._row = Batch(
                mode=self.mode,
                provider="imported",
                endpoint=None,
                simulated=False,
                hits=0,
                assignments=0,
                reward="0.00",
                fees="0.00",
                composition={},
                composition_digest=digest_value({}),
                confirmed_by="",
                confirmed_at=self.now,
            )
            session.add(self._row)
            session.flush()
        return self._row


def _store(
    session: Session,
    batch: _Batch,
    images: _Images,
    page: str,
    class_id: str,
    workers: dict[str, list[tuple[str, ImportedVote]]],
    tally: Tally,
) -> None:
    """One page of one class: its images, and each worker's submission that is not here yet."""
    hit_key = digest_value(["imported", page, class_id])
    known = set(session.scalars(select(Assignment.worker_id).where(Assignment.hit_key == hit_key)))
    new = {worker: votes for worker, votes in workers.items() if worker not in known}
    tally.skipped += len(workers) - len(new)
    if not new:
        return
    slots = _slots(session, batch, hit_key, class_id, new.values(), images)
    for worker, votes in sorted(new.items()):
        first = votes[0][1]
        assignment_id = "imported-" + digest_value([hit_key, worker])[:32]
        session.add(
            Assignment(
                assignment_id=assignment_id,
                hit_key=hit_key,
                worker_id=worker,
                status=first.status,
                accepted_at=None,
                submitted_at=first.submitted,
                seconds=first.seconds,
                answer="",
                simulated=False,
            )
        )
        session.flush()
        once = dict(votes)  # an image that a page names twice has one vote
        session.execute(
            insert(Vote),
            [
                {
                    "assignment_id": assignment_id,
                    "slot": slots[image],
                    "image_id": image,
                    "class_id": class_id,
                    "worker_id": worker,
                    "role": images.role(image, class_id),
                    "value": vote.vote,
                    "milliseconds": None,
                }
                for image, vote in once.items()
            ],
        )
        tally.done += 1
        tally.details["votes"] += len(once)
    row = batch.row(session)
    row.assignments += len(new)
    hit = session.get_one(Hit, hit_key)
    hit.assignments = len(known) + len(new)


def _slots(
    session: Session,
    batch: _Batch,
    hit_key: str,
    class_id: str,
    votes: Iterable[Sequence[tuple[str, ImportedVote]]],
    images: _Images,
) -> dict[str, str]:
    """The slot of every image of a page; the page's row is made if it is new."""
    if session.get(Hit, hit_key) is None:
        row = batch.row(session)
        row.hits += 1
        number = len(session.scalars(select(Hit.hit_key).where(Hit.class_id == class_id)).all())
        session.add(
            Hit(
                hit_key=hit_key,
                class_id=class_id,
                number=number,
                assignments=0,
                reward="0.00",
                hit_id=f"imported-{hit_key[:32]}",
                published_at=batch.now,
                status="imported",
                batch_id=row.batch_id,
            )
        )
        session.flush()
    shown = session.scalars(select(HitImage).where(HitImage.hit_key == hit_key)).all()
    slots = {each.image_id: each.slot for each in shown}
    for image in sorted({image for each in votes for image, _ in each} - slots.keys()):
        slots[image] = f"i{len(slots) + 1:02d}"
        role = images.role(image, class_id)
        session.add(HitImage(hit_key=hit_key, slot=slots[image], image_id=image, role=role))
    session.flush()
    return slots


def export_votes(study: Study) -> "pd.DataFrame":
    """Every vote of a study, one a row; workers are keyed hashes, as the study keeps them.

    ``counted`` says whether it counts in selection frequencies.

    Raises:
        MissingError: There is none.
    """
    import pandas as pd

    with study.session() as session:
        if not queries.votes_digest(session):
            raise MissingError(
                "The study has no votes yet.", "Run first: replicate collect, or replicate annotate"
            )
        rows: list[Any] = [tuple(row) for row in session.execute(text(_EXPORT)).all()]
    names = [
        "image_id", "class_id", "role", "worker", "vote", "status", "simulated", "counted",
        "expert_round", "assignment", "hit", "slot", "milliseconds", "seconds", "submitted_at",
        "mode",
    ]  # fmt: skip
    # As objects: a column of whole numbers and gaps would become fractions.
    frame = pd.DataFrame(rows, columns=names, dtype=object)
    frame["submitted_at"] = [None if at is None else str(at) for at in frame["submitted_at"]]
    return frame.astype({"simulated": bool, "counted": bool})
