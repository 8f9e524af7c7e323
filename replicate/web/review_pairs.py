"""The review of near-duplicates in the browser: pair by pair, the doubtful ones first."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from replicate.base.digests import sha256_bytes
from replicate.store.review_book import Book
from replicate.store.reviews import PAIR_VERDICTS, WITHDRAWN, Given, Pair
from replicate.web.review_site import ReviewSite, go, image, went

_LISTED = 50  # pairs on one page of a list
# How much a difference is made brighter, so that small ones can be seen.
GAIN = 4


@dataclass(frozen=True)
class Side:
    """One image of a pair, as it is shown.

    Attributes:
        image_id: The image.
        label: Where it is from: "train set", "candidate".
        classes: The classes it stands for.
        size: Width and height of the gathered file, in pixels.
    """

    image_id: str
    label: str
    classes: str
    size: tuple[int, int]


@dataclass(frozen=True)
class ShownPair:
    """A pair, as it is shown.

    Attributes:
        first: The reference image, or another candidate.
        second: The candidate.
        distance: Hamming distance of the hashes, in bits.
        pixel_distance: The distance of the pixels; None: not measured.
        found: What the search says: sure, unsure or different.
        transform: What was done to the candidate, by Pillow's name in small letters, or none.
        similarity: The cosine of the images' features; None: they have none.
    """

    first: Side
    second: Side
    distance: int
    pixel_distance: float | None
    found: str
    transform: str = "none"
    similarity: float | None = None

    @property
    def key(self) -> Pair:
        """What the pair is called in the store."""
        return self.first.image_id, self.second.image_id

    @cached_property
    def name(self) -> str:
        """What the pair is called in addresses, whatever its place in the ranking."""
        return sha256_bytes(" ".join(self.key).encode())[:20]


def ranked(pairs: Sequence[ShownPair]) -> list[ShownPair]:
    """Pairs in the order in which they are shown: doubtful ones first, then by distance."""

    def rank(pair: ShownPair) -> tuple[int, float, int, Pair]:
        doubt = {"unsure": 0, "sure": 1}.get(pair.found, 2)
        pixels = -1.0 if pair.pixel_distance is None else pair.pixel_distance
        return doubt, pixels, pair.distance, pair.key

    return sorted(pairs, key=rank)


class PairPages:
    """The pages of one review of near-duplicates.

    Args:
        site: What all review pages share.
        pairs: The pairs, in the order in which they are shown.
        book: What was said of pairs.
    """

    def __init__(self, site: ReviewSite, pairs: Sequence[ShownPair], book: Book) -> None:
        self._site = site
        self._pairs = list(pairs)
        self._book = book
        self._places = {pair.name: place for place, pair in enumerate(self._pairs)}
        self._names = {pair.key: pair.name for pair in self._pairs}

    def app(self) -> ASGIApp:
        """The whole server."""
        return self._site.app(
            [
                Route("/", self._front, methods=["GET"]),
                Route("/pairs/{name}", self._show, methods=["GET"]),
                Route("/pairs/{name}", self._say, methods=["POST"]),
                Route("/pairs/{name}/difference.png", self._picture, methods=["GET"]),
                Route("/undo", self._undo, methods=["POST"]),
                Route("/list", self._list, methods=["GET"]),
            ]
        )

    def left(self, reviewer: str) -> int:
        """How many pairs a reviewer has not looked at."""
        return len(self._pairs) - self._book.looked[reviewer]

    def disagreements(self) -> int:
        """On how many pairs those who looked do not say the same."""
        return self._book.split

    async def _front(self, request: Request) -> Response:
        person, _ = self._site.session(request)
        return go(self._after(-1, person.name))

    async def _show(self, request: Request) -> Response:
        person, _ = self._site.session(request)
        place = self._place(request)
        pair, history = self._pairs[place], self._book.history(self._pairs[place].key)
        own = history.latest.get(person.name)
        following = self._after(place, person.name)
        done = len(self._pairs) - self.left(person.name)
        return self._site.page(
            request,
            "review_pair.html.j2",
            pair=pair,
            own=None if own is None else own.verdict,
            others=history.seen_by(person.name),
            place=place,
            total=len(self._pairs),
            done=done,
            previous=self._pairs[place - 1].name if place else None,
            next=self._pairs[place + 1].name if place + 1 < len(self._pairs) else None,
            ahead=self._ahead(following),
            difference="difference" in request.query_params,
            can_undo=self._book.last(person.name) is not None,
            gain=GAIN,
        )

    async def _say(self, request: Request) -> Response:
        person, fields = await self._site.posted(request)
        place = self._place(request)
        if fields.get("verdict") not in PAIR_VERDICTS:
            raise HTTPException(400)
        given = Given(person.name, fields["verdict"], self._site.clock.now())
        self._book.say([(self._pairs[place].key, given)])
        return went(request, self._after(place, person.name))

    async def _undo(self, request: Request) -> Response:
        person, _ = await self._site.posted(request)
        key = self._book.last(person.name)
        if key is None:
            return went(request, "/")
        self._book.say([(key, Given(person.name, WITHDRAWN, self._site.clock.now()))])
        return went(request, f"/pairs/{self._names[key]}")

    async def _picture(self, request: Request) -> Response:
        self._site.session(request)
        pair = self._pairs[self._place(request)]
        found = [self._site.picture(image_id) for image_id in pair.key]
        if found[0] is None or found[1] is None:
            raise HTTPException(404)
        picture = difference(found[0].data, found[1].data, pair.transform)
        return image(picture, "image/png")

    async def _list(self, request: Request) -> Response:
        person, _ = self._site.session(request)
        mine = [p for p in self._pairs if self._book.own(p.key, person.name) is not None]
        split = [p for p in mine if self._book.history(p.key).disagreement]
        kind = "all" if request.query_params.get("show") == "all" else "disagreements"
        shown = mine if kind == "all" else split
        start = _number(request.query_params.get("from", "0"))
        rows = [
            (pair, self._book.history(pair.key).standing) for pair in shown[start : start + _LISTED]
        ]
        return self._site.page(
            request,
            "review_pairs.html.j2",
            rows=rows,
            kind=kind,
            counts={"disagreements": len(split), "all": len(mine)},
            start=start,
            size=_LISTED,
            total=len(self._pairs),
            left=len(self._pairs) - len(mine),
            said=_counts(self._book, mine, person.name),
        )

    def _place(self, request: Request) -> int:
        place = self._places.get(request.path_params["name"])
        if place is None:
            raise HTTPException(404)
        return place

    def _after(self, place: int, reviewer: str) -> str:
        """The address of the next pair that a reviewer has not looked at, or of the list."""
        total = len(self._pairs)
        for step in range(1, total + 1):
            pair = self._pairs[(place + step) % total]
            if self._book.own(pair.key, reviewer) is None:
                return f"/pairs/{pair.name}"
        return "/list"

    def _ahead(self, path: str) -> list[str]:
        """Images that are likely to be wanted next."""
        place = self._places.get(path.rpartition("/")[2])
        if place is None:
            return []
        return [*self._pairs[place].key]


def _counts(book: Book, pairs: Sequence[ShownPair], reviewer: str) -> dict[str, int]:
    said: list[Any] = [book.own(pair.key, reviewer) for pair in pairs]
    return {verdict: sum(g.verdict == verdict for g in said) for verdict in PAIR_VERDICTS}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def difference(first: bytes, second: bytes, transform: str = "none") -> bytes:
    """The difference of two images, as a picture.

    The second is flipped or turned as it was for the search, and brought to the size of the
    first. Where they are the same it is black; what differs is brighter by `GAIN`.

    Args:
        first: An image file.
        second: Another.
        transform: What to do to it so that it lies on the first.

    Returns:
        A PNG file.
    """
    # Imported late, for the pages are served before anybody asks for a difference.
    from PIL import Image, ImageChops

    from replicate.base.images import decode

    one, two = decode(first).convert("RGB"), decode(second).convert("RGB")
    if transform != "none":
        two = two.transpose(Image.Transpose[transform.upper()])
    if two.size != one.size:
        two = two.resize(one.size, Image.Resampling.BICUBIC)
    found = ImageChops.difference(one, two).point([min(255, v * GAIN) for v in range(256)] * 3)
    buffer = io.BytesIO()
    found.save(buffer, "PNG")
    return buffer.getvalue()
