"""Providers by name: our own, and those that other packages bring.

A package brings a provider by an entry point of the group ``replicate.providers``::

    [project.entry-points."replicate.providers"]
    lab = "lab_crowd:open_provider"

The object is called with `ProviderSettings` and gives a `Provider`; opening one sends nothing.
An attribute ``fees`` of it, a `FeeTable`, says what the provider takes; without one it is free.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from replicate.base.errors import MissingError, UsageError
from replicate.crowd.providers import Provider

GROUP = "replicate.providers"
BUILT_IN = {
    "crowd": "our own crowd server; without an endpoint and with a [sandbox], its simulated one",
    "mturk": "any other endpoint that speaks the MTurk Requester API",
    "files": "files for other labelling tools, out and in",
    "annotate": "your own people on this machine: replicate annotate",
    "sandbox": "our own server with simulated workers",
}


@dataclass(frozen=True)
class ProviderSettings:
    """What a provider of another package is opened with.

    Attributes:
        study: The study's name.
        endpoint: ``[label] endpoint``, or REPLICATE_CROWD_URL.
        folder: A folder of its own in the study; not made yet.
        displays: Where the display copies are, ``<first two hex digits>/<sha256>`` below it: a
            folder, or an address such as ``s3://bucket/prefix`` (`replicate.base.blobs`).
        key: The study's secret, for hashing whatever names a person.
    """

    study: str
    endpoint: str | None
    folder: Path
    displays: str
    key: bytes


Factory = Callable[[ProviderSettings], Provider]


def provider_names() -> tuple[str, ...]:
    """Every name that ``[label] provider`` can have."""
    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - {*BUILT_IN}))


def check_name(name: str) -> str:
    """The name, if there is such a provider.

    Raises:
        ValueError: There is none; the nearest one is named.
    """
    names = provider_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        meant = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"
        raise ValueError(f"there is no provider {name!r}{meant}")
    return name


def factory(name: str) -> Factory:
    """What opens a provider that another package brings.

    Raises:
        UsageError: No package brings it.
        MissingError: The package that brings it cannot be loaded.
    """
    point = _point(name)
    if point is None:
        raise UsageError(
            f"No installed package brings the provider {name!r}.",
            f"Install it, or name one of: {', '.join(provider_names())}.",
        )
    try:
        found: Factory = point.load()
    except Exception as error:  # whatever a foreign package does when it is imported
        raise MissingError(
            f"The provider {name!r} ({point.value}) cannot be loaded: {error}",
            "Mend or reinstall the package that brings it.",
        ) from error
    return found


def _point(name: str) -> EntryPoint | None:
    found = [point for point in entry_points(group=GROUP) if point.name == name]
    return found[0] if found else None
