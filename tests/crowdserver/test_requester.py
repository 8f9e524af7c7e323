"""The requester's page: what it shows is what was sent in, and its forms do what they say."""

import re
from typing import Any

import pytest
import requests
from support.crowd import Person, Running, client, hit_values
from support.requester import CLASS, Requester, our_answer, our_page

from replicate.crowdserver import requester_queries as queries
from replicate.crowdserver.admin import add_key, invite

SLOTS = [f"i{n:02d}" for n in range(1, 7)]


@pytest.fixture
def owner(server: Running, request: pytest.FixtureRequest) -> Any:
    """An account of its own for each test: a requester at a browser, and the same by program."""
    key = add_key(server.db, re.sub(r"\W", "-", request.node.name)[:60])
    found = Requester(server, key).sign_in()
    found.api = client(server, key)  # type: ignore[attr-defined]
    return found


def publish(owner: Any, count: int = 1, **changes: Any) -> list[str]:
    given = {"MaxAssignments": 3, "RequesterAnnotation": "goldfish-v2: n01443537, page 1"}
    values = hit_values(our_page(owner.server.digests), **{**given, **changes})
    return [owner.api.create_hit(**values)["HIT"]["HITId"] for _ in range(count)]


def work(server: Running, hit: str, answers: list[str], seconds: float = 60.0) -> list[str]:
    """Some workers take a HIT up, think, and send it in."""
    people = [Person(server, link) for link in invite(server.db, len(answers))]
    pages = [person.accept(hit) for person in people]
    server.advance(seconds)
    for person, page, answer in zip(people, pages, answers, strict=True):
        assert person.submit(page, answer=answer).status_code == 200
    return [re.findall(r'name="assignmentId" value="(\w+)"', page.text)[0] for page in pages]


def batch_path(owner: Any, place: int = 0) -> str:
    paths = re.findall(r'<h2><a href="/requester([^"]+)"', owner.get().text)
    return str(paths[place]).replace("&amp;", "&")


def numbers(html: str) -> dict[str, str]:
    cards = re.findall(r'<div class="card"><b>(.*?)</b><span>(.*?)</span>', html)
    return {label.partition(",")[0]: value for value, label in cards}


def test_a_batch_is_counted_and_costs_what_its_assignments_cost(owner: Any) -> None:
    first, _ = publish(owner, 2, Reward="0.25")
    done = work(owner.server, first, [our_answer(["i01"]), our_answer(["i01", "i02"])])
    owner.api.approve_assignment(AssignmentId=done[0])
    overview = owner.get().text
    assert "goldfish-v2" in overview
    assert "<b>2</b> of 6 assignments are in (33.3%)" in overview
    html = owner.get(batch_path(owner)).text
    shown = numbers(html)
    assert shown["2 of 6 assignments are in"] == "33.3%"
    assert shown["approved so far"] == "$0.25"
    assert shown["sent in"] == "$0.25"
    assert shown["still to come"] == "$1.00"
    # i01: both yes; i02: one of two; the other four: both no.
    assert shown["agreement"] == "83.3%"
    assert f"<td>{CLASS}</td>" in html
    assert "in about" in html or "not known yet" in html


def test_a_withdrawn_answer_counts_no_more(owner: Any) -> None:
    (hit,) = publish(owner)
    people = [Person(owner.server, link) for link in invite(owner.server.db, 3)]
    slots = [["i01"], ["i01"], ["i02"]]
    done = [person.do(hit, our_answer(s)) for person, s in zip(people, slots, strict=True)]
    assert numbers(owner.get(batch_path(owner)).text)["agreement"] == "77.8%"
    path = f"{owner.server.endpoint}/worker/assignments/{done[2]}/withdraw"
    csrf = re.findall(r'name="csrf" value="(\w+)"', people[2].session.get(path).text)[0]
    people[2].session.post(path, data={"csrf": csrf})
    assert numbers(owner.get(batch_path(owner)).text)["agreement"] == "100.0%"
    html = owner.get(f"/hits/{hit}").text
    assert "The worker has taken the answer back." in html
    assert "not an answer of our pages" not in html
    assert html.count("Selected 1 of 6") == 2


def test_batches_are_types_and_studies(owner: Any) -> None:
    publish(owner, 2, RequesterAnnotation="one: a")
    publish(owner, 1, RequesterAnnotation="two: b")
    publish(owner, 1, RequesterAnnotation="one: c", Reward="0.50")
    publish(owner, 1, RequesterAnnotation=None, Title="no study at all")
    html = owner.get().text
    names = re.findall(r'data-study="([^"]*)"', html)
    assert sorted(names) == ["", "one", "one", "two"]
    assert re.findall(r"(\d+) HITs?, ", html) == ["1", "1", "1", "2"]


def test_work_to_look_at_is_named(owner: Any) -> None:
    (hit,) = publish(owner, MaxAssignments=4)
    every, none = our_answer(SLOTS), our_answer([])
    slow = work(owner.server, hit, [every, none, our_answer(["i01"])])
    fast = work(owner.server, hit, ["no answer of ours"], seconds=0.0)
    html = owner.get(batch_path(owner)).text
    assert numbers(html)["to look at"] == "3"
    listed = re.findall(r"<tr><td>([^<]+)</td><td><a href=\"/requester/hits/\w+#(\w+)\"", html)
    assert sorted(listed) == sorted(
        [
            ("selected every image", slow[0]),
            ("selected no image", slow[1]),
            ("cannot be read: not json", fast[0]),
        ]
    )


