"""The workers' side of the server: the pages that a browser meets."""

import json
from urllib.parse import urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from replicate.crowdserver import workers
from replicate.crowdserver.context import Context
from replicate.crowdserver.questions import NOT_YET, fill_in, insert_bar
from replicate.crowdserver.site import TEMPLATES, Site
from replicate.crowdserver.states import DONE, OPEN
from replicate.crowdserver.worker_session import COOKIE, check_form, signed_in
from replicate.crowdserver.workers import WorkerError
from replicate.web.headers import COMMON_HEADERS, question_policy
from replicate.web.pages import environment, page
from replicate.web.signing import form_token, signed

YEAR = 365 * 86_400
MAX_DRAFT = 20_000
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
        answer = _go("/worker")
        answer.set_cookie(
            COOKIE,
            signed(self._site.database.key, "worker", worker),
            max_age=YEAR,
            httponly=True,
            samesite="lax",  # strict would not be sent on the way back from a question's page
            secure=self._site.origin(request).startswith("https:"),
        )
        return answer

    async def home(self, request: Request) -> Response:
        """The list of HITs."""
        after = request.query_params.get("after", "")
        start = int(after) if after.isdecimal() and len(after) < 16 else 0
        with self._site.context() as context:
            worker = self._worker(request, context)
            running = workers.running(context, worker) if start == 0 else []
            found = workers.available(context, worker, start)
            done = workers.finished(context, worker)
        return page(
            TEMPLATES,
            "home.html.j2",
            running=running,
            available=found[: workers.PAGE],
            more=found[workers.PAGE - 1].serial if len(found) > workers.PAGE else None,
            done=done,
            csrf=form_token(self._site.database.key, worker),
            saved="saved" in request.query_params,
            minutes=_minutes,
        )

    async def hit(self, request: Request) -> Response:
        """A HIT before it is taken up: its terms and a preview."""
        with self._site.context() as context:
            worker = self._worker(request, context)
            offer = workers.offer(context, worker, request.path_params["hit"])
        return page(
            TEMPLATES,
            "hit.html.j2",
            offer=offer,
            csrf=form_token(self._site.database.key, worker),
            question=f"/worker/hits/{offer.hit_id}/question?"
            + urlencode({"assignmentId": NOT_YET, "hitId": offer.hit_id}),
            minutes=_minutes,
        )

    async def preview(self, request: Request) -> Response:
        """A HIT's question without its images, for a frame in our own page."""
        with self._site.context() as context:
            worker = self._worker(request, context)
            hit_id = workers.offer(context, worker, request.path_params["hit"]).hit_id
            workers.require_qualified(context, worker, hit_id, "preview")
            html, digests = self._site.question(hit_id, workers.question_of(context, hit_id))
        origin = self._site.origin(request)
        filled = fill_in(html, [_PLACEHOLDER] * len(digests), origin, NOT_YET)
        return _question(filled, origin, framed=True)

    async def accept(self, request: Request) -> Response:
        """Take up a HIT."""
        form = await request.form()
        with self._site.context() as context:
            worker = self._worker(request, context)
            self._check_form(form, worker)
            hit_id = request.path_params["hit"]
            assignment = workers.accept(context, worker, hit_id)
        return _go(_task_url(self._site.origin(request), assignment, hit_id, worker))

    async def task(self, request: Request) -> Response:
        """The page on which a worker works: the question itself, with our bar on top."""
        assignment = request.path_params["assignment"]
        with self._site.context() as context:
            worker = self._worker(request, context)
            row = workers.task(context, assignment, worker)
            seen = workers.seen_before(context, worker, row.hit_id)
            now = context.now
        if row.state in DONE:
            return _go("/worker?saved=1")
        if row.state != OPEN:
            raise WorkerError(410, "You are not working on this HIT", "Take it up again.")
        html, addresses = self._site.addressed(row)
        origin = self._site.origin(request)
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
            worker = self._worker(request, context)
            row = workers.task(context, assignment, worker)
        url = _task_url(self._site.origin(request), assignment, row.hit_id, worker)
        csrf = form_token(self._site.database.key, worker)
        return page(TEMPLATES, "return.html.j2", row=row, url=url, csrf=csrf)

    async def give_back(self, request: Request) -> Response:
        """Return an assignment."""
        assignment = request.path_params["assignment"]
        form = await request.form()
        with self._site.context() as context:
            worker = self._worker(request, context)
            self._check_form(form, worker)
            workers.task(context, assignment, worker)
            workers.give_back(context, assignment)
        self._site.addresses.end(assignment)
        return _go("/worker")

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
        self._site.addresses.end(found[0])
        return _go("/worker?saved=1")

    def _check_form(self, form: FormData, worker: str) -> None:
        check_form(self._site, form, worker)

    def _worker(self, request: Request, context: Context) -> str:
        return signed_in(self._site, request, context)


def _task_url(origin: str, assignment: str, hit: str, worker: str) -> str:
    query = {
        "assignmentId": assignment,
        "hitId": hit,
        "workerId": worker,
        "turkSubmitTo": origin,
    }
    return f"/worker/assignments/{assignment}?{urlencode(query)}"


def _go(url: str) -> RedirectResponse:
    return RedirectResponse(url, status_code=303, headers=dict(COMMON_HEADERS))


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
