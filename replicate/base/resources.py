"""What there is to work with: the packed data (in the checkout or the installed wheel), cores."""

import os
from pathlib import Path

from replicate.base.errors import MissingError

_PACKAGE = Path(__file__).resolve().parent.parent


def data_dir(name: str) -> Path:
    """The folder of packed data of that name.

    Args:
        name: ``pipelines``, ``mturk_templates`` or ``db``.

    Raises:
        MissingError: The installation lacks it.
    """
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise MissingError(
        f"This installation of replicate lacks its data folder {name!r}.",
        "Install it again: pip install --force-reinstall replicate-testsets",
    )


def usable_cores() -> int:
    """How many processor cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
