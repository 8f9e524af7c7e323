"""Response headers of pages, and a limit on the size of what is sent to us."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

COMMON_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}

# Our own pages: no script at all, styles from the page itself.
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

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


class BodyLimit:
    """ASGI middleware that answers 413 when a request's body is larger than a limit.

    Args:
        app: The application behind it.
        limit: Bytes.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

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
        await self._app(scope, _replay(bytes(body), receive), send)


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
