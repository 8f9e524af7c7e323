"""The workers' side of the server: the pages that a browser meets."""

import json
from urllib.parse import urlencode

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from replicate.crowdserver import workers
from replicate.crowdserver.allowance import allowance_of
from replicate.crowdserver.eligibility import forbidden, obstacles
from replicate.crowdserver.external_pages import external_preview, external_task, sent
from replicate.crowdserver.own_pages import go, moment
from replicate.crowdserver.qualification_asking import messages_of
from replicate.crowdserver.questions import NOT_YET, external_of, fill_in, insert_bar
from replicate.crowdserver.site import TEMPLATES, Site
from replicate.crowdserver.states import DONE, OPEN
from replicate.crowdserver.worker_session import (
    Person,
    check_form,
    form_token_of,
    person_of,
    sign_in,
)
from replicate.crowdserver.workers import WorkerError
from replicate.web.headers import COMMON_HEADERS, question_policy
from replicate.web.pages import environment, page

MAX_DRAFT = 20_000
NEWS = 14 * 86_400  # seconds that a message stays on the list of HITs
NOTICES = {
    "saved": "Your answer is stored. Thank you!",
    "before": "You have sent this HIT in before. Your answer is stored.",
    "returned": "You have returned the HIT.",
}
# What a preview shows in place of each image: who could look first would choose the easy pages.
_PLACEHOLDER = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E"
    "%3Crect width='8' height='8' fill='%23b8bfca'/%3E%3C/svg%3E"
)


