"""HITs that require something: who sees, previews and takes them up."""

from pathlib import Path
from typing import Any

import pytest
from support.crowd import Person, Running, client, hit_values, running

from replicate.crowdserver.keys import add_key

from .calls import person, refused, worker_id
from .test_api_qualifications import make, say

LOCALE, ADULT = "00000000000000000071", "00000000000000000060"
APPROVED, PERCENT = "00000000000000000040", "000000000000000000L0"


@pytest.fixture(scope="module")
def owner(server: Running) -> Any:
    return client(server, add_key(server.db, "requiring"))


def guarded_hit(requester: Any, *requirements: dict[str, Any], **changes: Any) -> str:
    values = hit_values(QualificationRequirements=list(requirements), **changes)
    return str(requester.create_hit(**values)["HIT"]["HITId"])


def requirement(kind: str, comparator: str = "Exists", **more: Any) -> dict[str, Any]:
    return {"QualificationTypeId": kind, "Comparator": comparator, **more}


def can(worker: Person, hit: str) -> tuple[bool, bool, bool]:
    """Whether a worker can discover, preview and accept; what is accepted is given back."""
    url = f"{worker.server.endpoint}/worker/hits/{hit}/question"
    found = hit in worker.hits()
    shown = worker.session.get(url.removesuffix("/question")).text
    preview = worker.session.get(url).status_code
    page = worker.accept(hit)
    if page.status_code == 200:
        back = f"{page.url.partition('?')[0]}/return"
        assert worker.session.post(back, data={"csrf": worker.csrf}).status_code == 200
    assert preview in (200, 403, 404)
    assert ("<iframe" in shown, "Accept this HIT" in shown) == (
        preview == 200,
        page.status_code == 200,
    )
    assert page.status_code in (200, 403)
    return found, preview == 200, page.status_code == 200


@pytest.mark.parametrize(
    ("guarded", "expected"),
    [
        ({}, (True, True, False)),
        ({"ActionsGuarded": "Accept"}, (True, True, False)),
        ({"ActionsGuarded": "PreviewAndAccept"}, (True, False, False)),
        ({"RequiredToPreview": True}, (True, False, False)),
        ({"ActionsGuarded": "DiscoverPreviewAndAccept"}, (False, False, False)),
    ],
)
def test_guards(server: Running, owner: Any, guarded: Any, expected: tuple[bool, ...]) -> None:
    kind = make(owner, f"Guard {sorted(guarded.items())}")
    hit = guarded_hit(owner, requirement(kind, **guarded))
    worker = person(server, "guarded")
    assert can(worker, hit) == expected
    held = {"QualificationTypeId": kind, "WorkerId": worker_id(server, "guarded")}
    owner.associate_qualification_with_worker(**held)
    assert can(worker, hit) == (True, True, True)
    owner.disassociate_qualification_from_worker(**held)
    assert can(worker, hit) == expected


def test_all_requirements_together(server: Running, owner: Any) -> None:
    kinds = [make(owner, f"Together {n}") for n in range(2)]
    hit = guarded_hit(
        owner,
        requirement(kinds[0], "GreaterThanOrEqualTo", IntegerValues=[50]),
        requirement(kinds[1], "DoesNotExist", ActionsGuarded="DiscoverPreviewAndAccept"),
    )
    worker = person(server, "together")
    held: dict[str, Any] = {"WorkerId": worker_id(server, "together")}
    for value, expected in ((49, (True, True, False)), (50, (True, True, True))):
        owner.associate_qualification_with_worker(
            QualificationTypeId=kinds[0], IntegerValue=value, **held
        )
        assert can(worker, hit) == expected
    owner.associate_qualification_with_worker(QualificationTypeId=kinds[1], **held)
    assert can(worker, hit) == (False, False, False)
    assert "Together 1" in worker.accept(hit).text  # the message says what is in the way


