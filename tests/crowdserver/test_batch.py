"""A whole batch by clients that know nothing of us: boto3, and the AWS command line."""

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from support.crowd import Person, Running, client, hit_values, process, running

from replicate.crowdserver.admin import invite
from replicate.crowdserver.keys import add_key

HITS = 12
PAST = datetime(2015, 1, 1, tzinfo=UTC)


def test_unchanged_boto3_does_a_whole_batch(tmp_path: Path) -> None:
    """Create, list, collect, approve, pay a bonus, delete: in pages, throttled, failed and lost."""
    with running(tmp_path / "crowd.db", sandbox=True) as server:
        mturk = client(server, attempts=8)
        values = hit_values(MaxAssignments=3)
        terms = ("Title", "Description", "Keywords", "Reward", "AssignmentDurationInSeconds")
        kind = mturk.create_hit_type(**{name: values[name] for name in terms})["HITTypeId"]
        for n in range(HITS):
            if n % 4 == 0:
                for fault in ("throttle", "fail", "drop"):
                    server.faults(fault)
            mturk.create_hit_with_hit_type(
                HITTypeId=kind, Question=values["Question"], MaxAssignments=3,
                LifetimeInSeconds=3600, UniqueRequestToken=f"page {n}",
            )  # fmt: skip
        small = {"PageSize": 5}
        pages = mturk.get_paginator("list_hits").paginate(PaginationConfig=small)
        hits = [hit["HITId"] for page in pages for hit in page["HITs"]]
        assert len(hits) == len(set(hits)) == HITS
        for worker in (Person(server, link) for link in invite(server.db, 3)):
            for hit in worker.hits():
                worker.do(hit, '{"selected": []}')
        for fault in ("throttle", "drop"):
            server.faults(fault, operation="ApproveAssignment")
        pages = mturk.get_paginator("list_reviewable_hits").paginate(PaginationConfig=small)
        approved = []
        for hit in [hit["HITId"] for page in pages for hit in page["HITs"]]:
            lists = mturk.get_paginator("list_assignments_for_hit").paginate(
                HITId=hit, AssignmentStatuses=["Submitted"], PaginationConfig={"PageSize": 2}
            )
            for work in [work for page in lists for work in page["Assignments"]]:
                mturk.approve_assignment(AssignmentId=work["AssignmentId"])
                approved.append(work)
            mturk.delete_hit(HITId=hit)
        assert len({work["AssignmentId"] for work in approved}) == 3 * HITS
        assert mturk.list_hits()["NumResults"] == 0
        assert mturk.get_account_balance()["OnHoldBalance"] == "0.00"
        first = approved[0]
        server.faults("drop", operation="SendBonus")
        mturk.send_bonus(  # without a token: the repeated call is known by its invocation
            WorkerId=first["WorkerId"], AssignmentId=first["AssignmentId"],
            BonusAmount="0.50", Reason="Thank you.",
        )  # fmt: skip
        assert mturk.list_bonus_payments(HITId=first["HITId"])["NumResults"] == 1


@pytest.fixture(scope="module")
def aws(server: Running) -> Any:
    access, secret = add_key(server.db, "command-line")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(server.db.parent),  # no configuration of whoever runs the tests
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    program = [sys.executable, str(Path(sys.executable).with_name("aws")), "mturk"]

    def run(*words: str) -> Any:
        command = [*program, *words, "--endpoint-url", server.endpoint, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def test_the_aws_command_line_does_a_whole_batch(server: Running, aws: Any, tmp_path: Path) -> None:
    values = tmp_path / "hit.json"
    values.write_text(json.dumps(hit_values(MaxAssignments=3, UniqueRequestToken="by hand")))
    server.faults("throttle", operation="CreateHIT")
    server.faults("drop", operation="CreateHIT")
    hit = aws("create-hit", "--cli-input-json", values.as_uri())["HIT"]["HITId"]
    assert [one["HITId"] for one in aws("list-hits", "--page-size", "1")["HITs"]] == [hit]
    for link in invite(server.db, names=[f"by hand {n}" for n in range(3)]):
        Person(server, link).do(hit)
    found = aws("list-assignments-for-hit", "--hit-id", hit, "--page-size", "2")["Assignments"]
    assert len(found) == 3
    for work in found:
        aws("approve-assignment", "--assignment-id", work["AssignmentId"])
    aws("delete-hit", "--hit-id", hit)
    assert aws("list-hits")["HITs"] == []


def test_a_server_killed_amid_creates_makes_no_hit_twice(tmp_path: Path) -> None:
    """Several clients create; the server is killed; they carry on at the next one."""
    db, wanted = tmp_path / "crowd.db", [f"token {n}" for n in range(150)]
    key = add_key(db)

    def create(server: Running, tokens: list[str], done: set[str], kill: Any) -> None:
        mturk = client(server, key)
        for token in tokens:
            try:
                mturk.create_hit(**hit_values(UniqueRequestToken=token))
            except BotoCoreError:  # the server is gone; whether the HIT was made is not known
                return
            except mturk.exceptions.RequestError as error:
                assert "HITAlreadyExists" in error.response["TurkErrorCode"]
            done.add(token)
            if len(done) >= 40 and kill is not None:
                kill()

    def run(server: Running, done: set[str], kill: Any = None) -> None:
        given = [(server, wanted[n::3], done, kill) for n in range(3)]
        threads = [threading.Thread(target=create, args=args) for args in given]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=240)
            assert not thread.is_alive()

    done: set[str] = set()
    with process(db, sandbox=True, seed=5) as (child, server):
        run(server, done, child.kill)
    assert 40 <= len(done) <= 45
    with process(db, sandbox=True, seed=5) as (_, server):
        survived = {
            hit["HITId"]
            for page in client(server, key).get_paginator("list_hits").paginate()
            for hit in page["HITs"]
        }
        assert len(done) <= len(survived) <= len(done) + 3  # one for each client may be unknown
        run(server, done)
        assert done == set(wanted)
        pages = client(server, key).get_paginator("list_hits").paginate()
        hits = [hit["HITId"] for page in pages for hit in page["HITs"]]
        assert len(hits) == len(set(hits)) == len(wanted)
        assert survived <= set(hits)
