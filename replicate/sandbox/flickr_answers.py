"""Answers of the local Flickr, in the shapes of the REST API."""

import io
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from PIL import Image

from replicate.sandbox.photo_index import ApiError, Page, StoredPhoto

# Flickr's size letters and the pixels of the longer side; sq and q are cut to squares.
SIZES = {
    "sq": 75, "t": 100, "q": 150, "s": 240, "n": 320, "m": 500, "z": 640, "c": 800, "l": 1024,
    "h": 1600, "k": 2048,
}  # fmt: skip
SQUARES = ("sq", "q")


def failure(error: ApiError) -> dict[str, Any]:
    """The answer to a call that failed."""
    return {"stat": "fail", "code": error.code, "message": error.message}


def search_answer(page: Page, arguments: Mapping[str, str], base: str) -> dict[str, Any]:
    """The answer to a search.

    Args:
        page: What was found.
        arguments: What was asked; ``extras`` chooses further fields.
        base: Scheme, host and port of this server, for the photos' addresses.
    """
    extras = {part.strip() for part in arguments.get("extras", "").split(",")}
    return {
        "photos": {
            "page": page.page,
            "pages": page.pages,
            "perpage": page.per_page,
            "total": page.total,
            "photo": [_photo(photo, extras, base) for photo in page.photos],
        },
        "stat": "ok",
    }


def _photo(photo: StoredPhoto, extras: set[str], base: str) -> dict[str, Any]:
    secret = photo.file.rsplit("_", 1)[-1].split(".")[0]
    fields: dict[str, Any] = {
        "id": photo.id,
        "owner": photo.owner,
        "secret": secret,
        "server": "65535",
        "farm": 66,
        "title": photo.title,
        "ispublic": 1,
        "isfriend": 0,
        "isfamily": 0,
    }
    further: dict[str, dict[str, Any]] = {
        "description": {"description": {"_content": photo.description}},
        "license": {"license": photo.licence},
        "date_upload": {"dateupload": str(photo.date_upload)},
        "date_taken": {
            "datetaken": photo.date_taken,
            "datetakengranularity": 0,
            "datetakenunknown": "0" if photo.date_taken else "1",
        },
        "owner_name": {"ownername": photo.ownername},
        "tags": {"tags": " ".join(photo.tags)},
        "media": {"media": photo.media, "media_status": "ready"},
        "o_dims": {"o_width": photo.width, "o_height": photo.height},
    }
    for name in sorted(extras):
        fields |= further.get(name, {})
        if name.startswith("url_"):
            fields |= _address(photo, name.removeprefix("url_"), base)
    return fields


def _address(photo: StoredPhoto, size: str, base: str) -> dict[str, Any]:
    """Address, width and height of one size; nothing for sizes larger than the original."""
    longer = max(photo.width, photo.height)
    if size == "o":
        name, width, height = photo.file, photo.width, photo.height
    elif size in SIZES and longer > SIZES[size]:
        stem, dot, suffix = photo.file.rpartition(".")
        name = f"{stem}_{size}{dot}{suffix}"
        scale = SIZES[size] / longer
        width, height = round(photo.width * scale), round(photo.height * scale)
        if size in SQUARES:
            width = height = SIZES[size]
    else:
        return {}
    return {
        f"url_{size}": f"{base}/photos/{name}",
        f"width_{size}": width,
        f"height_{size}": height,
    }


def split_size(name: str) -> tuple[str, str | None]:
    """The file that an address means, and the size asked for; None is the original.

    >>> split_size("files/49/1_ab_t.jpg")
    ('files/49/1_ab.jpg', 't')
    >>> split_size("files/49/1_ab.jpg")
    ('files/49/1_ab.jpg', None)
    """
    found = re.fullmatch(rf"(.+)_({'|'.join(SIZES)})(\.\w+)", name)
    return (found[1] + found[3], found[2]) if found else (name, None)


def resized(data: bytes, size: str) -> bytes:
    """A photo at a smaller size, as JPEG; what is no picture stays as it is."""
    try:
        image = Image.open(io.BytesIO(data)).convert("RGB")
    except OSError:
        return data
    if size in SQUARES:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    image.thumbnail((SIZES[size], SIZES[size]), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def as_xml(answer: Mapping[str, Any]) -> str:
    """An answer in the API's XML."""
    root = ElementTree.Element("rsp", stat=answer["stat"])
    if answer["stat"] != "ok":
        ElementTree.SubElement(root, "err", code=str(answer["code"]), msg=answer["message"])
    else:
        found = answer["photos"]
        names = ("page", "pages", "perpage", "total")
        photos = ElementTree.SubElement(root, "photos", {n: str(found[n]) for n in names})
        for fields in found["photo"]:
            plain = {n: str(value) for n, value in fields.items() if not isinstance(value, dict)}
            photo = ElementTree.SubElement(photos, "photo", plain)
            for name, value in fields.items():
                if isinstance(value, dict):
                    ElementTree.SubElement(photo, name).text = value["_content"]
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8" ?>\n{text}'