class WorkerPages:
    """The handlers of the workers' pages.

    Args:
        site: The server's state.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def join(self, request: Request) -> Response:
        """Let a worker in by an invitation."""
        with self._site.context() as context:
            worker = workers.worker_of_invitation(context, request.path_params["token"])
        answer = go("/worker")
        sign_in(self._site, request, answer, Person(worker))
        return answer

    async def home(self, request: Request) -> Response:
        """The list of HITs."""
        after = request.query_params.get("after", "")
        start = int(after) if after.isdecimal() and len(after) < 16 else 0
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            how_far = allowance_of(context, person.worker, person.recruitment)
            refusal = how_far.refusal(self._site.limits)
            running = workers.running(context, person.worker) if start == 0 else []
            found = [] if refusal else workers.available(context, person.worker, start)
            notes = [] if start else messages_of(context, person.worker)
            news = [note for note in notes if note.sent > context.now - NEWS]
            closed = forbidden(context, person.worker, "accept")
        return page(
            TEMPLATES,
            "home.html.j2",
            running=running,
            available=found[: workers.PAGE],
            more=found[workers.PAGE - 1].serial if len(found) > workers.PAGE else None,
            allowance=how_far,
            refusal=refusal,
            closed=closed,
            recruited=person.recruitment is not None,
            news=news,
            csrf=form_token_of(self._site, person.worker),
            notice=NOTICES.get(request.query_params.get("said", "")),
            minutes=_minutes,
            moment=moment,
        )

    async def hit(self, request: Request) -> Response:
        """A HIT before it is taken up: its terms and a preview."""
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            offer = workers.offer(context, person.worker, request.path_params["hit"])
            how_far = allowance_of(context, person.worker, person.recruitment)
            lacking, hidden = (
                obstacles(context, person.worker, offer.hit_id, action)
                for action in ("accept", "preview")
            )
        return page(
            TEMPLATES,
            "hit.html.j2",
            offer=offer,
            lacking=lacking,
            hidden=bool(hidden),
            refusal=how_far.refusal(self._site.limits),
            recruited=person.recruitment is not None,
            csrf=form_token_of(self._site, person.worker),
            question=f"/worker/hits/{offer.hit_id}/question?"
            + urlencode({"assignmentId": NOT_YET, "hitId": offer.hit_id}),
            minutes=_minutes,
        )

    async def preview(self, request: Request) -> Response:
        """A HIT's question without its images, for a frame in our own page."""
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            hit_id = workers.offer(context, person.worker, request.path_params["hit"]).hit_id
            workers.require_qualified(context, person.worker, hit_id, "preview")
            question = workers.question_of(context, hit_id)
        origin, external = self._site.origin(request), external_of(question)
        if external is not None:
            return external_preview(external, hit_id, origin)
        html, digests = self._site.question(hit_id, question)
        filled = fill_in(html, [_PLACEHOLDER] * len(digests), origin, NOT_YET)
        return _question(filled, origin, framed=True)

    async def accept(self, request: Request) -> Response:
        """Take up a HIT."""
        form = await request.form()
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            check_form(self._site, form, person.worker)
            hit_id = request.path_params["hit"]
            assignment = workers.accept(
                context,
                person.worker,
                hit_id,
                limits=self._site.limits,
                recruitment=person.recruitment,
            )
        return go(_task_url(self._site.origin(request), assignment, hit_id, person.worker))

    async def task(self, request: Request) -> Response:
        """The page on which a worker works: the question itself, with our bar on top."""
        assignment = request.path_params["assignment"]
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            row = workers.task(context, assignment, person.worker)
            seen = workers.seen_before(context, person.worker, row.hit_id)
            now = context.now
        if row.state in DONE:
            return go("/worker?said=before")
        if row.state != OPEN:
            raise workers.not_open(row.state)
        origin, external = self._site.origin(request), external_of(row.question)
        if external is not None:
            return external_task(external, row, origin, now)
        html, addresses = self._site.addressed(row)
        bar = (
            environment(TEMPLATES)
            .get_template("bar.html.j2")
            .render(
                row=row,
                seconds=max(0, int(row.deadline - now)),
                draft=_script_json(row.draft or "null"),
            )
        )
        filled = fill_in(html, addresses, origin, assignment, seen)
        return _question(insert_bar(filled, bar), origin, framed=False)

    async def ask_back(self, request: Request) -> Response:
        """Ask whether to return an assignment."""
        assignment = request.path_params["assignment"]
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            row = workers.task(context, assignment, person.worker)
        if row.state != OPEN:
            return go("/worker")
        return page(
            TEMPLATES,
            "return.html.j2",
            row=row,
            url=_task_url(self._site.origin(request), assignment, row.hit_id, person.worker),
            recruited=person.recruitment is not None,
            csrf=form_token_of(self._site, person.worker),
        )

    async def give_back(self, request: Request) -> Response:
        """Return an assignment."""
        assignment = request.path_params["assignment"]
        form = await request.form()
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            check_form(self._site, form, person.worker)
            workers.task(context, assignment, person.worker)
            workers.give_back(context, assignment)
        self._site.addresses.end(assignment)
        return go("/worker?said=returned")

    async def draft(self, request: Request) -> Response:
        """Keep what a page has so far; the unguessable assignment id stands for the session."""
        text = (await request.body()).decode("utf-8", errors="replace")
        if len(text) > MAX_DRAFT or not _is_json(text):
            raise WorkerError(400, "Bad request", "This is not a draft.")
        with self._site.context() as context:
            workers.keep_draft(context, request.path_params["assignment"], text)
        # The page is in a sandbox, so for the browser another origin reads this: nothing.
        return Response(status_code=204, headers={"cache-control": "no-store"})

    async def submit(self, request: Request) -> Response:
        """Take a worker's answer: the protocol's externalSubmit."""
        form = await request.form(max_files=0, max_fields=2000)
        fields = [(n, v) for n, v in form.multi_items() if not isinstance(v, UploadFile)]
        found = [value for name, value in fields if name == "assignmentId"]
        if len(found) != 1 or found[0] == NOT_YET:
            raise WorkerError(400, "Accept the HIT first", "A preview cannot be sent in.")
        with self._site.context() as context:
            workers.submit(context, found[0], [f for f in fields if f[0] != "assignmentId"])
            external = external_of(workers.task(context, found[0]).question)
        self._site.addresses.end(found[0])
        return go("/worker?said=saved") if external is None else sent()


def _task_url(origin: str, assignment: str, hit: str, worker: str) -> str:
    query = {
        "assignmentId": assignment,
        "hitId": hit,
        "workerId": worker,
        "turkSubmitTo": origin,
    }
    return f"/worker/assignments/{assignment}?{urlencode(query)}"


def _question(html: str, origin: str, framed: bool) -> HTMLResponse:
    policy = question_policy(origin, framed)
    return HTMLResponse(html, headers={**COMMON_HEADERS, "content-security-policy": policy})


def _minutes(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _script_json(text: str) -> str:
    # Nothing in it may end the script element that it is put into.
    return text.replace("<", "\\u003c")