def test_too_fast_is_measured_by_the_images(owner: Any) -> None:
    (hit,) = publish(owner)
    (sent,) = work(owner.server, hit, [our_answer(["i01"])], seconds=0.0)
    html = owner.get(batch_path(owner)).text
    assert re.findall(r"<tr><td>(too fast[^<]+)</td>.*?#(\w+)", html) == [
        ("too fast to have looked", sent)
    ]


def test_answers_are_shown_as_images(owner: Any) -> None:
    (hit,) = publish(owner)
    work(owner.server, hit, [our_answer(["i02"], broken=["i05"])])
    html = owner.get(f"/hits/{hit}").text
    assert "Selected 1 of 6" in html
    shown = re.findall(r'<img src="([^"]+)" alt="(i\d\d)"', html)
    assert [slot for _, slot in shown] == ["i02", "i05"]
    for address, slot in shown:
        answer = owner.session.get(owner.server.endpoint + address)
        assert answer.headers["content-type"] == "image/png"
        assert owner.server.digests[int(slot[1:]) - 1] in address


def test_a_hit_is_looked_at_with_its_images_and_cannot_be_sent(owner: Any) -> None:
    (hit,) = publish(owner)
    look = owner.get(f"/hits/{hit}/look").text
    assert "The requester's view" in look
    assert f'<iframe src="/requester/hits/{hit}/page" sandbox="allow-scripts"' in look
    page = owner.get(f"/hits/{hit}/page")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "form-action 'none'" in policy
    images = re.findall(r'src="(/requester/images/[^"]+)"', page.text)
    assert len(images) == 6
    assert requests.get(owner.server.endpoint + images[0]).status_code == 200  # without a cookie
    url = f"{owner.server.endpoint}/mturk/externalSubmit"
    assignment = re.findall(r'name="assignmentId" value="(\w+)"', page.text)[0]
    sent = requests.post(url, data={"assignmentId": assignment, "answer": our_answer([])})
    assert sent.status_code == 404
    assert owner.api.list_assignments_for_hit(HITId=hit)["NumResults"] == 0


def test_ending_a_hit_and_a_batch(owner: Any) -> None:
    first, second, third = publish(owner, 3)
    assert owner.post(f"/hits/{first}/end").status_code == 303
    states = [owner.api.get_hit(HITId=h)["HIT"]["HITStatus"] for h in (first, second)]
    assert states == ["Reviewable", "Assignable"]
    path = batch_path(owner).partition("?")
    assert owner.post(f"{path[0]}/end?{path[2]}").status_code == 303
    states = [owner.api.get_hit(HITId=h)["HIT"]["HITStatus"] for h in (second, third)]
    assert states == ["Reviewable"] * 2
    assert "9 offered no more" in owner.get(batch_path(owner)).text


def test_approving_takes_what_was_there_when_it_was_asked(owner: Any) -> None:
    (hit,) = publish(owner)
    seen = work(owner.server, hit, [our_answer(["i01"])])
    path = batch_path(owner).partition("?")
    asked = owner.get(f"{path[0]}/approve?{path[2]}")
    assert "Approve 1 assignments?" in asked.text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', asked.text))
    owner.server.advance(5)
    later = work(owner.server, hit, [our_answer(["i02"])])
    sent = owner.session.post(f"{owner.root}{path[0]}/approve", data=hidden, allow_redirects=False)
    assert sent.status_code == 303
    found = owner.api.list_assignments_for_hit(HITId=hit)["Assignments"]
    states = {one["AssignmentId"]: one["AssignmentStatus"] for one in found}
    assert states == {seen[0]: "Approved", later[0]: "Submitted"}


def test_pages_of_a_large_batch(owner: Any) -> None:
    hits = publish(owner, queries.HITS + 3)
    seen: list[str] = []
    path: str | None = batch_path(owner)
    while path:
        html = owner.get(path).text
        seen += re.findall(r'<tr><td><a href="/requester/hits/(\w+)"', html)
        more = re.findall(r'rel="next" href="/requester([^"]+)"', html)
        path = more[0].replace("&amp;", "&") if more else None
    assert seen == hits


def test_other_accounts_see_nothing_of_it(owner: Any) -> None:
    (hit,) = publish(owner)
    path = batch_path(owner)
    kind = path.split("/")[2].partition("?")[0]
    other = Requester(owner.server, add_key(owner.server.db, "somebody-else")).sign_in()
    assert hit not in other.get().text
    for found in (path, f"/hits/{hit}", f"/hits/{hit}/look", f"/hits/{hit}/page"):
        assert other.get(found).status_code == 404, found
    csrf = re.findall(r'name="csrf" value="(\w+)"', other.get().text)[0]
    for form in (f"/hits/{hit}/end", f"/batches/{kind}/end", f"/batches/{kind}/approve"):
        data = {"csrf": csrf, "study": "goldfish-v2"}
        other.session.post(other.root + form, data=data)
    assert owner.api.get_hit(HITId=hit)["HIT"]["HITStatus"] == "Assignable"


def test_bonuses_are_a_part_of_the_cost(owner: Any) -> None:
    (hit,) = publish(owner)
    (sent,) = work(owner.server, hit, [our_answer(["i01"])])
    (one,) = owner.api.list_assignments_for_hit(HITId=hit)["Assignments"]
    assert "bonuses given" not in owner.get(batch_path(owner)).text
    for amount in ("0.30", "0.05"):
        owner.api.send_bonus(
            WorkerId=one["WorkerId"], AssignmentId=sent, BonusAmount=amount, Reason="Thanks."
        )
    assert numbers(owner.get(batch_path(owner)).text)["bonuses given"] == "$0.35"
