"""Threats in what is shown: scripts in texts, files that are no images, pages in frames."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
import requests
from support.crowd import Person, Running, client, hit_values, html_question, put_images, running
from support.requester import Requester, our_answer, our_page

from replicate.base.digests import sha256_bytes
from replicate.base.errors import ItemError
from replicate.crowd.answers import parse_answer
from replicate.crowdserver.admin import add_key, invite
from replicate.crowdserver.page_facts import page_facts
from replicate.crowdserver.questions import fill_in, insert_bar
from replicate.crowdserver.requester_images import ImageAddresses

NASTY = "<script>steal()</script>\"'><img src=x onerror=steal()>"
ESCAPED = "&lt;script&gt;steal()"


@dataclass
class Scene:
    """A server whose every text is an attack, with all of its pages."""

    server: Running
    owner: Requester
    person: Person
    hit: str
    kind: str

    def own_pages(self) -> Iterator[requests.Response]:
        """Every page of our own, as those see it who may."""
        root = f"{self.server.endpoint}/worker"
        for path in ("", f"/hits/{self.hit}", "/assignments/X", "/nothing"):
            yield self.person.session.get(root + path)
        batch = f"/batches/{self.kind}"
        query = f"?study={NASTY.partition(':')[0]}"
        paths = ["", batch + query, f"{batch}/end{query}", f"{batch}/approve{query}"]
        paths += [f"/hits/{self.hit}{end}" for end in ("", "/look", "/end")]
        for path in [*paths, "/nothing", "/sign-in"]:
            yield self.owner.get(path)
        yield requests.get(f"{self.server.endpoint}/requester/sign-in")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("nasty")
    digests = put_images(folder / "images", 2)
    with running(folder / "crowd.db", images=folder / "images", sandbox=True, seed=4) as server:
        server.digests = digests
        key = add_key(server.db)
        api = client(server, key)
        nasty = NASTY.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
        page = our_page(digests, class_id=nasty, title=nasty)
        values = hit_values(page, Title=NASTY, Description=NASTY, Keywords=NASTY, MaxAssignments=9)
        values["RequesterAnnotation"] = f"{NASTY}: {NASTY}"
        made = api.create_hit(**values)["HIT"]
        people = [Person(server, link) for link in invite(server.db, 4)]
        answers = [our_answer([NASTY, "i01"]), NASTY, '{"version": 1, "selected": "</script>"}']
        for person, answer in zip(people, answers, strict=False):
            accepted = person.accept(made["HITId"])
            fields = {"answer": answer, NASTY: NASTY}
            assert person.submit(accepted, **fields).status_code == 200
        for one in api.list_assignments_for_hit(HITId=made["HITId"])["Assignments"][:2]:
            api.approve_assignment(AssignmentId=one["AssignmentId"], RequesterFeedback=NASTY)
        owner = Requester(server, key).sign_in()
        yield Scene(server, owner, people[3], made["HITId"], made["HITTypeId"])


class _Tags(HTMLParser):
    """What a browser would make of a page: its elements, and attributes that hold scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        for name, value in attrs:
            if name.startswith("on") or "javascript:" in (value or "").lower():
                self.found.add(name)


def test_no_text_becomes_a_script(scene: Scene) -> None:
    seen = 0
    for answer in scene.own_pages():
        tags = _Tags()
        tags.feed(answer.text)
        assert not {"script", "onerror", "href", "src", "action"} & tags.found, answer.url
        seen += answer.text.count(ESCAPED)
    assert seen > 10  # the texts are there, as texts


