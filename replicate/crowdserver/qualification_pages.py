"""The workers' pages about qualifications, and the one with messages from requesters."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from replicate.crowdserver import qualification_asking as asking
from replicate.crowdserver.own_pages import moment
from replicate.crowdserver.site import TEMPLATES, Site
from replicate.crowdserver.worker_session import check_form, form_token_of, person_of
from replicate.web.headers import COMMON_HEADERS
from replicate.web.pages import page

HOME = "/worker/qualifications"


class QualificationPages:
    """The handlers of these pages.

    Args:
        site: The server's state.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route(HOME, self.show, methods=["GET"]),
            Route(HOME + "/about-me", self.about_me, methods=["POST"]),
            Route(HOME + "/{type}", self.ask, methods=["POST"]),
            Route("/worker/messages", self.messages, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """The qualifications that can be asked for, and what the worker said of themselves."""
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            wishes = asking.wishes(context, person.worker)
            place, adult = asking.stated(context, person.worker)
        return page(
            TEMPLATES,
            "qualifications.html.j2",
            wishes=wishes,
            place=place,
            adult=adult,
            recruited=person.recruitment is not None,
            csrf=form_token_of(self._site, person.worker),
        )

    async def ask(self, request: Request) -> Response:
        """Ask for a qualification."""
        form = await request.form()
        with self._site.context() as context:
            worker = person_of(self._site, request, context).worker
            check_form(self._site, form, worker)
            asking.ask(context, worker, request.path_params["type"])
        return _back()

    async def about_me(self, request: Request) -> Response:
        """Keep what a worker says of themselves."""
        form = await request.form()
        place = str(form.get("place", "")).strip().upper()
        with self._site.context() as context:
            worker = person_of(self._site, request, context).worker
            check_form(self._site, form, worker)
            asking.state_place(context, worker, place, "adult" in form)
        return _back()

    async def messages(self, request: Request) -> Response:
        """The messages of requesters."""
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            found = asking.messages_of(context, person.worker)
        return page(
            TEMPLATES,
            "messages.html.j2",
            messages=found,
            recruited=person.recruitment is not None,
            moment=moment,
        )


def _back() -> RedirectResponse:
    return RedirectResponse(HOME, status_code=303, headers=dict(COMMON_HEADERS))
