"""What is meant when somebody names an image: by id, file, place in a set, address or owner."""

import re
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from replicate.base.digests import sha256_bytes
from replicate.base.errors import UsageError
from replicate.store.tables import Candidate, Image, PreparedImage, SetImage, Takedown
from replicate.store.takedowns import ADDRESS, IMAGE, OWNER, matches


def meant(session: Session, thing: str, kind: str | None) -> tuple[str, str]:
    """What somebody means, as kind and value of an entry.

    Args:
        session: An open session.
        thing: What they say; see `replicate.stages.takedowns.add`.
        kind: What it is, if they say so; then the study need not know it.

    Raises:
        UsageError: The study knows no such thing.
    """
    if kind is not None and kind != IMAGE:
        return kind, thing
    if (image_id := _image(session, thing)) is not None:
        return IMAGE, image_id
    if kind == IMAGE:
        if re.fullmatch(r"[0-9a-f]{64}", thing):
            return IMAGE, thing
        raise UsageError(
            f"{thing!r} is no image of this study.",
            'Give its image id (replicate db query "SELECT image_id, url FROM candidates"), a '
            "file with it, or SET:NAME.",
        )
    for name in (ADDRESS, OWNER):
        if session.scalar(select(Candidate.source_id).where(matches(name, thing)).limit(1)):
            return name, thing
    if re.fullmatch(r"[0-9a-f]{1,7}", thing):
        raise UsageError(
            f"{thing!r} is too short for an image id, and no owner of this study.",
            "Give at least eight characters of the id, the file, SET:NAME, an address or an owner.",
        )
    raise UsageError(
        f"This study has no image, address or owner {thing!r}.",
        "To keep something out that was not gathered yet, say what it is: --as address, --as owner "
        "or --as image.",
    )


def _image(session: Session, thing: str) -> str | None:
    """The id of the image that is named by id, digest of a copy, file, or place in a set."""
    if re.fullmatch(r"[0-9a-f]{8,64}", thing):
        return _by_digest(session, thing)
    set_name, _, name = thing.partition(":")
    if name and "/" not in set_name:
        found = session.scalar(
            select(SetImage.image_id).where(SetImage.set_name == set_name, SetImage.name == name)
        )
        if found is not None:
            return found
    path = Path(thing)
    if "://" not in thing and path.is_file():
        digest = sha256_bytes(path.read_bytes())
        found = _by_digest(session, digest)
        if found is None:
            raise UsageError(
                f"The file {thing} is no image of this study, to the byte.",
                "Look for its near-duplicates: replicate duplicates --reference FOLDER "
                "--candidates images",
            )
        return found
    return None


def _by_digest(session: Session, start: str) -> str | None:
    """The image whose own file, prepared bytes or display copy has a digest that begins so."""
    columns = (PreparedImage.image_id, PreparedImage.prepared_id, PreparedImage.display_id)
    found = set(session.scalars(select(Image.image_id).where(Image.image_id.startswith(start))))
    if not found:
        found = set(
            session.scalars(
                select(PreparedImage.image_id).where(or_(*(c.startswith(start) for c in columns)))
            )
        )
    if len(found) > 1:
        raise UsageError(
            f"{start!r} means {len(found)} images: "
            f"{', '.join(name[:16] for name in sorted(found))}.",
            "Give more of the id.",
        )
    return found.pop() if found else None


def is_meant(row: Takedown, thing: str) -> bool:
    """Whether an entry is called so: by its value, or by the beginning of its image id."""
    if row.kind == IMAGE and re.fullmatch(r"[0-9a-f]{8,64}", thing):
        return row.value.startswith(thing)
    return row.value == thing


def images_of(session: Session, rows: Iterable[Takedown]) -> set[str]:
    """The images of the study that some entries name."""
    found: set[str] = set()
    for row in rows:
        if row.kind == IMAGE:
            found |= {row.value} if session.get(Image, row.value) is not None else set()
            continue
        ids = session.scalars(
            select(Candidate.image_id).where(
                Candidate.image_id.is_not(None), matches(row.kind, row.value)
            )
        )
        found |= {image_id for image_id in ids if image_id is not None}
    return found
