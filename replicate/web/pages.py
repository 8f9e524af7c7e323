"""Pages made from templates: everything that is filled in is escaped."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from replicate.web.headers import COMMON_HEADERS, PAGE_POLICY

_LAYOUT = Path(__file__).resolve().parent / "templates"


@lru_cache(maxsize=8)
def environment(folder: Path) -> Environment:
    """The templates of a folder, with the shared layout beside them."""
    return Environment(
        loader=FileSystemLoader([folder, _LAYOUT]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def page(
    folder: Path, name: str, status: int = 200, policy: str = PAGE_POLICY, **values: Any
) -> HTMLResponse:
    """One of our own pages, with the headers that all of them carry.

    Args:
        folder: Where its template is.
        name: The template's file name.
        status: The HTTP status.
        policy: The content security policy.
        **values: What is filled in.
    """
    html = environment(folder).get_template(name).render(status=status, **values)
    # The third is for browsers that do not know frame-ancestors.
    frames = "DENY" if "frame-ancestors 'none'" in policy else "SAMEORIGIN"
    headers = {
        **COMMON_HEADERS,
        "content-security-policy": policy,
        "x-frame-options": frames,
    }
    return HTMLResponse(html, status_code=status, headers=headers)
