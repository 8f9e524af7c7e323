"""Photos out of Flickr's answers, whatever is in them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from replicate.sources.records import Photo

SIZES = (
    "url_o", "url_k", "url_h", "url_l", "url_c", "url_z", "url_m", "url_n", "url_s", "url_q",
    "url_t", "url_sq",
)  # fmt: skip
EXTRAS = ("license", "owner_name", "date_upload", "date_taken", "tags", "media", "o_dims")
MOST = 2**31 - 1  # no database takes a larger count, and nobody has so many photos


def read_photo(fields: Any) -> Photo | None:
    """A photo from its fields in an answer; None if they cannot be one."""
    if not isinstance(fields, Mapping):
        return None
    photo_id, owner = plain_text(fields.get("id")), plain_text(fields.get("owner"))
    if not photo_id:
        return None
    return Photo(
        id=photo_id,
        owner=owner,
        owner_name=plain_text(fields.get("ownername")),
        title=plain_text(fields.get("title")),
        licence=plain_text(fields.get("license")),
        page_url=f"https://www.flickr.com/photos/{owner}/{photo_id}" if owner else "",
        uploaded=_moment(fields.get("dateupload")),
        taken=plain_text(fields.get("datetaken")),
        tags=tuple(plain_text(fields.get("tags")).split()),
        urls={size: url for size in SIZES if (url := plain_text(fields.get(size)))},
    )


def is_video(fields: Any) -> bool:
    """Whether an answer says that something is no photo but a video."""
    return isinstance(fields, Mapping) and fields.get("media") == "video"


def plain_text(value: Any) -> str:
    """A value of an answer as text that every database takes.

    Texts, whole numbers and Flickr's ``{"_content": "…"}``; anything else is empty. Half characters
    and NULs, which databases refuse, are replaced and left out.

    >>> plain_text({"_content": "a title"}), plain_text(7), plain_text([1]), plain_text(chr(0))
    ('a title', '7', '', '')
    """
    if isinstance(value, Mapping):
        value = value.get("_content")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return str(value)
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def read_count(value: Any) -> int:
    """A number of results, at most `MOST`; Flickr has sent it as a number and as text.

    >>> read_count("4012"), read_count(7.0), read_count("many"), read_count(10**30) == MOST
    (4012, 7, 0, True)
    """
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    if isinstance(value, float) and not math.isfinite(value):
        return 0
    return min(max(int(value), 0), MOST)


def _moment(seconds: Any) -> datetime | None:
    if isinstance(seconds, str) and len(seconds) > 20:
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
