"""What stands before the application: the access log, limits, headers."""

from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.requests import cookie_parser
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from replicate.crowdserver.requester_images import ROOT as REQUESTER_IMAGES
from replicate.crowdserver.site import Site
from replicate.crowdserver.worker_session import COOKIE
from replicate.web.access_log import AccessLog
from replicate.web.headers import BodyLimit, CommonHeaders
from replicate.web.limits import RateLimit
from replicate.web.signing import unsigned

MAX_BODY = 1 << 20


def guarded(
    app: Starlette,
    images: Callable[[ASGIApp], ASGIApp],
    site: Site,
    rate: float | None,
    access_log: Callable[[str], None] | None,
) -> ASGIApp:
    """An application behind its guards, from the outermost: log, rate, images, headers, size.

    Args:
        app: The application.
        images: Answers requests for images, before all that they do not need.
        site: The server's state.
        rate: Requests a second of one person on average; None for as many as they like.
        access_log: Takes a line for each request; None for no log.
    """
    found = images(CommonHeaders(BodyLimit(app, MAX_BODY)))
    if rate is not None:
        key = site.database.key
        found = RateLimit(found, rate, lambda scope: _person(scope, key), _proven)
    if access_log is not None:
        found = AccessLog(found, words(app.routes), access_log)
    return found


def words(routes: Iterable[object]) -> set[str]:
    """The parts of paths that name pages: all that is not filled in."""
    paths = [route.path for route in routes if isinstance(route, Route)]
    return {part for path in paths for part in path.split("/") if not part.startswith("{")} | {"i"}


def _person(scope: Scope, key: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name == b"cookie":
            cookies = cookie_parser(value.decode("latin-1"))
            return unsigned(key, "worker", cookies.get(COOKIE, ""))
    return None


def _proven(scope: Scope) -> bool:
    path: str = scope["path"]
    signed = path == "/" and scope["method"] == "POST"
    return signed or path.startswith(("/i/", f"{REQUESTER_IMAGES}/"))
