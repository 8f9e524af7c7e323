"""What HITs show: a worker never sees the same image for the same class on two HITs.

A page says which class it asks for in ``data-class-id`` on its form, and in ``data-round`` that
it belongs to a later round of labelling, in which each image may be seen once more. What it shows
is written down when the HIT is made, and what a worker is shown when a HIT is taken up, whatever
becomes of it. The key of the table ``seen`` is worker and image: a second HIT with that image
cannot be written down for that worker, whoever else writes at the same moment. Pages without
``data-class-id`` have no such rule, and within one page an image may come twice.
"""

import hashlib
import re
from dataclasses import dataclass
from html import unescape

from sqlalchemy import Text, bindparam, exists, insert, select, update

from replicate.crowdserver.context import Context
from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.questions import html_of, image_digests
from replicate.crowdserver.tables import Hit
from replicate.crowdserver.worker_tables import HitImage, Seen

_ATTRIBUTE = r"""<[a-z][^<>]*?\s{}\s*=\s*(?:"([^"]*)"|'([^']*)')"""
_CLASS = re.compile(_ATTRIBUTE.format("data-class-id"), re.IGNORECASE)
_ROUND = re.compile(_ATTRIBUTE.format("data-round"), re.IGNORECASE)
_MOST = re.compile(_ATTRIBUTE.format("data-max-per-worker"), re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """What a question's page says to the server.

    Attributes:
        images: The images of its class, as `image_key` has them; none if it names no class.
        max_per_worker: How many HITs of its type one worker may do; None: any number.
    """

    images: frozenset[int] = frozenset()
    max_per_worker: int | None = None


def read_page(question: str) -> Page:
    """What a question's page says to the server; nothing if the page is elsewhere."""
    try:
        html = html_of(question)
    except ApiError:
        return Page()
    class_id, most = _value(_CLASS, html), _value(_MOST, html)
    images = image_digests(html) if class_id else []
    number = _value(_ROUND, html)
    asked = f"{class_id}\x1f{number}" if number else class_id
    return Page(
        frozenset(image_key(asked, digest) for digest in images),
        int(most) if re.fullmatch(r"[1-9][0-9]{0,8}", most) else None,
    )


def _value(pattern: re.Pattern[str], html: str) -> str:
    found = pattern.search(html)
    return "" if found is None else unescape(found[1] or found[2] or "")


def image_key(class_id: str, digest: str) -> int:
    """An image of a class as a number of 63 bits.

    Two of a million images fall together with a probability below 10⁻⁷; then a worker is offered
    a HIT less.

    >>> image_key("7", "ab" * 32) == image_key("8", "ab" * 32)
    False
    """
    hashed = hashlib.sha256(f"{digest}\x1f{class_id}".encode()).digest()
    return int.from_bytes(hashed[:8], "big") >> 1


def note_page(context: Context, serial: int, question: str) -> None:
    """Write down what a new HIT shows, and what its page asks of the server."""
    page = read_page(question)
    rows = [{"serial": serial, "image": image} for image in sorted(page.images)]
    if rows:
        context.connection.execute(insert(HitImage), rows)
    if page.max_per_worker is not None:
        values = update(Hit).where(Hit.serial == serial).values(max_per_worker=page.max_per_worker)
        context.connection.execute(values)


# The HITs that would show a worker something for the second time.
REPEATING = (
    select(HitImage.serial)
    .join(Seen, Seen.image == HitImage.image)
    .where(Seen.worker_id == bindparam("worker"), Seen.serial != HitImage.serial)
)
# Whether one HIT would.
REPEATS = select(exists(REPEATING.where(HitImage.serial == bindparam("serial"))))
NOTE_SEEN = insert(Seen).from_select(
    ["worker_id", "image", "serial"],
    select(bindparam("worker", type_=Text), HitImage.image, HitImage.serial).where(
        HitImage.serial == bindparam("serial")
    ),
)
