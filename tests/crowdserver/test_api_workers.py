"""Bonuses, blocks and messages."""

from typing import Any

import pytest
from support.crowd import Running, client, hit_values

from replicate.crowdserver.keys import add_key

from .calls import person, refused, worker_id


@pytest.fixture(scope="module")
def done(server: Running, requester: Any) -> dict[str, Any]:
    hit = requester.create_hit(**hit_values(UniqueRequestToken="bonus"))["HIT"]["HITId"]
    first, second = person(server, "ada"), person(server, "ben")
    ids = [first.do(hit), second.do(hit)]
    return {
        "hit": hit,
        "assignments": ids,
        "workers": [worker_id(server, name) for name in ("ada", "ben")],
        "people": [first, second],
    }


def bonus(done: dict[str, Any], **changes: Any) -> dict[str, Any]:
    values = {
        "WorkerId": done["workers"][0], "AssignmentId": done["assignments"][0],
        "BonusAmount": "1.5", "Reason": "Very careful work.",
    }  # fmt: skip
    return {**values, **changes}


def test_a_bonus_is_given_once_a_token(requester: Any, done: dict[str, Any]) -> None:
    requester.send_bonus(**bonus(done, UniqueRequestToken="once"))
    again = bonus(done, UniqueRequestToken="once")
    assert refused(requester.send_bonus, **again) == "DuplicateRequest"
    requester.send_bonus(**bonus(done, BonusAmount="2"))
    listed = requester.list_bonus_payments(AssignmentId=done["assignments"][0])
    assert [paid["BonusAmount"] for paid in listed["BonusPayments"]] == ["1.50", "2.00"]
    assert listed["BonusPayments"][0]["Reason"] == "Very careful work."
    assert requester.list_bonus_payments(AssignmentId=done["assignments"][1])["NumResults"] == 0
    assert (
        "A bonus of $1.50"
        in done["people"][0]
        .session.get(f"{done['people'][0].server.endpoint}/worker/messages")
        .text
    )


def test_a_bonus_is_for_ones_own_work_only(
    server: Running, requester: Any, done: dict[str, Any]
) -> None:
    send = requester.send_bonus
    other = bonus(done, AssignmentId=done["assignments"][1])
    assert refused(send, **other) == "WorkerDoesNotMatchAssignment"
    assert refused(send, **bonus(done, BonusAmount="0.00")) == "InvalidParameterValue"
    assert refused(send, **bonus(done, BonusAmount="1.234")) == "InvalidParameterValue"
    assert refused(send, **bonus(done, BonusAmount="9" * 13)) == "InvalidParameterValue"
    assert refused(send, **bonus(done, Reason=" ")) == "InvalidParameterValue"
    stranger = client(server, add_key(server.db, "stranger"))
    assert refused(stranger.send_bonus, **bonus(done)) == "AssignmentDoesNotExist"
    assert refused(requester.list_bonus_payments) == "MissingParameters"
    assert refused(stranger.list_bonus_payments, HITId=done["hit"]) == "HITDoesNotExist"


def test_pages_of_bonuses(requester: Any, done: dict[str, Any]) -> None:
    for n in range(1, 8):
        values = bonus(done, WorkerId=done["workers"][1], AssignmentId=done["assignments"][1])
        requester.send_bonus(**{**values, "BonusAmount": f"0.0{n}"})
    pages = requester.get_paginator("list_bonus_payments").paginate(
        HITId=done["hit"], PaginationConfig={"PageSize": 3}
    )
    amounts = [paid["BonusAmount"] for page in pages for paid in page["BonusPayments"]]
    assert amounts[-7:] == [f"0.0{n}" for n in range(1, 8)]


def test_what_waits_for_a_decision_is_on_hold(server: Running) -> None:
    requester = client(server, add_key(server.db, "treasurer"))
    assert requester.get_account_balance()["OnHoldBalance"] == "0.00"
    hit = requester.create_hit(**hit_values(Reward="1.25"))["HIT"]["HITId"]
    first, _ = person(server, "held 1").do(hit), person(server, "held 2").do(hit)
    assert requester.get_account_balance()["OnHoldBalance"] == "2.50"
    requester.approve_assignment(AssignmentId=first)
    balance = requester.get_account_balance()
    assert (balance["OnHoldBalance"], balance["AvailableBalance"]) == ("1.25", "10000.00")


