"""Qualifications: types, requests and scores through boto3; asked for on real pages."""

from pathlib import Path
from typing import Any

import pytest
from support.crowd import Person, Running, client, running

from replicate.crowdserver.keys import add_key

from .calls import FORM, KEY, person, refused, worker_id


def make(requester: Any, name: str, **changes: Any) -> str:
    values = {"Name": name, "Description": f"About {name}.", "QualificationTypeStatus": "Active"}
    answer = requester.create_qualification_type(**{**values, **changes})
    return str(answer["QualificationType"]["QualificationTypeId"])


def ask(worker: Person, kind: str) -> int:
    page = f"{worker.server.endpoint}/worker/qualifications"
    csrf = worker.session.get(page).text.partition('name="csrf" value="')[2].partition('"')[0]
    return worker.session.post(f"{page}/{kind}", data={"csrf": csrf}).status_code


def say(worker: Person, place: str, adult: bool = False) -> int:
    page = f"{worker.server.endpoint}/worker/qualifications"
    csrf = worker.session.get(page).text.partition('name="csrf" value="')[2].partition('"')[0]
    values = {"csrf": csrf, "place": place, **({"adult": "on"} if adult else {})}
    return worker.session.post(f"{page}/about-me", data=values).status_code


@pytest.fixture(scope="module")
def owner(server: Running) -> Any:
    return client(server, add_key(server.db, "owner"))


@pytest.fixture(scope="module")
def other(server: Running) -> Any:
    return client(server, add_key(server.db, "other"))


def test_a_type_is_given_back_as_it_was_made(owner: Any, other: Any) -> None:
    kind = make(
        owner, "Botany", Keywords="plants", Test=FORM, AnswerKey=KEY, TestDurationInSeconds=60,
        RetryDelayInSeconds=10,
    )  # fmt: skip
    found = owner.get_qualification_type(QualificationTypeId=kind)["QualificationType"]
    assert (found["Test"], found["AnswerKey"], found["TestDurationInSeconds"]) == (FORM, KEY, 60)
    assert (found["RetryDelayInSeconds"], found["IsRequestable"]) == (10, True)
    assert found["AutoGranted"] is False
    seen = other.get_qualification_type(QualificationTypeId=kind)["QualificationType"]
    assert "AnswerKey" not in seen  # the right answers are its owner's alone
    assert seen["Name"] == "Botany"
    assert refused(make, requester=owner, name="Botany") == "QualificationTypeAlreadyExists"
    make(other, "Botany")


@pytest.mark.parametrize(
    "changes",
    [
        {"Test": FORM},
        {"TestDurationInSeconds": 5},
        {"AnswerKey": KEY},
        {"Test": FORM, "TestDurationInSeconds": 5, "AutoGranted": True},
        {"Test": "<Other/>", "TestDurationInSeconds": 5},
        {"Test": FORM, "TestDurationInSeconds": 5, "AnswerKey": FORM},
        {"Test": FORM, "TestDurationInSeconds": 0},
        {"RetryDelayInSeconds": -1},
        {"Name": " "},
        {"Name": "x" * 201},
        {"Description": "x" * 2001},
        {"QualificationTypeStatus": "Asleep"},
    ],
)
def test_types_that_break_a_rule(owner: Any, changes: dict[str, Any]) -> None:
    values = {"name": "Wrong", **{k: v for k, v in changes.items() if k != "Name"}}
    values["name"] = changes.get("Name", "Wrong")
    assert refused(make, requester=owner, **values) == "InvalidParameterValue"


