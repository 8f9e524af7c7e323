"""Publishing a test set: an export appears whole or not at all, and only of a frozen set."""

import difflib
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.base.errors import GuardError, MissingError, ReplicateError, UsageError
from replicate.reporting.export import describe, write_export
from replicate.reporting.export_check import check
from replicate.reporting.export_data import Bytes, Export, ExportClass, ExportImage, Licence
from replicate.reporting.export_folder import MANIFEST, Folder
from replicate.reporting.export_images import folder_names
from replicate.sampling.frozen import Frozen
from replicate.sources import licences
from replicate.stages.common import Progress, no_progress
from replicate.stages.export_facts import annotation, gathering, reviewed
from replicate.stages.export_tables import tables
from replicate.stages.freezing import manifest_of
from replicate.store import queries
from replicate.store.queries import Member
from replicate.store.safety import held
from replicate.store.tables import Candidate, TestSet, TestSetImage
from replicate.store.takedowns import taken_down
from replicate.study import Study

SHARD_SIZE = 1000
_CHUNK = 500  # of ids in one statement


@dataclass(frozen=True)
class Exported:
    """What exporting did.

    Attributes:
        folder: Where the export is.
        about: What its ``export.json`` says.
        written: Whether it was written now; otherwise it was there already, whole.
    """

    folder: Path
    about: dict[str, Any]
    written: bool

    @property
    def left_out(self) -> int:
        """How many images of the set are not in it."""
        return sum(len(ids) for ids in self.about["left_out"].values())


def export(
    study: Study,
    kind: str,
    set_name: str,
    out: Path,
    bytes_: Bytes = "prepared",
    shard_size: int = SHARD_SIZE,
    *,
    exploratory: bool = False,
    progress: Progress = no_progress,
) -> Exported:
    """Write an export of a set into a folder that is not there yet, or is empty.

    Where the same export is there already, it is checked and left as it is.

    Args:
        study: The study.
        kind: A format.
        set_name: The set, by its name (the newest revision) or as ``name-revision``.
        out: The folder.
        bytes_: Which bytes of the images are published.
        shard_size: Images a shard, at least 1.
        exploratory: Export a set that is not frozen, and say so in it.
        progress: Where to show progress.

    Raises:
        UsageError: There is no such set, or the folder holds something else.
        MissingError: The set was not drawn yet, or an image's file is gone.
        GuardError: The set is not frozen; or somebody else writes the same folder.
        ReplicateError: A file has other content than was frozen; or the folder holds this export
            and is damaged.
    """
    with study.session() as session:
        row = find_set(session, study, set_name)
        if row.frozen_at is None and not exploratory:
            raise GuardError(
                f"The set {row.name}-{row.revision} is not frozen: it may still change, so it is "
                "not published.",
                f"Freeze it: replicate sample freeze {row.name}; or look at it: add --exploratory",
            )
        found = material(session, study, row, bytes_)
    about = describe(found, kind, shard_size)
    there = _already(out, about["key"])
    if there is not None:
        return Exported(out, there, False)
    with _partial(out) as folder:
        about = write_export(Folder(folder), found, kind, shard_size, progress)
    return Exported(out, about, True)


def find_set(session: Session, study: Study, name: str) -> TestSet:
    """A test set by its name, or by name and revision.

    Raises:
        UsageError: There is none of that name.
        MissingError: It was not drawn yet.
    """
    row = queries.newest_revision(session, name)
    if row is not None:
        return row
    stem, _, revision = name.rpartition("-")
    if stem and revision.isdigit():
        row = session.get(TestSet, (stem, int(revision)))
        if row is not None:
            return row
    names = [block.name for block in study.pipeline.sample]
    if name in names:
        raise MissingError(f"The test set {name!r} was not drawn yet.", "Draw it: replicate sample")
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Its sets are: {', '.join(names)}"
    raise UsageError(f"The study has no test set {name!r}.", hint)


def material(session: Session, study: Study, row: TestSet, bytes_: Bytes) -> Export:
    """All that exports of a set are made from."""
    frozen = manifest_of(session, study, row)
    members = [Member(*pair) for pair in frozen.manifest.members]
    hidden = {"taken_down": taken_down(session)}
    hidden["reported_unsafe"] = held(session) - hidden["taken_down"]
    gone = set().union(*hidden.values())
    images = _images(session, study, row, frozen, bytes_, gone)
    drawn = row.drawn_from or {}
    classes = list(study.classes)
    names = folder_names([item.class_id for item in classes])
    stores = {"prepared": study.prepared, "gathered": study.images, "display": study.displays}
    original = queries.set_members(session, "original")
    return Export(
        study=study.pipeline.study.name,
        name=row.name,
        revision=row.revision,
        digest=row.digest,
        manifest_digest=frozen.digest,
        manifest=frozen.text(),
        frozen_at=frozen.record["frozen_at"],
        created_at=str(row.created_at),
        strategy=row.strategy,
        parameters=row.parameters,
        match=row.match or {},
        original=f"the original test set `{study.pipeline.original.test}`",
        n_original=len(original),
        steps=frozen.record["steps"],
        which_bytes=bytes_,
        classes=tuple(
            ExportClass(c.class_id, c.position, c.name, c.synonyms, c.gloss, folder)
            for c, folder in zip(classes, names, strict=True)
        ),
        images=images,
        left_out={
            reason: [member.image_id for member in members if member.image_id in images_]
            for reason, images_ in hidden.items()
        },
        annotation=annotation(session, study, row, images),
        gathering=gathering(session, study, row),
        seed=study.seed,
        versions=drawn.get("versions") or frozen.record["versions"],
        read=stores[bytes_].get,
        notes=(reviewed(session, images),),
        tables=tables(study, frozenset(members), gone, licence),
    )


