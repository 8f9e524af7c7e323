"""The pages around a question that is on another server."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from replicate.crowdserver.external import External
from replicate.crowdserver.questions import NOT_YET
from replicate.crowdserver.site import TEMPLATES
from replicate.web.headers import PAGE_POLICY, framing_policy
from replicate.web.pages import page


def external_task(external: External, row: Any, origin: str, now: float) -> Response:
    """The page on which a worker works on somebody else's page.

    Args:
        external: That page.
        row: The assignment, with its terms.
        origin: Scheme, host and port of this server, as the browser sees them.
        now: The present moment.
    """
    address = external.address(
        assignmentId=row.assignment_id,
        hitId=row.hit_id,
        workerId=row.worker_id,
        turkSubmitTo=origin,
    )
    minutes = max(0, int(row.deadline - now)) // 60
    return _framing(external, origin, address=address, row=row, minutes=minutes)


def external_preview(external: External, hit_id: str, origin: str) -> Response:
    """Somebody else's page before the HIT is taken up, for a frame in our own page."""
    address = external.address(assignmentId=NOT_YET, hitId=hit_id)
    return _framing(external, origin, address=address, row=None, minutes=0)


def sent() -> Response:
    """What the frame shows once the answer is stored."""
    return page(TEMPLATES, "sent.html.j2", policy=framing_policy(None, framed=True))


def error_policy(request: Request) -> str:
    """The policy of a page that says what went wrong: a frame of ours may show it too."""
    external = request.url.path == "/mturk/externalSubmit"
    return framing_policy(None, framed=True) if external else PAGE_POLICY


def _framing(external: External, origin: str, **values: Any) -> Response:
    # Without an origin of its own many a page does not work; a page of our own must never have
    # one, or it could reach out of its frame.
    rights = "allow-scripts allow-forms allow-popups allow-top-navigation-by-user-activation"
    if external.origin != origin:
        rights += " allow-same-origin"
    policy = framing_policy(external.origin, framed=values["row"] is None)
    return page(
        TEMPLATES, "external.html.j2", policy=policy, rights=rights, external=external, **values
    )