def test_updating(owner: Any, other: Any) -> None:
    kind = make(owner, "Changing", AutoGranted=True, AutoGrantedValue=7)

    def change(**values: Any) -> dict[str, Any]:
        answer = owner.update_qualification_type(QualificationTypeId=kind, **values)
        return dict(answer["QualificationType"])

    assert change()["AutoGrantedValue"] == 7
    assert change(Description="New.", RetryDelayInSeconds=5)["Description"] == "New."
    update = owner.update_qualification_type
    values = {"QualificationTypeId": kind, "Test": FORM, "TestDurationInSeconds": 5}
    assert refused(update, **values) == "InvalidParameterValue"  # it grants automatically
    found = change(AutoGranted=False, Test=FORM, TestDurationInSeconds=5, AnswerKey=KEY)
    assert (found["AutoGranted"], found["AnswerKey"]) == (False, KEY)
    assert "AnswerKey" not in change(Test=FORM, TestDurationInSeconds=9)
    assert refused(update, QualificationTypeId=kind, AutoGranted=True) == "InvalidParameterValue"
    assert change(QualificationTypeStatus="Inactive")["QualificationTypeStatus"] == "Inactive"
    code = refused(other.update_qualification_type, QualificationTypeId=kind)
    assert code == "NotOwnerOfQualificationType"


def test_lists_and_searches(server: Running) -> None:
    requester = client(server, add_key(server.db, "lister"))
    made = [make(requester, f"Zoology {n}", Keywords="Animals, 100%") for n in range(5)]
    inactive = make(requester, "Zoology asleep", QualificationTypeStatus="Inactive")

    def listed(query: str | None, requestable: bool, owned: bool = True) -> list[str]:
        values = {"MustBeRequestable": requestable, "MustBeOwnedByCaller": owned}
        values = values if query is None else {**values, "Query": query}
        pages = requester.get_paginator("list_qualification_types").paginate(
            **values, PaginationConfig={"PageSize": 2}
        )
        return [t["QualificationTypeId"] for page in pages for t in page["QualificationTypes"]]

    assert listed(None, True) == made
    assert listed("ZOOLOGY animals", False) == made
    assert listed("about zoology", False) == [*made, inactive]
    assert listed("100%", False) == made
    assert listed("10_%", False) == []
    everything = listed(None, False, owned=False)
    assert set(made) < set(everything)
    assert "00000000000000000071" in everything
    assert "00000000000000000071" not in listed(None, True, owned=False)


def test_granting_and_taking_away(server: Running, owner: Any, other: Any) -> None:
    kind = make(owner, "Careful")
    workers = [worker_id(server, f"careful {n}") for n in range(5)]
    for n, worker in enumerate(workers):
        values: dict[str, Any] = {"QualificationTypeId": kind, "WorkerId": worker}
        value = {} if n == 0 else {"IntegerValue": n * 10}
        owner.associate_qualification_with_worker(**values, **value, SendNotification=n == 0)
    score = owner.get_qualification_score
    first = score(QualificationTypeId=kind, WorkerId=workers[0])["Qualification"]
    assert (first["IntegerValue"], first["Status"]) == (1, "Granted")
    assert (
        "Careful"
        in person(server, "careful 0").session.get(f"{server.endpoint}/worker/messages").text
    )
    assert (
        "Careful"
        not in person(server, "careful 1").session.get(f"{server.endpoint}/worker/messages").text
    )
    owner.disassociate_qualification_from_worker(
        QualificationTypeId=kind, WorkerId=workers[1], Reason="Too hasty."
    )
    assert (
        "Too hasty."
        in person(server, "careful 1").session.get(f"{server.endpoint}/worker/messages").text
    )

    def holders(status: str) -> list[str]:
        pages = owner.get_paginator("list_workers_with_qualification_type").paginate(
            QualificationTypeId=kind, Status=status, PaginationConfig={"PageSize": 2}
        )
        return [q["WorkerId"] for page in pages for q in page["Qualifications"]]

    assert holders("Granted") == [workers[0], *workers[2:]]
    assert holders("Revoked") == [workers[1]]
    again = {"QualificationTypeId": kind, "WorkerId": workers[1]}
    take = owner.disassociate_qualification_from_worker
    assert refused(take, **again) == "QualificationDoesNotExist"
    assert score(**again)["Qualification"]["Status"] == "Revoked"
    owner.associate_qualification_with_worker(**again, IntegerValue=3)
    assert score(**again)["Qualification"]["Status"] == "Granted"
    nobody = {"QualificationTypeId": kind, "WorkerId": worker_id(server, "careless")}
    assert refused(score, **nobody) == "QualificationDoesNotExist"
    for call in (other.get_qualification_score, other.associate_qualification_with_worker):
        assert refused(call, **again) == "NotOwnerOfQualificationType"
    system = {**again, "QualificationTypeId": "00000000000000000071"}
    code = refused(owner.associate_qualification_with_worker, **system)
    assert code == "NotOwnerOfQualificationType"


