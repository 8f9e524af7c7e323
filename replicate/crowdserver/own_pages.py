"""Pages on which a worker sees and withdraws their own work, gets their code, signs out, leaves."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from replicate.crowdserver import own_work, recruiting, workers
from replicate.crowdserver.allowance import allowance_of
from replicate.crowdserver.context import Context
from replicate.crowdserver.site import TEMPLATES, Site
from replicate.crowdserver.worker_session import (
    Person,
    check_form,
    form_token_of,
    kept_for_platform,
    person_of,
    sign_in,
    sign_out,
)
from replicate.web.headers import COMMON_HEADERS
from replicate.web.pages import page

_NOTICES = {
    "withdrawn": "It is withdrawn. Your answer has been deleted here.",
    "all": "Everything is withdrawn. Your answers have been deleted here.",
}


class OwnPages:
    """The handlers of what concerns a worker alone.

    Args:
        site: The server's state.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def recruited(self, request: Request) -> Response:
        """Let a participant in by a recruiting platform's link."""
        with self._site.context() as context:
            query = dict(request.query_params)
            worker, number = recruiting.follow(context, request.path_params["token"], query)
            wanted = recruiting.wanted_back(context, number)
        answer = go("/worker")
        kept = {name: query[name][:200] for name in wanted if name in query}
        sign_in(self._site, request, answer, Person(worker, number), kept)
        return answer

    async def finish(self, request: Request) -> Response:
        """The completion code, or what is missing until it is shown."""
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            if person.recruitment is None:
                return go("/worker")
            how_far = allowance_of(context, person.worker, person.recruitment)
            kept = kept_for_platform(self._site, request)
            code = address = None
            if not how_far.missing:
                code, address = recruiting.completion(
                    context, person.worker, person.recruitment, kept
                )
            more = bool(workers.running(context, person.worker))
            if not more and how_far.refusal(self._site.limits) is None:
                more = bool(workers.available(context, person.worker))
        return page(
            TEMPLATES,
            "finish.html.j2",
            allowance=how_far,
            code=code,
            address=address,
            more=more,
            recruited=True,
        )

    async def work(self, request: Request) -> Response:
        """What a worker has sent in, and what it is worth."""
        given = request.query_params.get("before", "")
        before = float(given) if _is_moment(given) else None
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            found = own_work.pieces(context, person.worker, before)
            earned = own_work.earned(context, person.worker)
        return page(
            TEMPLATES,
            "work.html.j2",
            pieces=found[: own_work.PAGE],
            older=repr(found[own_work.PAGE - 1].submitted) if len(found) > own_work.PAGE else None,
            earned=earned,
            recruited=person.recruitment is not None,
            notice=_NOTICES.get(request.query_params.get("said", "")),
            moment=moment,
        )

    async def ask_withdraw(self, request: Request) -> Response:
        """Ask whether to withdraw one piece of work, or everything."""
        assignment = request.path_params.get("assignment")
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            piece = assignment and own_work.piece(context, person.worker, assignment)
        return self._form("withdraw.html.j2", person, piece=piece)

    async def withdraw(self, request: Request) -> Response:
        """Withdraw one piece of work, or everything that was sent in."""
        assignment = request.path_params.get("assignment")
        form = await request.form()
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            check_form(self._site, form, person.worker)
            if assignment is not None:
                own_work.piece(context, person.worker, assignment)
            own_work.withdraw(context, person.worker, assignment)
        return go("/worker/work?said=" + ("all" if assignment is None else "withdrawn"))

    async def ask_leave(self, request: Request) -> Response:
        """Ask whether to leave, and what becomes of the work."""
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            missing = _code_waits(context, person)
        return self._form("leave.html.j2", person, code_waits=missing)

    async def leave(self, request: Request) -> Response:
        """Forget who a worker is."""
        form = await request.form()
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            check_form(self._site, form, person.worker)
            running = [offer.assignment_id for offer in workers.running(context, person.worker)]
            if form.get("work") == "withdraw":
                own_work.withdraw(context, person.worker)
            own_work.leave(context, person.worker)
        self._site.forget(person.worker)
        for assignment in running:
            self._site.addresses.end(str(assignment))
        answer = page(
            TEMPLATES,
            "message.html.j2",
            title="You have left",
            message="Who you are is forgotten here. Thank you for your work!",
            signed_in=False,
        )
        sign_out(answer)
        return answer

    async def ask_sign_out(self, request: Request) -> Response:
        """Ask whether to sign out of this browser."""
        with self._site.context() as context:
            person = person_of(self._site, request, context)
        return self._form("sign_out.html.j2", person)

    async def sign_out(self, request: Request) -> Response:
        """Let this browser be nobody's."""
        form = await request.form()
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            check_form(self._site, form, person.worker)
        answer = page(
            TEMPLATES,
            "message.html.j2",
            title="You have signed out",
            message="Your link signs you in again, here or on another browser. What you have "
            "begun is kept until its time is over.",
            signed_in=False,
        )
        sign_out(answer)
        return answer

    def _form(self, template: str, person: Person, **values: Any) -> Response:
        return page(
            TEMPLATES,
            template,
            csrf=form_token_of(self._site, person.worker),
            recruited=person.recruitment is not None,
            moment=moment,
            **values,
        )


def _code_waits(context: Context, person: Person) -> bool:
    """Whether a participant has a code to fetch, which leaving would lose."""
    if person.recruitment is None:
        return False
    return not allowance_of(context, person.worker, person.recruitment).missing


def go(url: str) -> RedirectResponse:
    """Send a browser on to another of our pages."""
    return RedirectResponse(url, status_code=303, headers=dict(COMMON_HEADERS))


def moment(seconds: float) -> str:
    """A moment for people to read, in UTC.

    >>> moment(0.0)
    '1 Jan 1970, 00:00 UTC'
    """
    found = datetime.fromtimestamp(seconds, UTC)
    return f"{found.day} {found:%b %Y, %H:%M} UTC"


def _is_moment(text: str) -> bool:
    return len(text) < 30 and text.replace(".", "", 1).isdecimal()
