"""Lines of the access log: one a request whatever happens, with nothing that a client made up."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import UsageError
from replicate.web.access_log import AccessLog, LogFile, plain_path

WORDS = frozenset({"worker", "hits", "accept"})


@given(st.text(max_size=60))
def test_a_path_keeps_its_known_words_only(path: str) -> None:
    shown = plain_path(f"/worker/{path}", WORDS)
    assert set(shown.split("/")) <= {"", "*", *WORDS}
    assert re.fullmatch(r"[a-z/*]+", shown)


def answered(method: str, messages: list[dict[str, Any]]) -> str:
    lines: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if not messages:
            raise RuntimeError("it failed")

    async def send(message: Any) -> None:
        pass

    log = AccessLog(app, WORDS, lines.append, lambda: 0.0)
    scope = {"type": "http", "method": method, "path": "/worker/ada", "query_string": b"x=1"}
    try:
        asyncio.run(log(scope, None, send))  # type: ignore[arg-type]
    except RuntimeError:
        assert not messages
    (line,) = lines
    return line


def test_status_and_bytes_are_what_was_sent() -> None:
    start = {"type": "http.response.start", "status": 201, "headers": []}
    bodies = [{"type": "http.response.body", "body": b"abc", "more_body": True}]
    bodies += [{"type": "http.response.body", "body": b"de"}]
    line = answered("GET", [start, *bodies])
    assert re.fullmatch(r"1970-01-01T00:00:00\.000Z GET /worker/\* 201 5 \d+\.\d", line)
    assert " 500 0 " in answered("POST", [])
    assert " * /worker/* 201 " in answered("GET\x1b[31m", [start])


def test_lines_are_added_and_the_file_is_private(tmp_path: Path) -> None:
    place = tmp_path / "log"
    for text in ("one", "two"):
        log = LogFile(place)
        log.write(text)
        log.close()
    assert place.read_text() == "one\ntwo\n"
    assert place.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="cannot be written"):
        LogFile(tmp_path / "none" / "log")


def test_the_standard_error_is_a_place(capfd: pytest.CaptureFixture[str]) -> None:
    log = LogFile("-")
    log.write("hello")
    log.close()
    assert "hello\n" in capfd.readouterr().err


def test_a_log_that_cannot_be_written_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    log = LogFile("/dev/full")
    for _ in range(3):
        log.write("a line")
    log.close()
    assert caplog.text.count("lines are lost") == 1
