"""Threats on the wire: too much, too fast, too slow, from elsewhere, through proxies, into logs."""

import http.client
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from support.crowd import Person, Running, client, hit_values, process, put_images, running
from support.requester import Requester, our_page

from replicate.base.errors import UsageError
from replicate.crowdserver.admin import add_key, invite
from replicate.crowdserver.database import Database
from replicate.crowdserver.serve import serve
from replicate.crowdserver.transport import GatheringProtocol

PUBLIC = "https://crowd.example.org"


def address(server: Running) -> tuple[str, int]:
    parts = urlsplit(server.endpoint)
    return str(parts.hostname), int(parts.port or 0)


def exchange(server: Running, data: bytes) -> bytes:
    """Send bytes and read until the server closes the connection."""
    with socket.create_connection(address(server), timeout=30) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


HEADS = {
    "one long header": b"X: " + b"a" * 70_000,
    "a header without an end": b"X: " + b"a" * 400_000,
    "many headers": b"\r\n".join(b"X%d: %s" % (n, b"a" * 200) for n in range(400)),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_large_head_is_refused(server: Running, head: bytes) -> None:
    end = b"" if head is HEADS["a header without an end"] else b"\r\n\r\n"
    try:
        answer = exchange(server, b"GET /health HTTP/1.1\r\nHost: h\r\n" + head + end)
    except ConnectionResetError:  # the answer was overtaken by the end of the connection
        answer = b"HTTP/1.1 431 "
    assert answer.startswith(b"HTTP/1.1 431 ")
    path = b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    assert exchange(server, path).startswith(b"HTTP/1.1 431 ")
    assert requests.get(f"{server.endpoint}/health").text == "ok\n"


def test_a_form_has_so_many_fields(server: Running) -> None:
    url = f"{server.endpoint}/mturk/externalSubmit"
    few = "&".join(f"a{n}=1" for n in range(1000))
    assert requests.post(url, data=few, headers=FORM).status_code == 400  # no assignment
    many = "&".join(f"a{n}=1" for n in range(5000))
    assert requests.post(url, data=many, headers=FORM).status_code == 413
    parts = {f"a{n}": (None, "1") for n in range(3000)}
    assert requests.post(url, files=parts).status_code == 400
    owner = Requester(server, add_key(server.db))
    assert owner.session.post(f"{owner.root}/sign-in", files=parts).status_code == 400


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_slow_clients_do_not_hold_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GatheringProtocol, "patience", 0.3)
    with running(tmp_path / "crowd.db") as server:
        begun = [b"", b"GET /hea", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"]
        for data in begun:
            start = time.monotonic()
            assert exchange(server, data) == b""
            assert 0.2 < time.monotonic() - start < 20
        with requests.Session() as session:  # who asks in time is not in a hurry between requests
            for _ in range(3):
                assert session.get(f"{server.endpoint}/health").text == "ok\n"
                time.sleep(0.4)


def drip(server: Running, pieces: Iterator[bytes]) -> bytes:
    with socket.create_connection(address(server), timeout=30) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.05)
            return connection.recv(100)
        except (BrokenPipeError, ConnectionResetError):
            return b""


def test_dripping_bytes_does_not_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GatheringProtocol, "patience", 0.3)
    with running(tmp_path / "crowd.db") as server:
        start = time.monotonic()
        letters = (bytes([letter]) for letter in b"GET /health HTTP/1.1\r\nX: " + b"a" * 1000)
        assert drip(server, letters) == b""
        assert time.monotonic() - start < 30


@contextmanager
def limited(folder: Path, rate: float, **options: Any) -> Iterator[Running]:
    digests = put_images(folder / "images", 6)
    given = {"images": folder / "images", "rate": rate, **options}
    with running(folder / "crowd.db", **given) as server:
        server.digests = digests
        yield server


def test_a_worker_who_asks_too_often_waits_and_others_do_not(tmp_path: Path) -> None:
    with limited(tmp_path, rate=0.5) as server:  # 10 at once
        first, second = (Person(server, link) for link in invite(server.db, 2))
        codes = [first.session.get(server.worker_url).status_code for _ in range(12)]
        assert codes.count(429) >= 2
        assert codes[0] == 200
        late = first.session.get(server.worker_url)
        assert late.status_code == 429
        assert 1 <= int(late.headers["retry-after"]) <= 3
        assert "content-security-policy" in late.headers
        assert second.session.get(server.worker_url).status_code == 200


