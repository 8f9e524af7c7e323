"""The crowd server as an ASGI application.

Handlers run one after the other, each in one short transaction (a millisecond or less), so there
is nothing to lock; images are answered before routing, for a page has dozens of them.
"""

import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from replicate.crowdserver import api
from replicate.crowdserver.clocks import SandboxClock
from replicate.crowdserver.external_pages import error_policy
from replicate.crowdserver.faults import Faults
from replicate.crowdserver.guard import guarded
from replicate.crowdserver.health import Health
from replicate.crowdserver.own_pages import OwnPages
from replicate.crowdserver.qualification_pages import QualificationPages
from replicate.crowdserver.requester_routes import requester_routes
from replicate.crowdserver.requester_session import ROOT as REQUESTER_ROOT
from replicate.crowdserver.site import TEMPLATES, Site
from replicate.crowdserver.worker_pages import WorkerPages
from replicate.crowdserver.worker_session import COOKIE
from replicate.crowdserver.workers import WorkerError
from replicate.web.headers import COMMON_HEADERS
from replicate.web.pages import page

log = logging.getLogger(__name__)
SUBMIT = "/mturk/externalSubmit"
Handler = Callable[[Request], Awaitable[Response]]


def build_app(
    site: Site, rate: float | None = None, access_log: Callable[[str], None] | None = None
) -> ASGIApp:
    """The whole server.

    Args:
        site: Its state. With a `SandboxClock` the clock can be moved over HTTP, and faults made.
        rate: Requests a second of one person on average; None for as many as they like.
        access_log: Takes a line for each request; None for no log.
    """
    app = Starlette(
        routes=routes_of(site),
        exception_handlers={
            WorkerError: _worker_error,
            HTTPException: _http_error,
            DBAPIError: _database_error,
            Exception: _fault,
        },
    )
    # Without this a path with a slash too many would be answered with the Host that the request
    # names: a link to us could lead anywhere.
    app.router.redirect_slashes = False
    return guarded(app, lambda inner: _Images(inner, site), site, rate, access_log)


def routes_of(site: Site) -> list[Route]:
    """All addresses of the server.

    Args:
        site: Its state.
    """
    pages, own = WorkerPages(site), OwnPages(site)
    routes: list[Route] = [
        Route("/", _requester(site), methods=["POST"]),
        Route("/", _front, methods=["GET"]),
        Route("/health", Health(site).answer, methods=["GET"]),
        *requester_routes(site),
        Route("/join/{token}", pages.join, methods=["GET"]),
        Route("/worker", pages.home, methods=["GET"]),
        Route("/worker/hits/{hit}", pages.hit, methods=["GET"]),
        Route("/worker/hits/{hit}/question", pages.preview, methods=["GET"]),
        Route("/worker/hits/{hit}/accept", pages.accept, methods=["POST"]),
        Route("/worker/assignments/{assignment}", pages.task, methods=["GET"]),
        Route("/worker/assignments/{assignment}/return", pages.ask_back, methods=["GET"]),
        Route("/worker/assignments/{assignment}/return", pages.give_back, methods=["POST"]),
        Route("/worker/assignments/{assignment}/draft", pages.draft, methods=["POST"]),
        Route(SUBMIT, pages.submit, methods=["POST"]),
        *QualificationPages(site).routes(),
        Route("/recruit/{token}", own.recruited, methods=["GET"]),
        Route("/worker/finish", own.finish, methods=["GET"]),
        Route("/worker/work", own.work, methods=["GET"]),
        Route("/worker/assignments/{assignment}/withdraw", own.ask_withdraw, methods=["GET"]),
        Route("/worker/assignments/{assignment}/withdraw", own.withdraw, methods=["POST"]),
        Route("/worker/withdraw", own.ask_withdraw, methods=["GET"]),
        Route("/worker/withdraw", own.withdraw, methods=["POST"]),
        Route("/worker/leave", own.ask_leave, methods=["GET"]),
        Route("/worker/leave", own.leave, methods=["POST"]),
        Route("/worker/sign-out", own.ask_sign_out, methods=["GET"]),
        Route("/worker/sign-out", own.sign_out, methods=["POST"]),
    ]
    if isinstance(site.clock, SandboxClock):
        routes += [
            Route("/sandbox/clock", _move_clock(site.clock), methods=["POST"]),
            Route("/sandbox/faults", _plan_faults(site.faults), methods=["POST"]),
        ]
    return routes


