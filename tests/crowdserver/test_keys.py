"""Keys: several requesters at one server, and keys that work no more."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from support.crowd import Person, Running, client, hit_values

from replicate.base.errors import UsageError
from replicate.cli.main import cli
from replicate.crowdserver.admin import invite
from replicate.crowdserver.keys import add_key, list_keys, revoke_key


def refusal(call: Any, **values: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call(**values)
    answer = error.value.response
    return str(answer["Error"]["Code"]), int(answer["ResponseMetadata"]["HTTPStatusCode"])


def test_a_requester_sees_and_touches_nothing_of_another(server: Running) -> None:
    ada, ben = (client(server, add_key(server.db, name)) for name in ("ada", "ben"))
    hit = ada.create_hit(**hit_values(UniqueRequestToken="same"))["HIT"]["HITId"]
    own = ben.create_hit(**hit_values(UniqueRequestToken="same"))["HIT"]["HITId"]
    assert hit != own
    assert [found["HITId"] for found in ben.list_hits()["HITs"]] == [own]
    done = Person(server, invite(server.db, names=["of ada"])[0]).do(hit)
    assert ben.list_reviewable_hits()["NumResults"] == 0
    for call, values in (
        (ben.get_hit, {"HITId": hit}),
        (ben.delete_hit, {"HITId": hit}),
        (ben.update_expiration_for_hit, {"HITId": hit, "ExpireAt": 0}),
        (ben.list_assignments_for_hit, {"HITId": hit}),
        (ben.get_assignment, {"AssignmentId": done}),
        (ben.approve_assignment, {"AssignmentId": done}),
    ):
        assert refusal(call, **values) == ("RequestError", 400)
    assert ada.get_assignment(AssignmentId=done)["Assignment"]["AssignmentStatus"] == "Submitted"
    kind = ada.get_hit(HITId=hit)["HIT"]["HITTypeId"]
    values = {"HITTypeId": kind, "LifetimeInSeconds": 60, "Question": hit_values()["Question"]}
    assert refusal(ben.create_hit_with_hit_type, **values) == ("RequestError", 400)


def test_a_revoked_key_works_no_more_and_its_requester_goes_on(server: Running) -> None:
    old, new = add_key(server.db, "eve"), add_key(server.db, "eve")
    hit = client(server, old).create_hit(**hit_values())["HIT"]["HITId"]
    revoke_key(server.db, old[0])
    assert refusal(client(server, old).list_hits) == ("UnrecognizedClientException", 403)
    assert client(server, new).get_hit(HITId=hit)["HIT"]["HITId"] == hit
    first = next(key for key in list_keys(server.db) if key.access_key_id == old[0])
    revoke_key(server.db, old[0])
    assert first.revoked is not None
    assert first in list_keys(server.db)  # revoking again moved nothing


def test_wrong_names_are_one_clear_message(tmp_path: Path) -> None:
    for name in ("", "a b", "-x", "x" * 64, "a/b"):
        with pytest.raises(UsageError, match="not a name"):
            add_key(tmp_path / "crowd.db", name)
    with pytest.raises(UsageError, match="no key RPLX"):
        revoke_key(tmp_path / "crowd.db", "RPLX")


def test_on_the_command_line(tmp_path: Path) -> None:
    db = str(tmp_path / "crowd.db")

    def replicate(*words: str) -> Any:
        result = CliRunner().invoke(cli, ["crowd", "keys", *words, "--db", db, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    made = replicate("add", "--requester", "ada")
    assert set(made) == {"access_key_id", "secret_access_key"}
    assert replicate("revoke", made["access_key_id"]) == {"revoked": made["access_key_id"]}
    row = replicate("list")["keys"][0]
    assert row["requester"] == "ada"
    assert row["revoked"] >= row["created"]
    assert made["secret_access_key"] not in json.dumps(row)