def test_what_was_begun_is_finished(server: Running, owner: Any) -> None:
    kind = make(owner, "Begun")
    held = {"QualificationTypeId": kind, "WorkerId": worker_id(server, "begun")}
    owner.associate_qualification_with_worker(**held)
    hit = guarded_hit(owner, requirement(kind))
    worker = person(server, "begun")
    page = worker.accept(hit)
    owner.disassociate_qualification_from_worker(**held)
    assert worker.submit(page, answer="{}").status_code == 200


def test_what_workers_say_of_themselves(server: Running, owner: Any) -> None:
    guard = {"ActionsGuarded": "DiscoverPreviewAndAccept"}
    here = [{"Country": "US", "Subdivision": "CA"}, {"Country": "DE"}]
    placed = guarded_hit(owner, requirement(LOCALE, "In", LocaleValues=here, **guard))
    adult = guarded_hit(owner, requirement(ADULT, "EqualTo", IntegerValues=[1], **guard))
    worker = person(server, "placed")

    def seen() -> tuple[bool, bool]:
        hits = worker.hits()
        return placed in hits, adult in hits

    assert seen() == (False, False)
    for place, old, expected in (
        ("us-ny", False, (False, False)),
        ("us-ca", False, (True, False)),
        ("DE", True, (True, True)),
        ("", True, (False, True)),
        ("", False, (False, False)),
    ):
        assert say(worker, place, old) == 200
        assert seen() == expected, place


def test_a_workers_record(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db", sandbox=True, seed=1) as server:
        requester = client(server)
        guard = {"ActionsGuarded": "DiscoverPreviewAndAccept"}
        counted = guarded_hit(
            requester, requirement(APPROVED, "GreaterThan", IntegerValues=[0], **guard)
        )
        perfect = guarded_hit(
            requester, requirement(PERCENT, "EqualTo", IntegerValues=[100], **guard)
        )
        worker = person(server, "ada")
        assert (counted in worker.hits(), perfect in worker.hits()) == (False, True)
        done = worker.do(requester.create_hit(**hit_values())["HIT"]["HITId"])
        assert counted not in worker.hits()
        requester.approve_assignment(AssignmentId=done)
        assert counted in worker.hits()


def test_requirements_are_terms_of_a_hit_type(owner: Any) -> None:
    kind = make(owner, "Terms")
    one, two = requirement(kind), requirement(kind, "EqualTo", IntegerValues=[3])
    first = guarded_hit(owner, one, two)
    found = owner.get_hit(HITId=first)["HIT"]
    wanted = found["QualificationRequirements"]
    assert [(w["Comparator"], w.get("IntegerValues")) for w in wanted] == [
        ("Exists", None), ("EqualTo", [3]),
    ]  # fmt: skip
    same = owner.get_hit(HITId=guarded_hit(owner, one, two))["HIT"]["HITTypeId"]
    less = owner.get_hit(HITId=guarded_hit(owner, one))["HIT"]["HITTypeId"]
    assert same == found["HITTypeId"]
    assert less != same
    pages = owner.get_paginator("list_hits_for_qualification_type").paginate(
        QualificationTypeId=kind, PaginationConfig={"PageSize": 2}
    )
    assert sum(page["NumResults"] for page in pages) == 3
    owner.delete_qualification_type(QualificationTypeId=kind)
    values = {"LifetimeInSeconds": 60, "Question": hit_values()["Question"]}
    code = refused(owner.create_hit_with_hit_type, HITTypeId=same, **values)
    assert code == "InvalidParameterValue"


def test_requirements_on_what_there_is_not(owner: Any) -> None:
    asleep = make(owner, "Sleeping", QualificationTypeStatus="Inactive")
    for kind, code in (
        ("2F1QJWKUDD8XADTFD2Q0G6UTO95ALH", "InvalidParameterValue"),  # Masters: Amazon's own
        ("3NONE", "InvalidParameterValue"),
        (asleep, "InvalidQualificationTypeState"),
    ):
        values = hit_values(QualificationRequirements=[requirement(kind)])
        assert refused(owner.create_hit, **values) == code
    many = [requirement(LOCALE)] * 11
    values = hit_values(QualificationRequirements=many)
    assert refused(owner.create_hit, **values) == "InvalidParameterValue"
