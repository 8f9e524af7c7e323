"""A page of near-duplicates, side by side: one HTML file that needs nothing else."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from replicate.base.errors import ItemError
from replicate.base.files import write_text
from replicate.base.images import decode
from replicate.reporting.templating import environment

_TITLES = {
    "sure": "Surely the same image",
    "unsure": "Unsure: look at them",
    "unconfirmed": "Proposed by the hash, not looked at",
    "different": "Different images, by their pixels",
}
_SHOWN = {"sure": 500, "unsure": 500, "unconfirmed": 200, "different": 50}
_SIDES = ("reference", "candidate")
_SIDE = 320  # pixels of the longer side of a picture on the page


def write_duplicates_page(
    path: Path, value: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]]
) -> None:
    """Write the page.

    Args:
        path: Where it goes.
        value: The document of ``replicate duplicates --json``.
        pairs: Its pairs, the surest first.
    """
    by_verdict: dict[str, list[Mapping[str, Any]]] = {}
    for pair in pairs:
        by_verdict.setdefault(pair["verdict"], []).append(pair)
    groups = [
        (title, by_verdict[verdict][: _SHOWN[verdict]], len(by_verdict[verdict]))
        for verdict, title in _TITLES.items()
        if verdict in by_verdict
    ]
    names = {pair[side] for _, some, _ in groups for pair in some for side in _SIDES}
    page = environment().get_template("duplicates.html.j2")
    images = {name: _picture(name) for name in sorted(names)}
    write_text(path, page.render(value=value, groups=groups, images=images) + "\n")


def _picture(name: str) -> str | None:
    """A small copy as a data address; None where there is no image of that name."""
    try:
        image = decode(Path(name).read_bytes())
    except (OSError, ItemError):
        return None
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
