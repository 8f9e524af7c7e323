"""Which crowd a study's pages go to, and how it is written wherever it shows."""

import os
from pathlib import Path

from replicate.base.errors import MissingError
from replicate.crowd.endpoints import SANDBOX, is_sandbox_server, refuse_closed
from replicate.crowd.providers import mode_text
from replicate.crowd.registry import BUILT_IN
from replicate.study import Study

CROWD_URL = "REPLICATE_CROWD_URL"
SIMULATED = mode_text("sandbox", people="simulated workers, nobody is paid")
LOCAL = mode_text("crowd", "this machine", "local annotators, nobody is paid")


def crowd_endpoint(study: Study) -> str | None:
    """The crowd's address, if one is given."""
    return os.environ.get(CROWD_URL) or study.pipeline.label.endpoint


def crowd_kind(study: Study) -> str:
    """The provider that is really meant: a name of `registry.BUILT_IN`, or another package's.

    ``crowd`` without an address is the server of ``replicate annotate`` where that has begun,
    else the sandbox's own server where the study has a ``[sandbox]``.
    """
    name, endpoint = study.pipeline.label.provider, crowd_endpoint(study)
    if name not in ("crowd", "mturk"):
        return name
    if endpoint == SANDBOX:
        return "sandbox"
    if name == "crowd" and endpoint is None:
        if annotate_database(study).exists():
            return "annotate"
        if study.pipeline.sandbox is not None:
            return "sandbox"
    return name


def workers_simulated(study: Study) -> bool:
    """Whether the study's pages go to simulated workers."""
    return crowd_kind(study) == "sandbox"


def annotate_database(study: Study) -> Path:
    """The database of the study's own crowd server, which `replicate annotate` runs."""
    return study.root / "annotate" / "crowd.db"


def checked_endpoint(study: Study) -> str:
    """The address of the crowd or of the MTurk-compatible endpoint.

    Raises:
        MissingError: None is given.
        UsageError: It is one of Amazon's, which closed.
    """
    endpoint = crowd_endpoint(study)
    refuse_closed(endpoint)
    if endpoint:
        return endpoint
    raise MissingError(
        "The pipeline names no crowd: [label] endpoint is missing.",
        "Label yourself (replicate annotate), or start a server: replicate crowd serve "
        f"--db crowd.db --port 8700 --images {study.displays.location}, then: "
        f"export {CROWD_URL}=http://127.0.0.1:8700",
    )


def builtin_mode(study: Study) -> str | None:
    """The mode of the study's provider; None for one of another package, which says it itself.

    A server at an address is asked whether it is a sandbox.

    Raises:
        UsageError: The endpoint is one of Amazon's, which closed.
    """
    kind = crowd_kind(study)
    if kind not in BUILT_IN:
        return None
    if kind == "sandbox":
        return SIMULATED
    if kind == "annotate":
        return LOCAL
    if kind == "files":
        return mode_text("files", study.pipeline.label.folder, "people fill them in")
    endpoint = crowd_endpoint(study)
    refuse_closed(endpoint)
    if endpoint and is_sandbox_server(endpoint):
        return mode_text(f"{kind} (a sandbox)", endpoint, "simulated workers, nobody is paid")
    return mode_text(kind, endpoint or "no endpoint yet")
