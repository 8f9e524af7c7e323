"""The takedown list of a study: what is meant, what it is in, and taking it out.

An entry takes effect at once: the candidate pool, pages and sets ask the list whenever they are
made. What is left to do here is to find what is meant, to take back pages that were not sent yet,
to delete files if that is asked, and to say what holds the images still.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from replicate.base.clock import Clock, SystemClock
from replicate.base.errors import UsageError
from replicate.stages.erasing import bring_back, erase_images
from replicate.stages.publish_pages import forget_pages, stored_pages
from replicate.stages.takedown_names import images_of, is_meant, meant
from replicate.store.tables import (
    Candidate,
    Hit,
    SetImage,
    Takedown,
    TestSet,
    TestSetImage,
)
from replicate.store.takedowns import enter, in_force, matches, taken_down
from replicate.study import Study

_CHUNK = 500
_OPEN = "published"


@dataclass(frozen=True)
class Holder:
    """A set that holds images that were taken down.

    Attributes:
        name: A test set, or original, train, or a control.
        revision: The test set's revision; None for the others.
        frozen: Whether it can no longer change.
        images: How many of them it holds.
    """

    name: str
    revision: int | None
    frozen: bool
    images: int


@dataclass(frozen=True)
class Effect:
    """What an entry, or several, did.

    Attributes:
        entries: What was entered: kind and value.
        images: The ids of the study's images that it names.
        candidates: Candidates among them, or that were found and not fetched yet.
        pages_taken_back: Pages that were composed and not sent, and are composed anew.
        pages_open: Published pages that show one and that workers can still take.
        pages_done: Published pages that showed one.
        holders: The sets that hold one.
        files_deleted: How many files were deleted.
        report: Whether a report was written, which may show one.
    """

    entries: tuple[tuple[str, str], ...]
    images: tuple[str, ...]
    candidates: int
    pages_taken_back: int
    pages_open: int
    pages_done: int
    holders: tuple[Holder, ...]
    files_deleted: int = 0
    report: bool = False
    next: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        value = asdict(self)
        value["entries"] = [{"kind": kind, "value": text} for kind, text in self.entries]
        return value


def add(
    study: Study,
    things: Sequence[str],
    reason: str,
    *,
    kind: str | None = None,
    requested_by: str | None = None,
    erase: bool = False,
    clock: Clock | None = None,
) -> Effect:
    """Enter things into the takedown list.

    Args:
        study: The study.
        things: For each: an image id, or the first eight or more characters of one; the digest of
            a prepared image or a display copy; ``SET:NAME`` of an image of the original, train or
            a control set; a file with an image of the study; the address of a file or a page; or
            an owner.
        reason: Why.
        kind: ``image``, ``address`` or ``owner``: take the things for that, whether the study
            knows them or not.
        requested_by: Who asked for it.
        erase: Also delete the images' files from the study.
        clock: Where the time comes from.

    Raises:
        UsageError: The study knows no such thing; or no reason is given.
    """
    if not reason.strip():
        raise UsageError(
            "A takedown needs a reason.", "Give one: --reason 'asked for by its owner'"
        )
    now = (clock or SystemClock()).now()
    with study.session() as session:
        wanted = [meant(session, thing, kind) for thing in things]
        rows = [
            row
            for kind_, value in dict.fromkeys(wanted)
            for row in enter(session, kind_, [value], reason.strip(), requested_by, now)
        ]
        images = images_of(session, rows)
        deleted = _erase(study, session, rows, images, now) if erase else []
        effect = _effect(session, study, rows, images)
    # Files go last: were this cut off before, the same command deletes them again.
    gone = sum(_delete(store, digest) for store, digest in deleted)
    return _with_next(effect, gone, erase)


def lift(study: Study, things: Sequence[str], clock: Clock | None = None) -> list[Takedown]:
    """Take entries off the list: what they named may be used again.

    Args:
        study: The study.
        things: As they stand in the list; the first eight or more characters of an image id do.
        clock: Where the time comes from.

    Returns:
        The entries.

    Raises:
        UsageError: There is no such entry.
    """
    now = (clock or SystemClock()).now()
    with study.session() as session:
        entries = in_force(session)
        found = []
        for thing in things:
            same = [row for row in entries if is_meant(row, thing)]
            if not same:
                raise UsageError(
                    f"The takedown list has no entry {thing!r}.", "Show it: replicate takedown list"
                )
            found += same
        for row in found:
            row.lifted_at = now
        session.flush()
        bring_back(session, found)
    return found


def listed(study: Study) -> list[dict[str, Any]]:
    """The entries in force, each with the images of the study that it names and what holds them."""
    found = []
    with study.session() as session:
        for row in in_force(session):
            images = images_of(session, [row])
            found.append(
                {
                    "kind": row.kind,
                    "value": row.value,
                    "reason": row.reason,
                    "requested_by": row.requested_by,
                    "at": row.at.isoformat(timespec="seconds"),
                    "erased_at": row.erased_at and row.erased_at.isoformat(timespec="seconds"),
                    "images": sorted(images),
                    "sets": [asdict(holder) for holder in holders(session, images)],
                }
            )
    return found


def holders(session: Session, images: Iterable[str]) -> list[Holder]:
    """The sets that hold some of these images, test sets first."""
    ids = sorted(images)
    drawn: dict[tuple[str, int, bool], int] = {}
    given: dict[str, int] = {}
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        for name, revision, frozen_at, n in session.execute(
            select(TestSet.name, TestSet.revision, TestSet.frozen_at, func.count())
            .join(
                TestSetImage,
                (TestSetImage.name == TestSet.name) & (TestSetImage.revision == TestSet.revision),
            )
            .where(TestSetImage.image_id.in_(chunk))
            .group_by(TestSet.name, TestSet.revision, TestSet.frozen_at)
        ):
            key = (name, revision, frozen_at is not None)
            drawn[key] = drawn.get(key, 0) + n
        for name, n in session.execute(
            select(SetImage.set_name, func.count())
            .where(SetImage.image_id.in_(chunk), SetImage.status == "ok")
            .group_by(SetImage.set_name)
        ):
            given[name] = given.get(name, 0) + n
    return [Holder(*key, n) for key, n in sorted(drawn.items())] + [
        Holder(name, None, frozen=False, images=n) for name, n in sorted(given.items())
    ]


def _effect(session: Session, study: Study, rows: list[Takedown], images: set[str]) -> Effect:
    candidates = {
        key
        for row in rows
        for key in session.execute(
            select(Candidate.source, Candidate.source_id).where(matches(row.kind, row.value))
        ).tuples()
    }
    pages = [page for page in stored_pages(session) if page.images() & images]
    back = [page for page in pages if not page.sent]
    forget_pages(session, back)
    sent = [page.hit for page in pages if page.sent]
    return Effect(
        entries=tuple((row.kind, row.value) for row in rows),
        images=tuple(sorted(images)),
        candidates=len(candidates),
        pages_taken_back=len(back),
        pages_open=sum(_takeable(hit) for hit in sent),
        pages_done=sum(not _takeable(hit) for hit in sent),
        holders=tuple(holders(session, images)),
        report=bool(images) and (study.report_dir / "report.html").exists(),
    )


def _takeable(hit: Hit) -> bool:
    return hit.status in ("composed", _OPEN)  # composed: it was on its way when a run was cut off


def _erase(
    study: Study, session: Session, rows: list[Takedown], images: set[str], now: datetime
) -> list[tuple[Any, str]]:
    for row in rows:
        row.erased_at = now
    return erase_images(study, session, images, taken_down(session))


def _delete(store: Any, digest: str) -> int:
    return int(store.delete(digest))


def _with_next(effect: Effect, gone: int, erased: bool) -> Effect:
    """The effect, with what is left to do by hand."""
    todo = []
    if effect.images and not erased:
        todo.append("The files are still in the study; delete them as well: --delete-files")
    if effect.pages_open:
        broken = "; they show it as broken now" if erased else ""
        todo.append(
            f"{effect.pages_open} published pages show it, and can still be taken{broken}. Where "
            "the HITs are, end them if that must not be."
        )
    if names := sorted({holder.name for holder in effect.holders if holder.frozen}):
        todo.append(
            "Frozen sets never change: draw a revision without it (replicate sample --revise "
            f"{names[0]}), publish that, and tell whoever has the old one."
        )
    drawn = [holder for holder in effect.holders if holder.revision is not None]
    if names := sorted({holder.name for holder in drawn if not holder.frozen}):
        todo.append(
            "A set that is not frozen holds it, and can no longer be frozen; draw it without: "
            f"replicate sample --revise {names[0]}"
        )
    if effect.report:
        todo.append("The report may show it: write it again with replicate report")
    return Effect(**{**effect.__dict__, "files_deleted": gone, "next": tuple(todo)})
