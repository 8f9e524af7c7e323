"""The workers' pages about qualifications, and the one with messages from requesters."""

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from replicate.crowdserver import qualification_asking as asking
from replicate.crowdserver import qualification_tests as tests
from replicate.crowdserver.own_pages import moment
from replicate.crowdserver.site import TEMPLATES, Site
from replicate.crowdserver.worker_session import Person, check_form, form_token_of, person_of
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
            Route(HOME + "/{type}/test", self.test, methods=["GET"]),
            Route(HOME + "/{type}/test", self.answer, methods=["POST"]),
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
            begun = tests.running(context, worker, request.path_params["type"])
        return _back() if begun is None else _back(f"/{request.path_params['type']}/test")

    async def test(self, request: Request) -> Response:
        """The test of a qualification, once it has begun."""
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            begun = tests.begun(context, person.worker, request.path_params["type"])
        return self._test_page(person, begun, [])

    async def answer(self, request: Request) -> Response:
        """Take the answers to a test."""
        form = await request.form(max_files=0, max_fields=2000)
        fields = [(n, v) for n, v in form.multi_items() if not isinstance(v, UploadFile)]
        with self._site.context() as context:
            person = person_of(self._site, request, context)
            check_form(self._site, form, person.worker)
            begun = tests.begun(context, person.worker, request.path_params["type"])
            problems = tests.answer(context, begun, fields)
        return self._test_page(person, begun, problems) if problems else _back()

    def _test_page(self, person: Person, begun: tests.Begun, problems: list[str]) -> Response:
        return page(
            TEMPLATES,
            "qualification_test.html.j2",
            status=400 if problems else 200,
            form=begun.form,
            test_name=begun.name,
            type_id=begun.type_id,
            minutes=max(1, int(begun.seconds_left // 60)),
            problems=problems,
            recruited=person.recruitment is not None,
            csrf=form_token_of(self._site, person.worker),
        )

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


def _back(place: str = "") -> RedirectResponse:
    return RedirectResponse(HOME + place, status_code=303, headers=dict(COMMON_HEADERS))
