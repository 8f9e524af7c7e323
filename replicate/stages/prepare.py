"""prepare: every image goes through the transformations of `[prepare]`, alike.

Originals and candidates also get the copy that workers see; images of the train and control sets,
which no worker sees, do not. A copy that people were shown stays: rows go on naming it.
"""

from collections.abc import Iterator, Set

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from replicate.base.errors import ItemError, MissingError
from replicate.sources.display import display_copy, display_form
from replicate.sources.prepare import find
from replicate.sources.prepare import prepare as prepare_bytes
from replicate.stages.common import Context, Tally, stage
from replicate.store.tables import Candidate, Hit, HitImage, PreparedImage, SetImage
from replicate.store.takedowns import taken_down

_BATCH = 200


@stage("prepare")
def prepare(context: Context) -> Tally:
    """Prepare every image that was not prepared in this way before."""
    study = context.study
    config = study.pipeline.prepare
    for name in config.steps:
        find(name)
    form = display_form(config.display_size, config.display_format, config.display_quality)
    with study.session() as session:
        shown, unseen = _images(session)
        published = _published(session)
        before = {
            row.image_id: row
            for row in session.execute(
                select(
                    PreparedImage.image_id,
                    PreparedImage.status,
                    PreparedImage.reason,
                    PreparedImage.display_id,
                    PreparedImage.display_form,
                ).where(PreparedImage.steps == study.steps)
            )
        }
    if not shown:
        raise MissingError(
            "There are no images to prepare.", "Run the stage before first: replicate gather"
        )
    todo, other_form = [], 0
    for image_id in sorted(shown | unseen):
        row = before.get(image_id)
        if row is None:
            todo.append(image_id)
        elif row.status == "failed":
            if context.retries(row.reason):
                todo.append(image_id)
        elif image_id in shown and row.display_id is None:
            todo.append(image_id)
        elif image_id in shown and row.display_form != form:
            # Copies of one form only: another format would tell what was gathered later. But what
            # people were shown stays on record as it was.
            if image_id in published:
                other_form += row.display_form is not None
            else:
                todo.append(image_id)
    tally = Tally(skipped=len(shown | unseen) - len(todo))
    if other_form:
        tally.notes.append(
            f"{other_form} images that people were shown keep the copies of an earlier [prepare] "
            f"display_size, display_format or display_quality; others are {form}."
        )
    for start in range(0, len(todo), _BATCH):
        context.progress("preparing", start, len(todo))
        rows = list(_prepared(context, todo[start : start + _BATCH], shown, tally))
        with study.session() as session:
            _store(session, rows, before.keys())
    return tally


def _images(session: Session) -> tuple[set[str], set[str]]:
    """Images that workers may see, and images that they never see; without those taken down."""
    sets = session.execute(
        select(SetImage.image_id, SetImage.set_name).where(SetImage.status == "ok")
    ).all()
    candidates = session.scalars(select(Candidate.image_id).where(Candidate.status == "ok"))
    shown = {row.image_id for row in sets if row.set_name == "original"}
    shown |= {image_id for image_id in candidates if image_id is not None}
    down = taken_down(session)
    return shown - down, {row.image_id for row in sets} - shown - down


def _published(session: Session) -> set[str]:
    """Images on pages that were published: somebody may have seen their copies."""
    rows = select(HitImage.image_id).join(Hit, Hit.hit_key == HitImage.hit_key)
    return set(session.scalars(rows.where(Hit.status != "composed")))


def _prepared(
    context: Context, image_ids: list[str], shown: set[str], tally: Tally
) -> Iterator[dict[str, str | None]]:
    study, config = context.study, context.study.pipeline.prepare
    display = (config.display_size, config.display_format, config.display_quality)
    for image_id in image_ids:
        row: dict[str, str | None] = {
            "image_id": image_id,
            "steps": study.steps,
            "prepared_id": None,
            "display_id": None,
            "display_form": None,
            "status": "ok",
            "reason": None,
        }
        try:
            gathered = _read(context, image_id)
            data = prepare_bytes(gathered, config.steps)
            copy = display_copy(data, *display) if image_id in shown else None
        except ItemError as error:
            row |= {"status": "failed", "reason": error.reason}
            tally.failed[error.reason] += 1
        else:
            if data == gathered:
                row["prepared_id"] = study.prepared.adopt(study.images, image_id)
            else:
                row["prepared_id"] = study.prepared.put(data)
            if copy is not None:
                row["display_id"] = study.displays.put(copy)
                row["display_form"] = display_form(*display)
            tally.done += 1
        yield row


def _read(context: Context, image_id: str) -> bytes:
    try:
        return context.study.images.get(image_id)
    except FileNotFoundError as error:
        raise ItemError("file_missing", f"the file of image {image_id} is gone") from error


def _store(session: Session, rows: list[dict[str, str | None]], known: Set[str]) -> None:
    if new := [row for row in rows if row["image_id"] not in known]:
        session.execute(insert(PreparedImage), new)
    if old := [row for row in rows if row["image_id"] in known]:
        session.execute(update(PreparedImage), old)