def test_no_page_of_ours_may_run_a_script_or_be_framed(scene: Scene) -> None:
    kinds = set()
    for answer in scene.own_pages():
        policy = dict(
            part.strip().partition(" ")[::2]
            for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'", answer.url
        assert "script-src" not in policy
        assert policy["frame-ancestors"] == "'none'"
        assert policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        kinds.add(answer.status_code)
    assert kinds == {200, 404}


def test_a_question_reaches_nothing_of_ours(scene: Scene) -> None:
    page = scene.person.accept(scene.hit)
    look = scene.owner.get(f"/hits/{scene.hit}/page")
    for answer in (page, look):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox ")
        assert "allow-same-origin" not in policy
        assert "allow-top-navigation" not in policy
        assert "default-src 'none'" in policy
    # What it asks for has no origin of ours, and no answer allows it to read one.
    for path in ("/worker", "/requester", "/health"):
        headers = scene.person.session.get(
            scene.server.endpoint + path, headers={"Origin": "null"}
        ).headers
        assert not [name for name in headers if name.lower().startswith("access-control")]


def test_a_draft_stays_data(scene: Scene) -> None:
    page = scene.person.accept(scene.hit)
    assignment = re.findall(r'name="assignmentId" value="(\w+)"', page.text)[0]
    url = f"{scene.server.endpoint}/worker/assignments/{assignment}"
    draft = '{"a": "</script><script>steal()</script><!--"}'
    assert requests.post(f"{url}/draft", data=draft).status_code == 204
    again = scene.person.session.get(url).text
    kept = again.partition('id="replicate-draft">')[2].partition("</script>")[0]
    assert "steal()" in kept
    assert "<" not in kept


def outside(path: str) -> list[str]:
    """Ways to name a file outside of a folder."""
    up = "../../../../../../../.."
    return [
        path,
        up + path,
        (up + path).replace("/", "%2f"),
        (up + path).replace(".", "%2e"),
        (up + path).replace("/", "%252f").replace(".", "%252e"),
        (up + path).replace("/", "\\"),
        f"..%c0%af{path}",
        f"file://{path}",
        f"%00{path}",
    ]


def raw_get(server: Running, path: str) -> tuple[int, bytes]:
    """A request whose path is sent as it is."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(server.endpoint)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
    try:
        connection.putrequest("GET", path, skip_host=False)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_no_path_leads_out_of_the_image_store(scene: Scene) -> None:
    page = scene.person.accept(scene.hit)
    good = re.findall(r'src="(/i/[^"]+)"', page.text)[0]
    assert raw_get(scene.server, good)[0] == 200
    secret = scene.server.db.resolve()
    _, _, assignment, token = good.split("/")
    shown = re.findall(r'"(/requester/images/[^"]+)"', scene.owner.get(f"/hits/{scene.hit}").text)
    until, digest, mark = shown[0].split("/")[3:]
    for place in [*outside(str(secret)), *outside("/etc/passwd")]:
        for path in (
            f"/i/{assignment}/{place}",
            f"/i/{place}/{token}",
            f"/i/{place}",
            f"/i/{assignment}/{token}/{place}",
            f"/requester/images/{until}/{place}/{mark}",
            f"/requester/images/{place}/{digest}/{mark}",
        ):
            status, body = raw_get(scene.server, path.replace(" ", "%20"))
            assert status in (400, 404), path
            assert b"SQLite" not in body and b"root:" not in body


def test_only_an_image_of_its_own_name_is_shown(tmp_path: Path) -> None:
    """A link to a file outside, a changed image and a text are no images of the store."""
    digests = put_images(tmp_path / "images", 3)
    paths = [tmp_path / "images" / digest[:2] / digest for digest in digests]
    other = tmp_path / "private.png"
    other.write_bytes(paths[0].read_bytes() + b"private")
    paths[0].unlink()
    paths[0].symlink_to(other)
    paths[1].write_bytes(paths[1].read_bytes()[:-1] + b"x")
    text = b"<html><script>steal()</script></html>"
    digests.append(sha256_bytes(text))
    (tmp_path / "images" / digests[3][:2]).mkdir(exist_ok=True)
    (tmp_path / "images" / digests[3][:2] / digests[3]).write_bytes(text)
    with running(tmp_path / "crowd.db", images=tmp_path / "images") as server:
        hit = client(server).create_hit(**hit_values(our_page(digests)))["HIT"]["HITId"]
        page = Person(server, invite(server.db, 1)[0]).accept(hit)
        urls = re.findall(r'src="(/i/[^"]+)"', page.text)
        answers = [requests.get(server.endpoint + url) for url in urls]
    assert [answer.status_code for answer in answers] == [404, 404, 200, 404]
    assert not any(b"private" in answer.content for answer in answers)
    assert answers[2].headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answers[2].headers["content-security-policy"]


def test_a_requesters_image_addresses_end() -> None:
    addresses = ImageAddresses()
    address = addresses.make("a" * 64, 1000.0)
    assert address == addresses.make("a" * 64, 1001.0)
    until, digest, mark = address.split("/")[3:]
    found = addresses.read(until, digest, mark, 1000.0)
    assert found is not None and 3600 <= found[1] <= 7200
    assert addresses.read(until, digest, mark, 1000.0 + found[1]) is None
    assert addresses.read(str(int(until) + 3600), digest, mark, 1000.0) is None
    assert addresses.read(until, "b" * 64, mark, 1000.0) is None
    assert ImageAddresses().read(until, digest, mark, 1000.0) is None


BOMB = "".join(
    ["<!DOCTYPE b [<!ENTITY a0 'ha'>"]
    + [f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)]
    + ["]>"]
)


def test_no_entity_is_expanded(scene: Scene) -> None:
    api = client(scene.server)
    outer = f"<!DOCTYPE b [<!ENTITY a9 SYSTEM 'file://{os.devnull}'>]>"
    for start in (BOMB, outer):
        question = start + html_question("<p>hello</p>").replace("<![CDATA[<p>hello</p>]]>", "&a9;")
        begin = time.process_time()
        with pytest.raises(api.exceptions.RequestError, match="document type"):
            api.create_hit(**hit_values(question))
        assert time.process_time() - begin < 2
        with pytest.raises(ItemError, match="document type"):
            parse_answer(f"{start}<QuestionFormAnswers>&a9;</QuestionFormAnswers>")


@pytest.mark.parametrize(
    "tag",
    ["<form ", "<input ", '<form action="/', "<body ", "<title>", "<img '", '<img "', "<img src "],
)
def test_a_page_of_unfinished_tags_is_read_in_no_time(tag: str) -> None:
    html = (tag * 65_535)[:65_535]
    begin = time.process_time()
    fill_in(html, [], "http://h", "A")
    insert_bar(html, "")
    page_facts(html)
    assert time.process_time() - begin < 0.5  # it took ten seconds before


def test_texts_of_a_requester_are_no_statements(scene: Scene) -> None:
    for text in ("' OR 1=1 --", "x'); DROP TABLE hits; --", "%", "_", "\x00"):
        answer = scene.owner.session.get(
            f"{scene.owner.root}/batches/{scene.kind}", params={"study": text}
        )
        assert answer.status_code == 404
        assert scene.owner.session.get(f"{scene.owner.root}/hits/{text}").status_code in (400, 404)
    assert scene.owner.get(f"/hits/{scene.hit}").status_code == 200


def test_a_name_cannot_add_a_header(scene: Scene) -> None:
    url = "/requester/hits/x%0d%0aset-cookie:%20a=b"
    answer = scene.owner.session.get(scene.server.endpoint + url)
    assert answer.status_code == 404
    csrf = re.findall(r'name="csrf" value="(\w+)"', scene.owner.get().text)[0]
    sent = scene.owner.session.post(
        f"{scene.server.endpoint}{url}/end", data={"csrf": csrf}, allow_redirects=False
    )
    assert "set-cookie" not in sent.headers
    assert "\n" not in sent.headers["location"]
