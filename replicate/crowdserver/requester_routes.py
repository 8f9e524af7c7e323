"""The addresses of the requester's pages."""

from starlette.routing import Route

from replicate.crowdserver.requester_actions import RequesterActions
from replicate.crowdserver.requester_images import ROOT as IMAGES
from replicate.crowdserver.requester_pages import RequesterPages
from replicate.crowdserver.requester_session import ROOT, SignIn
from replicate.crowdserver.site import Site


def requester_routes(site: Site) -> list[Route]:
    """The routes of the requester's pages.

    Args:
        site: The server's state.
    """
    sign_in = SignIn(site)
    pages = RequesterPages(site, sign_in)
    actions = RequesterActions(site, sign_in, pages)
    batch, hit = f"{ROOT}/batches/{{kind}}", f"{ROOT}/hits/{{hit}}"
    views = {
        ROOT: pages.overview,
        batch: pages.batch,
        f"{batch}/end": actions.ask_end_batch,
        f"{batch}/approve": actions.ask_approve,
        hit: pages.hit,
        f"{hit}/look": pages.look,
        f"{hit}/page": pages.question,
        f"{hit}/end": actions.ask_end_hit,
    }
    forms = {
        f"{batch}/end": actions.end_batch,
        f"{batch}/approve": actions.approve,
        f"{hit}/end": actions.end_hit,
    }
    return [
        Route(f"{ROOT}/sign-in", sign_in.form, methods=["GET"]),
        Route(f"{ROOT}/sign-in", sign_in.sign_in, methods=["POST"]),
        Route(f"{ROOT}/sign-out", sign_in.sign_out, methods=["POST"]),
        Route(f"{IMAGES}/{{until}}/{{digest}}/{{mark}}", pages.image, methods=["GET"]),
        *(Route(path, pages.view(make), methods=["GET"]) for path, make in views.items()),
        *(Route(path, actions.act(do), methods=["POST"]) for path, do in forms.items()),
    ]