def licence(source: str, code: str | None) -> Licence:
    """The licence that a source's code stands for, as exports write it."""
    found = licences.licence(source, code)
    return Licence(found.code, found.name, found.url)


def _images(
    session: Session, study: Study, row: TestSet, frozen: Frozen, bytes_: Bytes, gone: set[str]
) -> tuple[ExportImage, ...]:
    drawn = session.scalars(
        select(TestSetImage)
        .where(TestSetImage.name == row.name, TestSetImage.revision == row.revision)
        .order_by(TestSetImage.position)
    ).all()
    votes = {(f.image_id, f.class_id): f for f in queries.frequencies(session)}
    sources = _sources(session, {image.image_id for image in drawn})
    labels = {item.class_id: item.position for item in study.classes}
    displays = queries.prepared_ids(session, frozen.record["steps"]) if bytes_ == "display" else {}
    found = []
    for image, prepared in zip(drawn, frozen.prepared, strict=True):
        if image.image_id in gone:
            continue
        published = {
            "gathered": image.image_id,
            "prepared": prepared,
            "display": displays.get(image.image_id, (None, None))[1],
        }[bytes_]
        if published is None:
            raise MissingError(
                f"Image {image.image_id} of the set {row.name}-{row.revision} has no {bytes_} "
                "bytes.",
                "Publish others: --bytes gathered; or make them: replicate prepare",
            )
        key = (image.image_id, image.class_id)
        voted, source = votes.get(key), sources.get(key) or sources.get((image.image_id, ""))
        found.append(
            ExportImage(
                position=image.position,
                image_id=image.image_id,
                published_id=published,
                class_id=image.class_id,
                label=labels[image.class_id],
                stratum=image.stratum,
                filled=image.filled,
                selected=voted.selected if voted else None,
                shown=voted.shown if voted else None,
                **(_source(source) if source is not None else {}),
            )
        )
    return tuple(found)


def _sources(session: Session, images: set[str]) -> dict[tuple[str, str], Candidate]:
    """Where each image was found: for its class, else (class "") for any."""
    found: dict[tuple[str, str], Candidate] = {}
    names = sorted(images)
    for start in range(0, len(names), _CHUNK):
        rows = session.scalars(
            select(Candidate)
            .where(Candidate.status == "ok", Candidate.image_id.in_(names[start : start + _CHUNK]))
            .order_by(Candidate.source, Candidate.class_id, Candidate.position, Candidate.source_id)
        )
        for row in rows:
            found.setdefault((str(row.image_id), row.class_id), row)
            found.setdefault((str(row.image_id), ""), row)
    return found


def _source(row: Candidate) -> dict[str, Any]:
    return {
        "source": row.source,
        "source_id": row.source_id,
        "page_url": row.page_url or "",
        "url": row.url,
        "owner": row.owner or "",
        "title": row.title or "",
        "licence": licence(row.source, row.licence),
        "uploaded": row.uploaded or "",
        "taken": row.taken or "",
    }


def _already(out: Path, key: str) -> dict[str, Any] | None:
    """What an export that is there says of itself, if it is the same one and whole.

    Raises:
        UsageError: Something else is there.
        ReplicateError: It is there, but damaged.
    """
    if not out.exists() and not out.is_symlink():
        return None
    if not out.is_dir():
        raise UsageError(f"{out} is no folder.", "Name a folder that is not there yet.")
    if not any(out.iterdir()):
        return None
    found = check(out) if (out / MANIFEST).is_file() else None
    if found is None or found.about.get("key") != key:
        raise UsageError(
            f"{out} is not empty" + ("" if found is None else ", and holds another export") + ".",
            "Name a folder that is not there yet, or delete that one.",
        )
    if found.faults:
        raise ReplicateError(
            f"{out} holds this export, but {len(found.faults)} files are wrong: {found.faults[0]}",
            f"See all: replicate verify {out}; delete the folder, and export again.",
        )
    return found.about


@contextmanager
def _partial(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place when the block ends well.

    What a killed run left is cleared away; nobody else writes it meanwhile.

    Raises:
        GuardError: Another process does.
    """
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f".{out.name}.partial")
    folder.mkdir(exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GuardError(
                f"Another replicate is exporting to {out}.", "Wait for it, or name another folder."
            ) from None
        try:
            _clear(folder)
            yield folder
            if out.exists():
                out.rmdir()  # it is empty
            folder.rename(out)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(handle)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
