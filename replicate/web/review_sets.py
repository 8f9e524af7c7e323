"""The review of a test set in the browser: a class at a time, with originals beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from replicate.store.review_book import Book
from replicate.store.reviews import EXCLUDE, FLAGS, OK, UNSURE, Given, Item
from replicate.web.review_site import ReviewSite, went

PART = 60  # images on one page
_NOTE = 500  # characters of a note
WORDS = {
    "wrong_class": "Wrong class",
    "ambiguous": "Ambiguous",
    "near_duplicate": "Near-duplicate",
    "offensive": "Offensive",
    "not_a_photo": "Not a photo",
}


@dataclass(frozen=True)
class ShownImage:
    """An image of the set, or an original."""

    image_id: str

    @property
    def name(self) -> str:
        """What the image is called in the fields of forms."""
        return self.image_id[:20]


@dataclass(frozen=True)
class ShownClass:
    """A part of a class of the set: what one page shows.

    Attributes:
        class_id: The class.
        part: Which part of it, from 1.
        parts: How many there are; nearly always one.
        title: Its name.
        synonyms: Its other names.
        gloss: Its definition; may be empty.
        links: Further reading, as (text, address).
        images: The images, in the order in which they are shown.
        originals: Random original images of the class.
    """

    class_id: str
    part: int
    parts: int
    title: str
    synonyms: tuple[str, ...]
    gloss: str
    links: tuple[tuple[str, str], ...]
    images: tuple[ShownImage, ...]
    originals: tuple[ShownImage, ...]

    @property
    def keys(self) -> list[Item]:
        """What its images are called in the store."""
        return [(shown.image_id, self.class_id) for shown in self.images]


class SetPages:
    """The pages of the review of one revision of a test set.

    Args:
        site: What all review pages share.
        title: The set's name and revision.
        frozen: Whether it is frozen: then what is found counts for later revisions only.
        classes: What there is to look at, in order.
        book: What was said of images as pictures of their class.
    """

    def __init__(
        self, site: ReviewSite, title: str, frozen: bool, classes: Sequence[ShownClass], book: Book
    ) -> None:
        self._site = site
        self._title = title
        self._frozen = frozen
        self._classes = list(classes)
        self._total = sum(len(shown.images) for shown in self._classes)
        self._book = book

    def app(self) -> ASGIApp:
        """The whole server."""
        return self._site.app(
            [
                Route("/", self._front, methods=["GET"]),
                Route("/classes/{number}", self._show, methods=["GET"]),
                Route("/classes/{number}", self._finish, methods=["POST"]),
                Route("/classes/{number}/image", self._flag, methods=["POST"]),
                Route("/list", self._list, methods=["GET"]),
            ]
        )

    def left(self, reviewer: str) -> int:
        """How many images a reviewer has not looked at."""
        return self._total - self._book.looked[reviewer]

    def disagreements(self) -> int:
        """On how many images those who looked do not say the same."""
        return self._book.split

    async def _front(self, request: Request) -> Response:
        person, _ = self._site.session(request)
        rows = []
        for place, shown in enumerate(self._classes):
            own = [self._book.own(key, person.name) for key in shown.keys]
            split = [
                key
                for key, given in zip(shown.keys, own, strict=True)
                if given is not None and self._book.history(key).disagreement
            ]
            flagged = sum(given is not None and given.verdict == EXCLUDE for given in own)
            rows.append((place + 1, shown, own.count(None), flagged, len(split)))
        return self._page(
            request,
            "review_classes.html.j2",
            rows=rows,
            left=self.left(person.name),
            total=self._total,
            next=self._after(-1, person.name),
        )

    async def _show(self, request: Request) -> Response:
        person, _ = self._site.session(request)
        place = self._place(request)
        shown = self._classes[place]
        tiles = []
        for number, (one, key) in enumerate(zip(shown.images, shown.keys, strict=True), 1):
            history = self._book.history(key)
            own = history.latest.get(person.name)
            # Nobody sees what others say before they have said something themselves.
            others = (
                [] if own is None else [g for n, g in history.latest.items() if n != own.reviewer]
            )
            tiles.append((number, one, own, sorted(others, key=lambda given: given.reviewer)))
        return self._page(
            request,
            "review_class.html.j2",
            shown=shown,
            place=place,
            count=len(self._classes),
            done=sum(not self._open(each, person.name) for each in self._classes),
            tiles=tiles,
            left=self._open(shown, person.name),
            # Only finishing a class calls images right: then what is open has come since.
            carried=any(own is not None and own.verdict == OK for _, _, own, _ in tiles),
            words=WORDS,
            note=_NOTE,
        )

    async def _finish(self, request: Request) -> Response:
        person, fields = await self._site.posted(request)
        place = self._place(request)
        shown = self._classes[place]
        # A page of an older revision may have other images: it would call unseen ones right.
        if fields.get("images", "") != ",".join(one.name for one in shown.images):
            raise HTTPException(409)
        entries = []
        for one, key in zip(shown.images, shown.keys, strict=True):
            given = self._given(person.name, one, fields)
            if not _same(self._book.own(key, person.name), given):
                entries.append((key, given))
        self._book.say(entries)
        return went(request, self._after(place, person.name))

    async def _flag(self, request: Request) -> Response:
        person, fields = await self._site.posted(request)
        shown = self._classes[self._place(request)]
        one = next((o for o in shown.images if o.name == fields.get("image")), None)
        if one is None:
            raise HTTPException(409)
        given = self._given(person.name, one, fields)
        key = (one.image_id, shown.class_id)
        if not _same(self._book.own(key, person.name), given):
            self._book.say([(key, given)])
        return went(request, request.url.path.removesuffix("/image"))

    async def _list(self, request: Request) -> Response:
        person, _ = self._site.session(request)
        rows = []
        for place, shown in enumerate(self._classes):
            for one, key in zip(shown.images, shown.keys, strict=True):
                history = self._book.history(key)
                if history.disagreement and person.name in history.latest:
                    rows.append((place + 1, shown, one, history.standing))
        return self._page(request, "review_disagreements.html.j2", rows=rows, words=WORDS)

    def _page(self, request: Request, name: str, **values: object) -> Response:
        return self._site.page(request, name, set=self._title, frozen=self._frozen, **values)

    def _given(self, reviewer: str, one: ShownImage, fields: dict[str, str]) -> Given:
        flags = tuple(flag for flag in FLAGS if f"{one.name}.{flag}" in fields)
        unsure = f"{one.name}.unsure" in fields
        verdict = EXCLUDE if flags else UNSURE if unsure else OK
        note = " ".join(fields.get(f"{one.name}.note", "").split())[:_NOTE]
        return Given(reviewer, verdict, self._site.clock.now(), flags, note)

    def _open(self, shown: ShownClass, reviewer: str) -> int:
        return sum(self._book.own(key, reviewer) is None for key in shown.keys)

    def _place(self, request: Request) -> int:
        number = request.path_params["number"]
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= len(self._classes)):
            raise HTTPException(404)
        return int(number) - 1

    def _after(self, place: int, reviewer: str) -> str:
        """The address of the next class with images that a reviewer has not looked at."""
        total = len(self._classes)
        for step in range(1, total + 1):
            following = (place + step) % total
            if self._open(self._classes[following], reviewer):
                return f"/classes/{following + 1}"
        return "/"


def _same(one: Given | None, other: Given) -> bool:
    return one is not None and (one.verdict, one.flags, one.note) == (
        other.verdict,
        other.flags,
        other.note,
    )