def test_asking_accepting_and_rejecting(server: Running, owner: Any, other: Any) -> None:
    kind = make(owner, "Asked")
    names = [f"asking {n}" for n in range(5)]
    people = [person(server, name) for name in names]
    assert [ask(one, kind) for one in people] == [200] * 5
    assert ask(people[0], kind) == 409  # it is pending
    pages = owner.get_paginator("list_qualification_requests").paginate(
        QualificationTypeId=kind, PaginationConfig={"PageSize": 2}
    )
    listed = [one for page in pages for one in page["QualificationRequests"]]
    assert [one["WorkerId"] for one in listed] == [worker_id(server, name) for name in names]
    request = listed[0]["QualificationRequestId"]
    accept, reject = owner.accept_qualification_request, owner.reject_qualification_request
    code = refused(other.accept_qualification_request, QualificationRequestId=request)
    assert code == "QualificationRequestDoesNotExist"
    accept(QualificationRequestId=request, IntegerValue=80)
    reject(QualificationRequestId=listed[1]["QualificationRequestId"], Reason="Try <i>later</i>.")
    code = refused(accept, QualificationRequestId=request)
    assert code == "InvalidQualificationRequestState"
    assert owner.list_qualification_requests(QualificationTypeId=kind)["NumResults"] == 3
    page = f"{server.endpoint}/worker/qualifications"
    assert "with the value 80" in people[0].session.get(page).text
    assert "Try &lt;i&gt;later&lt;/i&gt;." in people[1].session.get(page).text
    assert ask(people[1], kind) == 409  # without a retry delay it can be asked for once
    owner.delete_qualification_type(QualificationTypeId=kind)
    assert owner.list_qualification_requests()["NumResults"] == 0
    code = refused(owner.get_qualification_type, QualificationTypeId=kind)
    assert code == "QualificationTypeDoesNotExist"
    make(owner, "Asked")  # the name is free again


def test_asking_again_after_the_delay_and_automatic_grants(tmp_path: Path) -> None:
    with running(tmp_path / "crowd.db", sandbox=True, seed=1) as server:
        requester = client(server)
        kind = make(
            requester, "Auto", AutoGranted=True, AutoGrantedValue=5, RetryDelayInSeconds=600
        )
        worker = person(server, "ada")
        assert ask(worker, kind) == 200
        assert requester.list_qualification_requests()["NumResults"] == 0
        held = {"QualificationTypeId": kind, "WorkerId": worker_id(server, "ada")}
        assert requester.get_qualification_score(**held)["Qualification"]["IntegerValue"] == 5
        server.advance(595)
        assert ask(worker, kind) == 409
        server.advance(10)
        assert ask(worker, kind) == 200
        asleep = make(requester, "Asleep", QualificationTypeStatus="Inactive")
        assert ask(worker, asleep) == 404
        assert ask(worker, "00000000000000000060") == 404
        requester.create_worker_block(WorkerId=held["WorkerId"], Reason="x")
        assert ask(worker, kind) == 404


def test_no_form_without_our_own_page_before_it(server: Running, owner: Any) -> None:
    kind = make(owner, "Forged")
    worker = person(server, "forged")
    page = f"{server.endpoint}/worker/qualifications"
    for path in (f"{page}/{kind}", f"{page}/about-me"):
        assert worker.session.post(path, data={"csrf": "x", "place": "US"}).status_code == 403
    assert owner.list_qualification_requests(QualificationTypeId=kind)["NumResults"] == 0
    assert say(worker, "Germany") == 400
