"""Running the server: behind a proxy, on a full disk, watched by a monitor."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError
from support.command import environment
from support.crowd import Person, client, hit_values, process, put_images, running
from support.kills import wait_for
from support.proxy import proxy
from support.requester import Requester, our_answer, our_page

from replicate import __version__
from replicate.crowdserver.admin import add_key, invite
from replicate.crowdserver.database import SCHEMA, Database

JSON = {"Accept": "application/json"}


def test_a_whole_job_through_a_proxy(tmp_path: Path) -> None:
    digests = put_images(tmp_path / "images", 4)
    with (
        proxy() as front,
        running(tmp_path / "crowd.db", images=tmp_path / "images", public_url=front.url) as server,
    ):
        front.lead_to(server.endpoint)
        assert server.worker_url == f"{front.url}/worker"
        key = add_key(server.db)
        server.endpoint = front.url  # from here on nobody talks to the server itself
        api = client(server, key)
        hit = api.create_hit(**hit_values(our_page(digests)))["HIT"]["HITId"]
        (link,) = invite(server.db, 1)
        assert link.startswith(f"{front.url}/join/")  # the address that it was last reached by
        person = Person(server, link)
        page = person.accept(hit)
        assert page.url.startswith(f"{front.url}/worker/assignments/")
        urls = re.findall(r'src="(/i/[^"]+)"', page.text)
        assert [person.session.get(front.url + url).status_code for url in urls] == [200] * 4
        assert f'action="{front.url}/mturk/externalSubmit"' in page.text
        assert f"img-src {front.url} " in page.headers["content-security-policy"]
        assert person.submit(page, answer=our_answer(["i01"])).status_code == 200
        assert api.list_assignments_for_hit(HITId=hit)["NumResults"] == 1
        owner = Requester(server, key).sign_in()
        assert "Selected 1 of 4" in owner.get(f"/hits/{hit}").text
        assert front.passed > 12


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    db, log = tmp_path / "crowd.db", tmp_path / "access.log"
    key = add_key(db)
    with process(db, rate=0, access_log=str(log)) as (child, server):
        api = client(server, key)
        hit = api.create_hit(**hit_values(MaxAssignments=9))["HIT"]["HITId"]
        people = [Person(server, link) for link in invite(db, 3, base_url=server.endpoint)]
        pages = [person.accept(hit) for person in people]
        assert people[0].submit(pages[0], answer="first").status_code == 200
        before = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
        # From now on the kernel lets no file of the server grow: writing fails as on a full disk.
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (1, before[1]))
        for _ in range(3):
            refused = people[1].submit(pages[1], answer="second")
            assert refused.status_code == 503
            assert "cannot store anything" in refused.text
            assert "try again" in refused.text
            assert int(refused.headers["retry-after"]) > 0
        with pytest.raises(ClientError, match="nothing was changed"):
            api.create_hit(**hit_values(Title="another"))
        # What can be read can be read.
        assert people[2].session.get(server.worker_url).status_code == 200
        assert api.list_assignments_for_hit(HITId=hit)["NumResults"] == 1
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, before)
        for person, page, answer in zip(people[1:], pages[1:], ("second", "third"), strict=True):
            assert person.submit(page, answer=answer).status_code == 200
        found = api.list_assignments_for_hit(HITId=hit)["Assignments"]
        texts = [re.findall("<FreeText>(.*?)</FreeText>", one["Answer"])[0] for one in found]
        assert texts == ["first", "second", "third"]
    assert "POST /mturk/externalSubmit 303" in log.read_text()


def test_health_is_one_word_or_numbers_without_names(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db", sandbox=True) as server:
        hit = client(server).create_hit(**hit_values())["HIT"]["HITId"]
        Person(server, invite(server.db, 1)[0]).accept(hit)
        url = f"{server.endpoint}/health"
        assert requests.get(url).text == "ok\n"
        server.advance(2)
        document = requests.get(url, headers=JSON).json()
        assert document == {
            "status": "ok",
            "version": __version__,
            "sandbox": True,
            "database": "sqlite",
            "schema": SCHEMA,
            "hits": 1,
            "assignments": {"accepted": 1},
        }
        assert hit not in str(document)


def test_health_says_when_the_database_fails(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db", sandbox=True) as server:
        url, other = f"{server.endpoint}/health", Database(server.db)
        assert requests.get(url).status_code == 200
        with other.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE hits RENAME TO gone")
        server.advance(2)
        failed = requests.get(url, headers=JSON)
        assert failed.status_code == 503
        assert failed.json()["status"] == "the database does not answer"
        assert requests.get(url).status_code == 503
        with other.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO hits")
        other.close()
        server.advance(2)
        assert requests.get(url).text == "ok\n"


def test_it_says_where_the_pages_are(tmp_path: Path) -> None:
    said: list[str] = []
    with running(tmp_path / "crowd.db", announce=said.append) as server:
        assert said == [f"Workers: {server.worker_url} · requesters: {server.endpoint}/requester"]


def test_the_command_says_it_on_the_standard_error_and_keeps_its_log(tmp_path: Path) -> None:
    ready, log = tmp_path / "J", tmp_path / "access.log"
    command = [sys.executable, "-m", "replicate", "crowd", "serve", "--db", tmp_path / "crowd.db"]
    options = ["--port", "0", "--ready-file", ready, "--access-log", log, "--rate", "0.1"]
    child = subprocess.Popen(
        [str(word) for word in [*command, *options]],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(ready.exists)
        endpoint = json.loads(ready.read_text())["endpoint"]
        codes = [requests.get(f"{endpoint}/worker").status_code for _ in range(45)]
        assert (codes[0], codes[-1]) == (401, 429)
    finally:
        child.terminate()
        out, said = child.communicate(timeout=30)
    assert child.returncode == 0
    assert out == ""
    assert said == f"Workers: {endpoint}/worker · requesters: {endpoint}/requester\n"
    assert len(log.read_text().splitlines()) == 45


def test_a_page_on_another_server_is_named_on_the_requesters_page(tmp_path: Path) -> None:
    schema = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/"
    question = (
        f'<ExternalQuestion xmlns="{schema}ExternalQuestion.xsd">'
        "<ExternalURL>https://survey.example.org/page</ExternalURL>"
        "<FrameHeight>0</FrameHeight></ExternalQuestion>"
    )
    with running(tmp_path / "crowd.db") as server:
        key = add_key(server.db)
        hit = client(server, key).create_hit(**hit_values(question))["HIT"]["HITId"]
        owner = Requester(server, key).sign_in()
        assert "not a page of replicate" in owner.get(f"/hits/{hit}").text
        assert "survey.example.org" in owner.get(f"/hits/{hit}/page").text
        assert owner.get(f"/hits/{hit}/look").status_code == 200
