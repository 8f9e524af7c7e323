"""What a requester does on the pages: end a HIT or a batch, approve what was sent in."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select, update
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from replicate.crowdserver import requester_queries as queries
from replicate.crowdserver.context import Context
from replicate.crowdserver.requester_pages import RequesterPages, batch_url
from replicate.crowdserver.requester_session import ROOT, Requester, SignIn, forbidden
from replicate.crowdserver.site import Site
from replicate.crowdserver.tables import Assignment, Hit
from replicate.web.forms import fields_of
from replicate.web.headers import COMMON_HEADERS

Act = Callable[[Context, Requester, Request, dict[str, str]], str]
Handler = Callable[[Request], Awaitable[Response]]


class RequesterActions:
    """The handlers of the forms; each is asked first, on a page of its own.

    Args:
        site: The server's state.
        sign_in: Who is signed in.
        pages: The pages.
    """

    def __init__(self, site: Site, sign_in: SignIn, pages: RequesterPages) -> None:
        self._site = site
        self._sign_in = sign_in
        self._pages = pages

    def act(self, do: Act) -> Handler:
        """A handler that does something for who is signed in, if the form is their own."""

        async def handle(request: Request) -> Response:
            fields = await fields_of(request)
            with self._site.context() as context:
                who = self._sign_in.who(request, context.connection)
                if who is None or not who.session.holds(fields.get("csrf", "")):
                    return forbidden()
                url = do(context, who, request, fields)
            return RedirectResponse(url, status_code=303, headers=dict(COMMON_HEADERS))

        return handle

    def ask_end_batch(self, connection: Any, who: Requester, request: Request) -> Response:
        """Ask whether to end a batch."""
        found, _ = self._pages.find_batch(connection, who, request)
        return self._ask(
            who,
            "End this batch?",
            f"{found.available} assignments that nobody has taken up are offered no more. Those "
            "that are being worked on can still be sent in, and what was sent in stays.",
            "End the batch",
            batch_url(found),
            f"{ROOT}/batches/{found.hit_type_id}/end",
            study=found.study,
        )

    def end_batch(
        self, context: Context, who: Requester, request: Request, fields: dict[str, str]
    ) -> str:
        """End all HITs of a batch that still run."""
        found, where = self._find(context, who, request, fields)
        context.connection.execute(
            update(Hit).where(*where, Hit.expires > context.now).values(expires=context.now)
        )
        return batch_url(found)

    def ask_approve(self, connection: Any, who: Requester, request: Request) -> Response:
        """Ask whether to approve what was sent in."""
        found, _ = self._pages.find_batch(connection, who, request)
        amount = found.cost(found.submitted)
        return self._ask(
            who,
            f"Approve {found.submitted} assignments?",
            f"All that were sent in until now and are not decided: ${amount:,.2f} in rewards. An "
            "approval cannot be taken back.",
            "Approve them",
            batch_url(found),
            f"{ROOT}/batches/{found.hit_type_id}/approve",
            study=found.study,
            until=repr(self._site.now()),
        )

    def approve(
        self, context: Context, who: Requester, request: Request, fields: dict[str, str]
    ) -> str:
        """Approve what was sent in until the moment at which it was asked; nothing unseen."""
        found, where = self._find(context, who, request, fields)
        try:
            until = min(float(fields.get("until", "")), context.now)
        except ValueError:
            until = 0.0
        ids = select(Hit.hit_id).where(*where)
        context.connection.execute(
            update(Assignment)
            .where(
                Assignment.hit_id.in_(ids),
                Assignment.state == "Submitted",
                Assignment.submitted <= until,
            )
            .values(state="Approved", decided=context.now)
        )
        return batch_url(found)

    def ask_end_hit(self, connection: Any, who: Requester, request: Request) -> Response:
        """Ask whether to end a HIT."""
        row = self._pages.find_hit(connection, who, request)
        return self._ask(
            who,
            "End this HIT?",
            "It is offered no more. Who is working on it can still send it in.",
            "End the HIT",
            f"{ROOT}/hits/{row.hit_id}",
            f"{ROOT}/hits/{row.hit_id}/end",
        )

    def end_hit(
        self, context: Context, who: Requester, request: Request, fields: dict[str, str]
    ) -> str:
        """End a HIT, if it still runs."""
        hit = request.path_params["hit"]
        context.connection.execute(
            update(Hit)
            .where(Hit.hit_id == hit, Hit.requester == who.account, Hit.expires > context.now)
            .values(expires=context.now)
        )
        return f"{ROOT}/hits/{hit}"

    def _find(
        self, context: Context, who: Requester, request: Request, fields: dict[str, str]
    ) -> tuple[queries.Batch, Any]:
        kind, study = request.path_params["kind"], fields.get("study", "")
        return self._pages.batch_named(context.connection, who, kind, study)

    def _ask(
        self,
        who: Requester,
        title: str,
        message: str,
        button: str,
        back: str,
        action: str,
        **hidden: str,
    ) -> Response:
        return self._pages.page(
            who,
            "requester_ask.html.j2",
            title=title,
            message=message,
            button=button,
            back=back,
            action=action,
            hidden=hidden,
        )