class _Images:
    """Answers ``/i/<assignment>/<token>`` and leaves all else to the application."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/i/"):
            await self._app(scope, receive, send)
            return
        status, headers, body = self._find(scope["path"], scope["method"])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent})

    def _find(self, path: str, method: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        parts = path.split("/")
        if method in ("GET", "HEAD") and len(parts) == 4:
            found = self._site.addresses.digest(parts[2], parts[3], self._site.now())
            picture = None if found is None else self._site.pictures.get(found[0])
            if found is not None and picture is not None:
                keep = f"private, max-age={int(found[1])}".encode()
                return 200, _image_headers(picture.kind, len(picture.data), keep), picture.data
        return 404, _image_headers("text/plain", 10, b"no-store"), b"Not found\n"


def _image_headers(kind: str, size: int, keep: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", kind.encode()),
        (b"content-length", str(size).encode()),
        (b"cache-control", keep),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; sandbox"),
    ]


def _requester(site: Site) -> Handler:
    async def handle(request: Request) -> Response:
        return await api.answer(site, request)

    return handle


def _move_clock(clock: SandboxClock) -> Handler:
    async def handle(request: Request) -> Response:
        try:
            seconds = float((await request.json())["advance"])
            clock.advance(seconds)
        except (ValueError, TypeError, KeyError, OverflowError):
            return JSONResponse({"error": 'Send {"advance": seconds}.'}, status_code=400)
        return JSONResponse({"now": clock.now().timestamp()})

    return handle


def _plan_faults(faults: Faults) -> Handler:
    async def handle(request: Request) -> Response:
        try:
            planned = faults.plan(await request.json())
        except ValueError:
            form = '{"kind": "throttle" | "fail" | "drop", "calls": n, "operation": name}'
            return JSONResponse({"error": f"Send {form}."}, status_code=400)
        return JSONResponse({"planned": planned})

    return handle


async def _front(_request: Request) -> Response:
    return RedirectResponse("/worker", status_code=303, headers=dict(COMMON_HEADERS))


async def _worker_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, WorkerError):
        raise error
    ours = request.url.path.startswith(REQUESTER_ROOT)
    return page(
        TEMPLATES,
        "requester_message.html.j2" if ours else "message.html.j2",
        signed_in=error.status != 401 and _signed_in(request),
        status=error.status,
        policy=error_policy(request),
        title=error.title,
        message=error.message,
    )


def _signed_in(request: Request) -> bool:
    # A question's page is of another origin: what it sends comes without the worker's cookie.
    return COOKIE in request.cookies or request.url.path == SUBMIT


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    title = "There is no such page" if status == 404 else "This does not work"
    return page(
        TEMPLATES,
        "message.html.j2",
        status=status,
        signed_in=_signed_in(request),
        title=title,
        message="",
    )


async def _database_error(request: Request, error: Exception) -> Response:
    # Its values are not shown: hide_parameters. A full disk ends here as well.
    log.error("The database failed: %s", error.orig if isinstance(error, DBAPIError) else error)
    answer = page(
        TEMPLATES,
        "message.html.j2",
        status=503,
        signed_in=_signed_in(request),
        title="The server cannot store anything at the moment",
        message="Nothing of this request was stored; what was stored before is safe. Please keep "
        "this page open and try again in a minute.",
    )
    answer.headers["retry-after"] = "60"
    return answer


async def _fault(request: Request, _error: Exception) -> Response:
    return page(
        TEMPLATES,
        "message.html.j2",
        status=500,
        signed_in=_signed_in(request),
        title="Something failed",
        message="Nothing was stored. Please go back and try again.",
    )
