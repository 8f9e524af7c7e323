"""Small helpers for tests that call the API."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.crowd import Person, Running, html_question, simple_html

from replicate.crowdserver.admin import invite


def refused(call: Any, **values: Any) -> str:
    """The last word of the TurkErrorCode that a call is refused with."""
    with pytest.raises(ClientError) as error:
        call(**values)
    answer = error.value.response
    assert answer["Error"]["Code"] == "RequestError", answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["Error"]["Message"].endswith(f"({answer['TurkErrorCode']})")
    return str(answer["TurkErrorCode"]).rpartition(".")[2]


def person(server: Running, name: str) -> Person:
    return Person(server, invite(server.db, names=[name])[0])


def worker_id(server: Running, name: str) -> str:
    """The id that requesters know a worker by."""
    from replicate.crowdserver.database import Database
    from replicate.crowdserver.names import worker_id as hashed

    invite(server.db, names=[name])
    database = Database(server.db)
    try:
        return hashed(database.key, name)
    finally:
        database.close()


def question(word: str) -> str:
    return html_question(simple_html([]).replace("<form", f"<p>{word}</p><form"))
