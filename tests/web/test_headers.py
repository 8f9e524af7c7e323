"""The limit on bodies, whatever pieces they come in."""

import asyncio
from typing import Any

import pytest

from replicate.web.headers import BodyLimit, question_policy


def send_through(pieces: list[bytes], limit: int, method: str = "POST") -> tuple[int, bytes]:
    seen: list[bytes] = []
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        seen.append(message["body"])
        assert not message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    messages = [
        {"type": "http.request", "body": piece, "more_body": n + 1 < len(pieces)}
        for n, piece in enumerate(pieces)
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "headers": []}
    asyncio.run(BodyLimit(app, limit)(scope, receive, send))
    return sent[0]["status"], seen[0] if seen else b""


@pytest.mark.parametrize("pieces", [[b""], [b"abcdef"], [b"ab", b"", b"cdef"]])
def test_bodies_up_to_the_limit_arrive_whole(pieces: list[bytes]) -> None:
    assert send_through(pieces, 6) == (200, b"".join(pieces))


@pytest.mark.parametrize("pieces", [[b"abcdefg"], [b"abc", b"defg"], [b"x" * 100, b"y"]])
def test_larger_bodies_never_reach_the_application(pieces: list[bytes]) -> None:
    assert send_through(pieces, 6) == (413, b"")


def test_a_question_may_be_framed_by_our_own_pages_only() -> None:
    assert "frame-ancestors http://h:1" in question_policy("http://h:1", framed=True)
    assert "frame-ancestors 'none'" in question_policy("http://h:1", framed=False)