def test_a_blocked_worker_sees_and_takes_up_nothing_of_that_requester(server: Running) -> None:
    strict = client(server, add_key(server.db, "strict"))
    mild = client(server, add_key(server.db, "mild"))
    worker, blocked = person(server, "blocked"), worker_id(server, "blocked")
    begun, new = (strict.create_hit(**hit_values())["HIT"]["HITId"] for _ in range(2))
    open_to_all = mild.create_hit(**hit_values())["HIT"]["HITId"]
    page = worker.accept(begun)
    strict.create_worker_block(WorkerId=blocked, Reason="Random answers.")
    assert new not in worker.hits()
    assert open_to_all in worker.hits()
    assert worker.session.get(f"{server.endpoint}/worker/hits/{new}").status_code == 404
    assert worker.session.get(f"{server.endpoint}/worker/hits/{new}/question").status_code == 404
    assert worker.accept(new).status_code == 409
    assert strict.get_hit(HITId=new)["HIT"]["NumberOfAssignmentsPending"] == 0
    assert worker.submit(page, answer="{}").status_code == 200  # what was begun is finished
    assert mild.list_worker_blocks()["NumResults"] == 0
    strict.create_worker_block(WorkerId=blocked, Reason="Still random.")
    assert strict.list_worker_blocks()["WorkerBlocks"] == [
        {"WorkerId": blocked, "Reason": "Still random."}
    ]
    strict.delete_worker_block(WorkerId=blocked)
    strict.delete_worker_block(WorkerId=blocked)  # one who is not blocked stays so
    assert new in worker.hits()


def test_workers_who_are_none(requester: Any) -> None:
    for call, values in (
        (requester.create_worker_block, {"Reason": "x"}),
        (requester.delete_worker_block, {}),
    ):
        assert refused(call, WorkerId="A1NOBODY", **values) == "WorkerDoesNotExist"
        assert refused(call, WorkerId="nobody", **values) == "InvalidParameterValue"


def test_pages_of_blocks(server: Running) -> None:
    requester = client(server, add_key(server.db, "blocker"))
    workers = [worker_id(server, f"blockable {n}") for n in range(5)]
    for worker in workers:
        requester.create_worker_block(WorkerId=worker, Reason="x")
    pages = requester.get_paginator("list_worker_blocks").paginate(PaginationConfig={"PageSize": 2})
    assert [b["WorkerId"] for page in pages for b in page["WorkerBlocks"]] == workers


def test_messages_reach_workers_whose_work_was_decided(
    server: Running, done: dict[str, Any], requester: Any
) -> None:
    ada, ben = done["workers"]
    requester.approve_assignment(AssignmentId=done["assignments"][0])
    answer = requester.notify_workers(
        Subject="More <b>work</b>", MessageText="There is more.\nThank you.",
        WorkerIds=[ada, ben, ada, "A1NOBODY"],
    )  # fmt: skip
    failed = answer["NotifyWorkersFailureStatuses"]
    assert [(f["WorkerId"], f["NotifyWorkersFailureCode"]) for f in failed] == [
        (ben, "HardFailure"), ("A1NOBODY", "HardFailure"),
    ]  # fmt: skip
    pages = [p.session.get(f"{server.endpoint}/worker/messages").text for p in done["people"]]
    assert pages[0].count("More &lt;b&gt;work&lt;/b&gt;") == 1
    assert "<p>There is more.</p>" in pages[0]
    assert "There is more" not in pages[1]
    for wrong in (
        {"WorkerIds": []}, {"WorkerIds": [ada] * 101},
        {"Subject": "x" * 201}, {"MessageText": "x" * 4097},
    ):  # fmt: skip
        values = {"Subject": "s", "MessageText": "t", "WorkerIds": [ada], **wrong}
        assert refused(requester.notify_workers, **values) == "InvalidParameterValue"
