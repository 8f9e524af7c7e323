"""The requester's pages: batches and their progress, answers, one HIT as a worker sees it.

They are made in threads, from views of the database of their own, so that no worker waits while
a large batch is looked at.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from replicate.crowdserver import requester_queries as queries
from replicate.crowdserver.page_facts import PageFacts, page_facts
from replicate.crowdserver.questions import fill_in, html_of, image_digests
from replicate.crowdserver.readings import SECONDS_PER_IMAGE, Readings
from replicate.crowdserver.requester_answers import shown_answer
from replicate.crowdserver.requester_images import ImageAddresses
from replicate.crowdserver.requester_session import ROOT, Requester, SignIn
from replicate.crowdserver.requester_words import WORDS, ago, ends, span
from replicate.crowdserver.site import TEMPLATES, Site
from replicate.crowdserver.workers import WorkerError
from replicate.web.headers import COMMON_HEADERS, look_policy
from replicate.web.pages import page

LOOKING = "REQUESTER_VIEW"  # in place of an assignment's id: a page that cannot be sent in
_SECONDS = 0.6  # of reading answers for one page; the page loads itself again to go on
View = Callable[[Connection, Requester, Request], Response]
Handler = Callable[[Request], Awaitable[Response]]


class RequesterPages:
    """The handlers of the requester's pages.

    Args:
        site: The server's state.
        sign_in: Who is signed in.
    """

    def __init__(self, site: Site, sign_in: SignIn) -> None:
        self._site = site
        self._sign_in = sign_in
        self._images = ImageAddresses()
        self._readings = Readings(_page_of)

    def view(self, make: View) -> Handler:
        """A handler that makes a page for who is signed in, and sends others to sign in."""

        def work(request: Request) -> Response:
            with self._site.database.read() as connection:
                who = self._sign_in.who(request, connection)
                if who is None:
                    return RedirectResponse(
                        f"{ROOT}/sign-in", status_code=303, headers=dict(COMMON_HEADERS)
                    )
                return make(connection, who, request)

        async def handle(request: Request) -> Response:
            return await run_in_threadpool(work, request)

        return handle

    def overview(self, connection: Connection, who: Requester, request: Request) -> Response:
        """All batches, the newest first."""
        before = request.query_params.get("before", "")
        given = int(before) if before.isdecimal() and len(before) < 16 else None
        found = queries.batches(connection, who.account, self._site.now(), given)
        more = found[queries.BATCHES - 1].last if len(found) > queries.BATCHES else None
        return self.page(who, "requester.html.j2", batches=found[: queries.BATCHES], more=more)

    def batch(self, connection: Connection, who: Requester, request: Request) -> Response:
        """One batch: progress, cost, agreement, work to look at, its HITs."""
        now = self._site.now()
        found, where = self.find_batch(connection, who, request)
        after = request.query_params.get("after", "")
        start = int(after) if after.isdecimal() and len(after) < 16 else 0
        rows = queries.hits(connection, where, start)
        shown = rows[: queries.HITS]
        summary = self._readings.summary(connection, queries.stamps(connection, where), _SECONDS)
        pace = queries.pace(connection, where)
        return self.page(
            who,
            "requester_batch.html.j2",
            batch=found,
            here=batch_url(found),
            hits=shown,
            counts=queries.counts(connection, [row.hit_id for row in shown]),
            more=shown[-1].serial if len(rows) > queries.HITS else None,
            summary=summary,
            ends=ends(found.to_come, pace, now),
            pace=pace,
            bonuses=queries.bonuses(connection, where),
            fast=SECONDS_PER_IMAGE,
        )

    def hit(self, connection: Connection, who: Requester, request: Request) -> Response:
        """One HIT: its terms, and its answers in a form that can be read."""
        row = self.find_hit(connection, who, request)
        after = request.query_params.get("after", "")
        start = int(after) if after.isdecimal() and len(after) < 9 else 0
        rows = queries.answers(connection, row.hit_id, start)
        facts, now = page_facts(html_of(row.question)), self._site.now()
        answers = [shown_answer(r, facts, self._image) for r in rows[: queries.ANSWERS]]
        return self.page(
            who,
            "requester_hit.html.j2",
            hit=row,
            facts=facts,
            back=batch_url(row),
            running=row.expires > now,
            answers=answers,
            more=start + queries.ANSWERS if len(rows) > queries.ANSWERS else None,
        )

    def look(self, connection: Connection, who: Requester, request: Request) -> Response:
        """One HIT as a worker sees it, in a frame of our own page."""
        row = self.find_hit(connection, who, request)
        return self.page(who, "requester_look.html.j2", hit=row)

    def question(self, connection: Connection, who: Requester, request: Request) -> Response:
        """What the frame shows: the page with its images; it can be tried but not sent."""
        row = self.find_hit(connection, who, request)
        html, origin = html_of(row.question), self._site.origin(request)
        images = [self._image(digest) for digest in image_digests(html)]
        filled = fill_in(html, images, origin, LOOKING)
        headers = {**COMMON_HEADERS, "content-security-policy": look_policy(origin)}
        return HTMLResponse(filled, headers=headers)

    async def image(self, request: Request) -> Response:
        """An image, for who has its address."""
        until, digest, mark = (request.path_params[n] for n in ("until", "digest", "mark"))
        found = self._images.read(until, digest, mark, self._site.now())
        picture = None if found is None else self._site.pictures.get(found[0])
        if found is None or picture is None:
            raise WorkerError(404, "There is no such image", "Load the page again.")
        headers = {
            "cache-control": f"private, max-age={found[1]}",
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; sandbox",
        }
        return Response(picture.data, media_type=picture.kind, headers=headers)

    def page(self, who: Requester, name: str, status: int = 200, **values: Any) -> Response:
        """A page for somebody who is signed in."""
        now = self._site.now()
        values |= {**WORDS, "ago": lambda moment: ago(moment, now), "span": span, "now": now}
        values |= {"who": who, "batch_url": batch_url, "sandbox": self._site.is_sandbox}
        return page(TEMPLATES, name, status, **values)

    def find_batch(
        self, connection: Connection, who: Requester, request: Request
    ) -> tuple[queries.Batch, Any]:
        """The batch that an address names, and what is true of its HITs.

        Raises:
            WorkerError: There is none.
        """
        study = request.query_params.get("study", "")
        return self.batch_named(connection, who, request.path_params["kind"], study)

    def batch_named(
        self, connection: Connection, who: Requester, kind: str, study: str
    ) -> tuple[queries.Batch, Any]:
        """A batch by its type and study, and what is true of its HITs.

        Raises:
            WorkerError: There is none.
        """
        found = queries.batch(connection, who.account, self._site.now(), kind, study)
        if found is None:
            raise WorkerError(404, "There is no such batch", "It may have been deleted.")
        return found, queries.in_batch(connection, who.account, kind, study)

    def find_hit(self, connection: Connection, who: Requester, request: Request) -> Any:
        """The HIT that an address names.

        Raises:
            WorkerError: There is none.
        """
        row = queries.hit(connection, who.account, request.path_params["hit"])
        if row is None:
            raise WorkerError(404, "There is no such HIT", "It may have been deleted.")
        return row

    def _image(self, digest: str) -> str:
        return self._images.make(digest, self._site.now())


def _page_of(connection: Connection, hit_id: str) -> PageFacts:
    return page_facts(html_of(queries.question(connection, hit_id)))


def batch_url(batch: Any) -> str:
    """The address of a batch's page; of a HIT's batch as well."""
    return f"{ROOT}/batches/{batch.hit_type_id}?{urlencode({'study': batch.study})}"