def test_an_address_that_asks_too_often_waits(tmp_path: Path) -> None:
    with limited(tmp_path, rate=0.1) as server:  # 40 at once
        codes = [requests.get(f"{server.endpoint}/worker").status_code for _ in range(45)]
        assert codes[0] == 401
        assert codes[-1] == 429


def test_images_and_signed_calls_count_only_when_they_are_guesses(tmp_path: Path) -> None:
    with limited(tmp_path, rate=0.1) as server:
        api = client(server)
        hit = api.create_hit(**hit_values(our_page(server.digests)))["HIT"]["HITId"]
        page = Person(server, invite(server.db, 1)[0]).accept(hit)
        good = re.findall(r'src="(/i/[^"]+)"', page.text)
        with requests.Session() as session:
            for _ in range(10):
                for url in good:
                    assert session.get(server.endpoint + url).status_code == 200
            for _ in range(50):
                api.get_hit(HITId=hit)
            codes = [session.get(f"{server.endpoint}/i/x/{n}").status_code for n in range(45)]
            assert codes[0] == 404
            assert codes[-1] == 429
            wrong = session.post(server.endpoint, headers={"X-Amz-Target": "x"})
            assert wrong.json()["__type"] == "ThrottlingException"


def test_no_redirect_leads_elsewhere(server: Running) -> None:
    person = Person(server, invite(server.db, 1)[0])
    owner = Requester(server, add_key(server.db)).sign_in()
    host = {"Host": "evil.example"}
    paths = ["/", "/worker/", "/requester/", "/requester", "//evil.example/worker", "/health/"]
    paths += ["/worker?next=//evil.example", "/requester/sign-in?next=//evil.example", "/\\evil/"]
    for session in (requests.Session(), person.session, owner.session):
        for path in paths:
            cookies = requests.utils.dict_from_cookiejar(session.cookies)  # whatever the host
            url = server.endpoint + path
            answer = requests.get(url, headers=host, cookies=cookies, allow_redirects=False)
            place = answer.headers.get("location", "/")
            assert place.startswith("/") and not place.startswith("//"), (path, place)
            assert "evil" not in place


