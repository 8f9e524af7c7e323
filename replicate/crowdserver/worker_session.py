"""Who sits at a browser: signed cookies, and the tokens of forms."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from replicate.crowdserver.context import Context
from replicate.crowdserver.site import Site
from replicate.crowdserver.workers import WorkerError
from replicate.web.signing import form_token, form_token_holds, signed, unsigned

COOKIE = "replicate_worker"
PLATFORM_COOKIE = (
    "replicate_platform"  # what the way back to the platform needs; nobody else has it
)
YEAR = 365 * 86_400


@dataclass(frozen=True)
class Person:
    """Who sits at a browser.

    Attributes:
        worker: The worker.
        recruitment: The number of the platform's link that they came by; None: an invitation.
    """

    worker: str
    recruitment: int | None = None


def sign_in(
    site: Site,
    request: Request,
    response: Response,
    person: Person,
    kept: Mapping[str, str] | None = None,
) -> None:
    """Let a browser be a person's from now on, whoever's it was.

    Args:
        site: The server's state.
        request: What the browser asked for.
        response: The answer, which gets the cookies.
        person: Who it is.
        kept: What the browser is to keep for the way back to the platform.
    """
    key, value = site.database.key, person.worker
    if person.recruitment is not None:
        value += f"-{person.recruitment}"
    cookies = {COOKIE: signed(key, "worker", value)}
    if kept:
        text = base64.urlsafe_b64encode(json.dumps(dict(kept)).encode()).decode().rstrip("=")
        cookies[PLATFORM_COOKIE] = signed(key, "platform", text)
    else:
        response.delete_cookie(PLATFORM_COOKIE)
    for name, cookie in cookies.items():
        response.set_cookie(
            name,
            cookie,
            max_age=YEAR,
            httponly=True,
            samesite="lax",  # strict would not be sent on the way back from a question's page
            secure=site.origin(request).startswith("https:"),
        )


def sign_out(response: Response) -> None:
    """Let a browser be nobody's, and keep nothing of what was shown in it."""
    response.delete_cookie(COOKIE)
    response.delete_cookie(PLATFORM_COOKIE)
    response.headers["clear-site-data"] = '"cache", "storage"'


def person_of(site: Site, request: Request, context: Context) -> Person:
    """Who sits at a browser.

    Raises:
        WorkerError: Nobody that we know.
    """
    cookie = request.cookies.get(COOKIE, "")
    value = unsigned(site.database.key, "worker", cookie) or ""
    worker, _, number = value.partition("-")
    if not worker or not site.knows(context, worker):
        raise WorkerError(
            401,
            "Please use your link",
            "Your invitation link, or your platform's page of the study, signs you in on this "
            "browser.",
        )
    return Person(worker, int(number) if number else None)


def kept_for_platform(site: Site, request: Request) -> dict[str, str]:
    """What a browser kept for the way back to the platform."""
    text = unsigned(site.database.key, "platform", request.cookies.get(PLATFORM_COOKIE, ""))
    if text is None:
        return {}
    found: dict[str, str] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def form_token_of(site: Site, worker: str) -> str:
    """What every form of a worker's pages carries."""
    return form_token(site.database.key, worker)


def check_form(site: Site, form: FormData, worker: str) -> None:
    """Refuse a form that does not come from one of the worker's own pages.

    Raises:
        WorkerError: It does not.
    """
    if not form_token_holds(site.database.key, worker, str(form.get("csrf", ""))):
        raise WorkerError(
            403,
            "Please try again",
            "The page was out of date, or somebody else has signed in on this browser since.",
        )
