"""Signing in to the requester's page with a requester's key, and out again."""

import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from replicate.crowdserver.database import set_setting, setting
from replicate.crowdserver.keys import find_key
from replicate.crowdserver.site import TEMPLATES, Site
from replicate.web.forms import fields_of
from replicate.web.headers import COMMON_HEADERS
from replicate.web.limits import Limiter, network
from replicate.web.pages import page
from replicate.web.sessions import HOURS, Session, begin, named_in, resume
from replicate.web.signing import form_token, form_token_holds, signed, unsigned

COOKIE = "replicate_requester"
BEFORE = "replicate_sign_in"  # marks the browser that was shown the form
ROOT = "/requester"
# Wrong tries a second of one address, and of one key id wherever they come from.
_PER_ADDRESS, _PER_KEY, _AT_ONCE = 1 / 10, 1 / 3, 10.0


@dataclass(frozen=True)
class Requester:
    """Who looks at the page.

    Attributes:
        account: The account that the key acts for.
        session: The session.
    """

    account: str
    session: Session


class SignIn:
    """The handlers of signing in and out.

    Args:
        site: The server's state.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._addresses = Limiter(_PER_ADDRESS, _AT_ONCE)
        self._keys = Limiter(_PER_KEY, _AT_ONCE)

    def who(self, request: Request, connection: Connection) -> Requester | None:
        """The requester whose session a request belongs to, or None."""
        cookie = request.cookies.get(COOKIE, "")
        found = find_key(connection, named_in(cookie))
        if found is None:
            return None
        ended = int(setting(connection, _ended(named_in(cookie))) or 0)
        key = self._site.database.key
        session = resume(key, found.secret, cookie, self._site.now(), ended)
        return None if session is None else Requester(found.requester, session)

    async def form(self, request: Request) -> Response:
        """Ask for a key."""
        with self._site.database.read() as connection:
            if self.who(request, connection) is not None:
                return _go(ROOT)
        return self._form(request)

    def _form(self, request: Request, problem: str = "", status: int = 200) -> Response:
        # The form belongs to this browser: nobody else can sign it in as somebody else.
        mark = secrets.token_hex(16)
        csrf = form_token(self._site.database.key, mark)
        answer = page(TEMPLATES, "sign_in.html.j2", status=status, csrf=csrf, problem=problem)
        self._set(request, answer, BEFORE, signed(self._site.database.key, BEFORE, mark), 3600)
        return answer

    async def sign_in(self, request: Request) -> Response:
        """Begin a session, if the key is right."""
        fields = await fields_of(request)
        mark = unsigned(self._site.database.key, BEFORE, request.cookies.get(BEFORE, ""))
        given = fields.get("csrf", "")
        if mark is None or not form_token_holds(self._site.database.key, mark, given):
            return self._form(request, "The page was out of date. Please try again.", 403)
        name, secret = fields.get("key", "").strip(), fields.get("secret", "").strip()
        address = network(request.scope)
        wait = max(self._addresses.wait(address), self._keys.wait(name[:64]))
        if wait:
            answer = self._form(request, "Too many tries. Please wait a minute.", 429)
            answer.headers["retry-after"] = str(int(wait) + 1)
            return answer
        with self._site.database.read() as connection:
            found = find_key(connection, name)
        # With an unknown key the same is done, in the same time.
        kept = "" if found is None else found.secret
        right = hmac.compare_digest(kept.encode(), secret.encode())
        if found is None or not right:
            self._addresses.charge(address)
            self._keys.charge(name[:64])
            return self._form(request, "There is no such key, or the secret is not its own.", 403)
        session = begin(self._site.database.key, name, found.secret, self._site.now())
        answer = _go(ROOT)
        self._set(request, answer, COOKIE, session.cookie, HOURS * 3600)
        answer.delete_cookie(BEFORE, path=ROOT)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End all sessions of the key."""
        fields = await fields_of(request)
        with self._site.database.begin() as connection:
            found = self.who(request, connection)
            if found is not None and found.session.holds(fields.get("csrf", "")):
                now = int(self._site.now() * 1000)
                set_setting(connection, _ended(found.session.name), str(now))
            elif found is not None:
                return forbidden()
        answer = _go(f"{ROOT}/sign-in")
        answer.delete_cookie(COOKIE, path=ROOT)
        return answer

    def _set(self, request: Request, answer: Response, name: str, value: str, age: int) -> None:
        answer.set_cookie(
            name,
            value,
            max_age=age,
            path=ROOT,
            httponly=True,
            samesite="strict",
            secure=self._site.origin(request).startswith("https:"),
        )


def forbidden() -> Response:
    """What a form gets that did not come from a page of the session."""
    return page(
        TEMPLATES,
        "requester_message.html.j2",
        status=403,
        title="Please try again",
        message="The page was out of date; nothing was changed.",
    )


def _ended(name: str) -> str:
    return f"signed_out {name}"


def _go(url: str) -> RedirectResponse:
    return RedirectResponse(url, status_code=303, headers=dict(COMMON_HEADERS))