def test_a_host_that_is_none_is_refused(server: Running) -> None:
    for host in ("x;script-src *", "a b", "a/b", "x" * 300, ""):
        connection = http.client.HTTPConnection(*address(server), timeout=20)
        connection.putrequest("GET", "/requester/sign-in", skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 400
        assert "script-src" not in answer.headers.get("content-security-policy", "")
        connection.close()


def test_a_public_address_is_not_taken_from_the_request(tmp_path: Path) -> None:
    digests = put_images(tmp_path / "images", 2)
    options = {"images": tmp_path / "images", "public_url": PUBLIC}
    with running(tmp_path / "crowd.db", **options) as server:
        api = client(server)
        hit = api.create_hit(**hit_values(our_page(digests)))["HIT"]["HITId"]
        link = invite(server.db, 1, base_url=server.endpoint)[0]
        joined = requests.get(link, allow_redirects=False, headers={"Host": "evil.example"})
        assert "; secure" in joined.headers["set-cookie"].lower()
        cookies = {"replicate_worker": joined.cookies["replicate_worker"]}
        url = f"{server.endpoint}/worker/hits/{hit}/question"
        text = requests.get(url, cookies=cookies, headers={"Host": "evil.example"})
        assert f'action="{PUBLIC}/mturk/externalSubmit"' in text.text
        assert "evil" not in text.text + str(text.headers)
        sign_in = requests.get(f"{server.endpoint}/requester/sign-in")
        assert "; secure" in sign_in.headers["set-cookie"].lower()


def spoofed(server: Running, count: int, **headers: str) -> list[int]:
    url = f"{server.endpoint}/worker"
    given = [{name: value.format(n) for name, value in headers.items()} for n in range(count)]
    return [requests.get(url, headers=each).status_code for each in given]


def test_forwarded_for_is_believed_from_the_proxy_alone(tmp_path: Path) -> None:
    """Who could name another address for each request would have no limit of rate."""
    header = {"X-Forwarded-For": "192.0.2.{}"}
    with limited(tmp_path / "none", rate=0.1) as server:
        assert spoofed(server, 45, **header)[-1] == 429
    elsewhere = {"public_url": PUBLIC, "behind_proxy": "198.51.100.7"}
    with limited(tmp_path / "elsewhere", rate=0.1, **elsewhere) as server:
        assert spoofed(server, 45, **header)[-1] == 429
    with limited(tmp_path / "proxy", rate=0.1, public_url=PUBLIC) as server:
        # The proxy adds whom it saw at the end; what stood there before was the client's own.
        chain = {"X-Forwarded-For": "192.0.2.{}, 203.0.113.9"}
        assert spoofed(server, 45, **chain)[-1] == 429
        assert spoofed(server, 5, **{"X-Forwarded-For": "203.0.113.1{}"}) == [401] * 5


def test_the_access_log_tells_no_secret(tmp_path: Path) -> None:
    log, digests = tmp_path / "access.log", put_images(tmp_path / "images", 2)
    options = {"images": str(tmp_path / "images"), "access_log": str(log), "sandbox": True}
    db = tmp_path / "crowd.db"
    with process(db, **options) as (_, server):
        key = add_key(db)
        owner = Requester(server, key).sign_in()
        api = client(server, key)
        hit = api.create_hit(**hit_values(our_page(digests)))["HIT"]["HITId"]
        link = invite(db, names=["ada"], base_url=server.endpoint)[0]
        person = Person(server, link)
        page = person.accept(hit)
        images = re.findall(r'src="(/i/[^"]+)"', page.text)
        person.session.get(server.endpoint + images[0])
        assert person.submit(page, answer="{}").status_code == 200
        owner.get(f"/hits/{hit}")
        requests.get(f"{server.endpoint}/worker/{key[1]}?PROLIFIC_PID=5f1e", headers={"X": "ada"})
        requests.request("PROPFIND", f"{server.endpoint}/%0aFORGED line")
        cookies = [*owner.session.cookies, *person.session.cookies]
    lines = log.read_text().splitlines()
    shape = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z ([A-Z]+ /\S*) (\d{3}) \d+ \d+\.\d\Z")
    assert all(shape.match(line) for line in lines), lines
    seen = [shape.match(line)[1] for line in lines]  # type: ignore[index]
    for wanted in (
        "GET /join/*",
        "POST /worker/hits/*/accept",
        "GET /i/*/*",
        "POST /mturk/externalSubmit",
        "POST /requester/sign-in",
        "GET /requester/hits/*",
        "GET /worker/*",
        "POST /",
    ):
        assert wanted in seen
    text = "\n".join(lines)
    secrets = [*key, hit, link.rpartition("/")[2], "5f1e", "FORGED", "ada", "127.0.0.1"]
    secrets += [cookie.value for cookie in cookies] + images[0].split("/")[2:]
    assert len(secrets) > 10
    for secret in secrets:
        assert secret not in text
    assert log.stat().st_mode & 0o077 == 0


def test_errors_tell_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = "postgresql+psycopg://replicate:hunter2@127.0.0.1:9/crowd"
    with pytest.raises(UsageError) as error:
        serve(url, port=0)
    assert "hunter2" not in f"{error.value.message} {error.value.hint}"
    assert "127.0.0.1:9" in error.value.message
    with pytest.raises(UsageError) as error:
        Database("nothing at all://hunter2")
    assert "hunter2" not in f"{error.value.message} {error.value.hint}"
    with running(tmp_path / "crowd.db", sandbox=True) as server:
        key = add_key(server.db)
        hit = client(server, key).create_hit(**hit_values())["HIT"]["HITId"]
        person = Person(server, invite(server.db, 1)[0])
        page = person.accept(hit)
        other = Database(server.db)
        with other.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE assignments RENAME TO elsewhere")
        answer = person.submit(page, answer="my-own-answer")
        assert answer.status_code == 503
        assert "cannot store anything" in answer.text
        api = requests.get(f"{server.endpoint}/requester/hits/{hit}")
        with other.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO assignments")
        other.close()
        assert person.submit(page, answer="my-own-answer").status_code == 200
    said = caplog.text + answer.text + api.text
    assert "no such table" in caplog.text
    for secret in ("my-own-answer", "Traceback", key[1]):
        assert secret not in said
    assert "SELECT" not in answer.text


def test_the_database_is_made_private(tmp_path: Path) -> None:
    db = tmp_path / "crowd.db"
    db.touch(0o644)
    with running(db) as server:
        requests.get(f"{server.endpoint}/health")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("crowd.db*")}
    assert set(modes) >= {"crowd.db", "crowd.db-wal"}
    assert set(modes.values()) == {0o600}
