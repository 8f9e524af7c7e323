"""Response headers of pages, and a limit on the size of what is sent to us."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

COMMON_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}

# For whatever is not a page of ours: it may load and do nothing, and nobody may frame it.
EVERYWHERE = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)

# Our own pages: no script at all, styles from the page itself.
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def framing_policy(other: str | None, framed: bool) -> str:
    """The content security policy of a page of ours that shows another server's page in a frame.

    Args:
        other: Scheme, host and port of that server; None: of no other.
        framed: Whether our own pages may show this page in a frame.
    """
    policy = (
        PAGE_POLICY
        if other is None
        else PAGE_POLICY.replace("frame-src 'self'", f"frame-src 'self' {other}")
    )
    return policy.replace("ancestors 'none'", "ancestors 'self'") if framed else policy


# A requester's question: its own inline scripts run, but in an origin of their own (sandbox), so
# they cannot read our pages or cookies; they reach nothing but this server's images and forms.
QUESTION_POLICY = (
    "sandbox allow-forms allow-scripts allow-popups allow-popups-to-escape-sandbox; "
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src {origin} data:; connect-src {origin}; form-action {origin}; base-uri 'none'; "
    "frame-ancestors {ancestors}"
)


def question_policy(origin: str, framed: bool) -> str:
    """The content security policy of a requester's question.

    Args:
        origin: Scheme, host and port of this server, as the browser sees them.
        framed: Whether our own pages may show it in a frame.
    """
    return QUESTION_POLICY.format(origin=origin, ancestors=origin if framed else "'none'")


# The same question in the requester's view: it can be tried, but nothing can be sent from it.
LOOK_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src {origin} data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors {origin}"
)


def look_policy(origin: str) -> str:
    """The content security policy of a question in the requester's view.

    Args:
        origin: Scheme, host and port of this server, as the browser sees them.
    """
    return LOOK_POLICY.format(origin=origin)


class CommonHeaders:
    """ASGI middleware that gives every answer the common headers that it lacks.

    Pages set their own; this is for whatever is answered outside of them.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                more = [header for header in EVERYWHERE if header[0] not in there]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, receive, complete)


class BodyLimit:
    """ASGI middleware that answers 413 when a request's body is larger than a limit.

    Args:
        app: The application behind it.
        limit: Bytes.
        fields: Fields that a form may have.
    """

    def __init__(self, app: ASGIApp, limit: int, fields: int = 4000) -> None:
        self._app = app
        self._limit = limit
        self._fields = fields

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the body is read whole first, for no body here is a stream."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > self._limit:
                await _too_large(send)
                return
            if not message.get("more_body", False):
                break
        if _is_form(scope) and body.count(b"&") >= self._fields:
            await _too_large(send)
            return
        await self._app(scope, _replay(bytes(body), receive), send)


def _is_form(scope: Scope) -> bool:
    # Forms in parts have a limit of their own, where they are read.
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return bool(kind.lower().startswith(b"application/x-www-form-urlencoded"))


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _too_large(send: Send) -> None:
    text = b"The request is too large.\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})
