"""Who a browser belongs to, and that a form came from one of our own pages."""

from starlette.datastructures import FormData
from starlette.requests import Request

from replicate.crowdserver.context import Context
from replicate.crowdserver.site import Site
from replicate.crowdserver.workers import WorkerError
from replicate.web.signing import form_token_holds, unsigned

COOKIE = "replicate_worker"


def signed_in(site: Site, request: Request, context: Context) -> str:
    """The worker whose browser sent a request.

    Raises:
        WorkerError: No worker has signed in on it.
    """
    cookie = request.cookies.get(COOKIE, "")
    worker = unsigned(site.database.key, "worker", cookie)
    if worker is None or not site.knows(context, worker):
        raise WorkerError(
            401, "Please use your invitation link", "It signs you in on this browser."
        )
    return worker


def check_form(site: Site, form: FormData, worker: str) -> None:
    """Refuse a form that did not come from a page of this worker.

    Raises:
        WorkerError: It did not.
    """
    if not form_token_holds(site.database.key, worker, str(form.get("csrf", ""))):
        raise WorkerError(403, "Please try again", "The page was out of date.")
