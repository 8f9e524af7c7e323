"""What the review pages share: who sits at the browser, images, messages, headers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from replicate.base.clock import Clock, SystemClock
from replicate.base.randomness import token
from replicate.web import sessions
from replicate.web.forms import fields_of
from replicate.web.headers import COMMON_HEADERS, PAGE_POLICY, BodyLimit, CommonHeaders
from replicate.web.pages import page
from replicate.web.pictures import Picture
from replicate.web.sessions import Session

COOKIE = "replicate_reviewer"
TEMPLATES = Path(__file__).resolve().parent / "templates"
POLICY = f"{PAGE_POLICY}; script-src 'self'; connect-src 'self'"
_MAX_BODY = 1 << 20
_FIELDS = 4000
_KEPT = "private, max-age=86400"  # an image's address is its content, but its size may change


@dataclass(frozen=True)
class Reviewer:
    """Somebody who was invited.

    Attributes:
        name: Their name, as it is stored with what they say.
        key_id: What their sessions are called.
        secret: The end of their link.
    """

    name: str
    key_id: str
    secret: str


@dataclass
class ReviewSite:
    """The state of a server of review pages.

    Attributes:
        key: The server's secret.
        names: Who is invited.
        picture: Gives an image that may be seen here, by its id; None for any other.
        clock: What the time is taken from.
    """

    key: bytes
    names: Sequence[str]
    picture: Callable[[str], Picture | None]
    clock: Clock = field(default_factory=SystemClock)
    reviewers: dict[str, Reviewer] = field(init=False)

    def __post_init__(self) -> None:
        people = [
            Reviewer(name, token(self.key, "reviewer", name), token(self.key, "link", name))
            for name in self.names
        ]
        self.reviewers = {person.key_id: person for person in people}

    def links(self, base: str) -> dict[str, str]:
        """Everybody's link, by name."""
        return {each.name: f"{base}/join/{each.secret}" for each in self.reviewers.values()}

    def session(self, request: Request) -> tuple[Reviewer, Session]:
        """Who sits at a browser.

        Raises:
            HTTPException: Nobody who was invited: 401.
        """
        cookie = request.cookies.get(COOKIE, "")
        person = self.reviewers.get(sessions.named_in(cookie))
        now = self.clock.now().timestamp()
        if person is not None:
            found = sessions.resume(self.key, person.secret, cookie, now)
            if found is not None:
                return person, found
        raise HTTPException(401)

    async def posted(self, request: Request) -> tuple[Reviewer, dict[str, str]]:
        """Who sent a form of one of our pages, and its fields.

        Raises:
            HTTPException: Nobody who was invited, or the form is of another page.
        """
        person, session = self.session(request)
        fields = await fields_of(request, _FIELDS)
        if not session.holds(fields.get("csrf", "")):
            raise HTTPException(403)
        return person, fields

    def page(self, request: Request, name: str, **values: Any) -> Response:
        """A page for somebody who has signed in."""
        person, session = self.session(request)
        return page(
            TEMPLATES, name, policy=POLICY, me=person.name, csrf=session.form_token, **values
        )

    def app(self, routes: Sequence[Route]) -> ASGIApp:
        """The whole server.

        Args:
            routes: The pages of one kind of review.
        """
        ours = [
            Route("/join/{token}", self._join, methods=["GET"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
            Route("/image/{image_id}", self._image, methods=["GET"]),
            Route("/review.js", _script, methods=["GET"]),
        ]
        handlers = {HTTPException: _http_error, DBAPIError: _database_error, Exception: _fault}
        app = Starlette(routes=[*ours, *routes], exception_handlers=handlers)
        app.router.redirect_slashes = False
        return CommonHeaders(BodyLimit(app, _MAX_BODY, _FIELDS))

    async def _join(self, request: Request) -> Response:
        # Compared by a keyed hash of it: how long this takes tells nothing of the right one.
        given = token(self.key, "given", request.path_params["token"])
        for person in self.reviewers.values():
            if token(self.key, "given", person.secret) == given:
                now = self.clock.now().timestamp()
                begun = sessions.begin(self.key, person.key_id, person.secret, now)
                answer = go("/")
                answer.set_cookie(
                    COOKIE,
                    begun.cookie,
                    max_age=sessions.HOURS * 3600,
                    httponly=True,
                    samesite="lax",  # strict would not be sent after a link in a message
                    secure=request.url.scheme == "https",
                )
                return answer
        raise HTTPException(404)

    async def _sign_out(self, request: Request) -> Response:
        await self.posted(request)
        answer = message("You are signed out", "Your link signs you in again.")
        answer.delete_cookie(COOKIE)
        answer.headers["clear-site-data"] = '"cache", "storage"'
        return answer

    async def _image(self, request: Request) -> Response:
        self.session(request)
        found = self.picture(request.path_params["image_id"])
        if found is None:
            raise HTTPException(404)
        return image(found.data, found.kind)


def image(data: bytes, kind: str) -> Response:
    """An image, which the browser may keep."""
    headers = {**COMMON_HEADERS, "cache-control": _KEPT}
    headers["content-security-policy"] = "default-src 'none'; sandbox"
    return Response(data, media_type=kind, headers=headers)


def go(path: str) -> RedirectResponse:
    """On to another page of ours."""
    return RedirectResponse(path, status_code=303, headers=dict(COMMON_HEADERS))


def went(request: Request, path: str) -> Response:
    """On to another page, for a form; for a script, where that is."""
    if request.headers.get("accept") == "application/json":
        return JSONResponse({"next": path}, headers=dict(COMMON_HEADERS))
    return go(path)


def message(title: str, text: str, status: int = 200) -> Response:
    """A page that only says something."""
    return page(
        TEMPLATES, "review_message.html.j2", status=status, policy=POLICY, title=title, text=text
    )


_ERRORS = {
    401: ("Please use your link", "The link that was made for you signs you in on this browser."),
    403: ("Please try again", "Nothing was stored: the page was out of date. Go back, reload it."),
    404: ("There is no such page", "It may have been of a review that has changed since."),
    409: ("This has changed since", "Nothing was stored. Go back to the first page."),
}


async def _http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    title, text = _ERRORS.get(status, ("This does not work", "Nothing was stored."))
    return message(title, text, status)


async def _database_error(_request: Request, _error: Exception) -> Response:
    text = "What was stored before is safe. Keep this page open and try again in a minute."
    return message("Nothing can be stored at the moment", text, 503)


async def _fault(_request: Request, _error: Exception) -> Response:
    return message("Something failed", "Nothing was stored. Please go back and try again.", 500)


async def _script(_request: Request) -> Response:
    text = (TEMPLATES / "review.js").read_text(encoding="utf-8")
    return Response(text, media_type="text/javascript", headers=dict(COMMON_HEADERS))
