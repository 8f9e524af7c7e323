"""Addresses of crowds that are known by name: those that closed, and ``sandbox``, our own."""

import json
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from replicate.base.errors import UsageError

SANDBOX = "sandbox"  # in a pipeline file: our own server, with simulated workers
PROBE_SECONDS = 3.0
CLOSED_ON = "30 September 2026"
CLOSED = {
    "mturk-requester.us-east-1.amazonaws.com": "Amazon Mechanical Turk",
    "mturk-requester-sandbox.us-east-1.amazonaws.com": "Amazon Mechanical Turk's sandbox",
}


def closed_service(endpoint: str | None) -> str | None:
    """The name of the closed service that an address belongs to; None: it is none of those.

    >>> closed_service("https://mturk-requester.us-east-1.amazonaws.com/")
    'Amazon Mechanical Turk'
    >>> closed_service("http://127.0.0.1:8700") is None
    True
    """
    if endpoint is None:
        return None
    text = endpoint.strip().lower()
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname or ""
    except ValueError:
        return None
    return CLOSED.get(host)


def refuse_closed(endpoint: str | None) -> None:
    """Stop before anything is sent to a service that is gone.

    Raises:
        UsageError: The address is one of Amazon's, which closed.
    """
    service = closed_service(endpoint)
    if service is not None:
        raise UsageError(
            f"{endpoint} cannot be used: Amazon closed {service} on {CLOSED_ON}.",
            "Run your own crowd, which speaks the same protocol (replicate crowd serve --help), "
            "label with your own people (replicate annotate), or try it with simulated workers: "
            '[label] endpoint = "sandbox".',
        )


@lru_cache(maxsize=16)
def is_sandbox_server(endpoint: str) -> bool:
    """Whether one of our own servers is there that runs as a sandbox: its workers are simulated.

    A server that does not answer, or is not ours, is none. Asked once an address.
    """
    request = Request(f"{endpoint.rstrip('/')}/health", headers={"accept": "application/json"})
    try:
        with urlopen(request, timeout=PROBE_SECONDS) as answer:
            found = json.loads(answer.read(10_000))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("sandbox") is True
