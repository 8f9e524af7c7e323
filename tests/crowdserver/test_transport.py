"""Many requests at once on one connection are all answered, in order."""

import asyncio
import re
import socket
from typing import Any
from urllib.parse import urlsplit

from support.crowd import Person, Running, hit_values, html_question, simple_html

from replicate.base.digests import sha256_bytes
from replicate.crowdserver.admin import invite
from replicate.crowdserver.transport import GatheringTransport


def test_pipelined_images_come_in_order(server: Running, requester: Any) -> None:
    question = html_question(simple_html(server.digests * 30))
    hit = requester.create_hit(**hit_values(question, UniqueRequestToken="pipelined"))["HIT"]
    page = Person(server, invite(server.db, 1)[0]).accept(hit["HITId"])
    urls = re.findall(r'src="(/i/[^"]+)"', page.text)
    assert len(urls) == 180
    host = urlsplit(server.endpoint).netloc
    requests = [f"GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n" for url in [*urls, "/health"]]
    requests[-1] = requests[-1].replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    with socket.create_connection(tuple(host.split(":")), timeout=20) as connection:
        connection.sendall("".join(requests).encode())
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    digests = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        digests.append(sha256_bytes(rest[:size]))
        received = rest[size:]
    assert digests == [*server.digests * 30, sha256_bytes(b"ok\n")]


class Recorder:
    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_writes_are_gathered_and_none_is_lost() -> None:
    async def work() -> None:
        recorder: Any = Recorder()
        more = [True]
        transport = GatheringTransport(recorder, asyncio.get_running_loop(), lambda: more[0])
        transport.write(b"a")
        transport.write(b"b")
        await asyncio.sleep(0)
        assert recorder.writes == []  # more is to come
        more[0] = False
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert recorder.writes == [b"ab"]
        more[0] = True
        transport.write(b"c")
        for _ in range(100):  # but nobody waits for ever
            await asyncio.sleep(0)
        assert recorder.writes == [b"ab", b"c"]
        transport.write(b"x" * (1 << 16))
        assert recorder.writes[-1] == b"x" * (1 << 16)
        transport.write(b"end")
        transport.close()
        assert recorder.writes[-1] == b"end"
        assert transport.is_closing()

    asyncio.run(work())
