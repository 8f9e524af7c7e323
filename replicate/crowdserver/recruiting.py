"""Workers from recruiting platforms: the link that they follow, the code that they take back.

A platform (Prolific, CloudResearch, SONA …) sends a participant to a link and adds their id to it
as a parameter. Who comes is known by a keyed hash of that id: the same id is the same worker. Who
has sent in enough is shown the completion code, and the way back to the platform.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, insert, select, update

from replicate.base.errors import UsageError
from replicate.base.randomness import token
from replicate.crowdserver import names as ids
from replicate.crowdserver.admin import token_hash
from replicate.crowdserver.allowance import allowance_of
from replicate.crowdserver.context import Context
from replicate.crowdserver.database import Database, setting
from replicate.crowdserver.tables import Worker
from replicate.crowdserver.worker_tables import Participation, Recruitment
from replicate.crowdserver.workers import WorkerError

PROLIFIC = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
PROLIFIC_URL = "https://app.prolific.com/submissions/complete?cc={code}"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+:-]{0,127}\Z")
_PLACE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class StudyLink:
    """A link for a platform, and what it was made with.

    Attributes:
        name: The requester's name for it.
        link: The link, with the platform's placeholders in it.
        completion_code: What participants take back.
        completion_url: Where they take it; None: they copy the code.
        hits_per_worker: How many HITs one participant may do; None: any number.
        hits_needed: How many they must send in to get the code.
        joined: How many participants have followed it.
        completed: How many of them have been shown the code.
    """

    name: str
    link: str
    completion_code: str
    completion_url: str | None
    hits_per_worker: int | None
    hits_needed: int
    joined: int = 0
    completed: int = 0


def recruit(
    db: Path | str,
    name: str,
    completion_code: str,
    *,
    completion_url: str | None = None,
    hits_per_worker: int | None = None,
    hits_needed: int | None = None,
    parameters: Sequence[str] = (),
    base_url: str | None = None,
) -> StudyLink:
    """Make a link for a recruiting platform; the same name gives the same link, with new terms.

    Args:
        db: The server's database; made if it is not there.
        name: What to call it, such as ``prolific``.
        completion_code: The code that a participant who has done enough takes back.
        completion_url: Where to, with ``{code}`` in its place, and any parameter as ``{NAME}``.
            By default Prolific's if PROLIFIC_PID is among the parameters.
        hits_per_worker: How many HITs one participant may do; None: any number.
        hits_needed: How many a participant must send in; by default all that they may, or 1.
        parameters: ``NAME`` or ``NAME=PLACEHOLDER``: what the platform adds to the link; the
            first one is the participant's id. By default Prolific's three.
        base_url: The address of the server; by default the one that it was last reached by.

    Raises:
        UsageError: Something of it makes no sense.
    """
    places = _places(parameters)
    if completion_url is None and PROLIFIC[0] in places:
        completion_url = PROLIFIC_URL
    needed = hits_needed or hits_per_worker or 1
    _check(name, completion_code, completion_url, list(places), hits_per_worker, needed)
    database = Database(db)
    try:
        with database.begin() as connection:
            base = (base_url or setting(connection, "base_url") or "").rstrip("/")
            secret = token(database.key, "recruitment", name, length=32)
            values = {
                "parameters": json.dumps(list(places)),
                "completion_code": completion_code,
                "completion_url": completion_url,
                "hits_per_worker": hits_per_worker,
                "hits_needed": needed,
            }
            joined, completed = _keep(connection, name, token_hash(secret), values)
    finally:
        database.close()
    query = "&".join(f"{key}={place}" for key, place in places.items() if place)
    link = f"{base}/recruit/{secret}" + (f"?{query}" if query else "")
    return StudyLink(
        name, link, completion_code, completion_url, hits_per_worker, needed, joined, completed
    )


def _keep(
    connection: Connection, name: str, hashed: str, values: Mapping[str, object]
) -> tuple[int, int]:
    known = select(Recruitment.number).where(Recruitment.name == name)
    number = connection.execute(known).scalar()
    if number is None:
        made = insert(Recruitment).values(
            name=name, token_hash=hashed, created=time.time(), **values
        )
        connection.execute(made)
        return 0, 0
    connection.execute(update(Recruitment).where(Recruitment.number == number).values(**values))
    people = select(Participation.completed).where(Participation.recruitment == number)
    found = connection.execute(people).scalars().all()
    return len(found), sum(moment is not None for moment in found)


def _places(parameters: Sequence[str]) -> dict[str, str]:
    """The placeholder of each parameter; Prolific's way of writing it unless one is given."""
    places: dict[str, str] = {}
    for given in parameters or PROLIFIC:
        name, equals, place = given.partition("=")
        if not _NAME.match(name) or name in places or re.search(r"[\s&#\"'<>]", place):
            raise UsageError(
                f"{given!r} is not a parameter of a link.",
                "Give --parameter NAME, or --parameter 'NAME=PLACEHOLDER', each name once.",
            )
        places[name] = place if equals else "{{%" + name + "%}}"
    return places


def _check(
    name: str, code: str, url: str | None, parameters: list[str], most: int | None, needed: int
) -> None:
    if not name.strip() or not code.strip():
        raise UsageError("A name and a completion code are needed.", "See: crowd recruit --help")
    if needed < 1 or (most is not None and needed > most):
        raise UsageError(
            f"Nobody can send in {needed} HITs who may do {most}.",
            "Give --hits-needed 1 or more, and no more than --hits-per-worker.",
        )
    if url is not None:
        unknown = set(_PLACE.findall(url)) - {"code", *parameters}
        if unknown or not re.match(r"https?://[^\s/]", url) or re.search(r"[\s\"'<>]", url):
            raise UsageError(
                f"{url!r} is not an address to complete at.",
                "Give https://… with {code} where the code goes; "
                f"{{{parameters[0]}}} stands for the participant's id.",
            )


def follow(context: Context, given_token: str, query: Mapping[str, str]) -> tuple[str, int]:
    """Let a participant in by a platform's link.

    Args:
        context: The request.
        given_token: The token in the link.
        query: The parameters that came with it.

    Returns:
        The worker, and the number of the recruitment.

    Raises:
        WorkerError: The link is not one of this server's, or brings no id that could be one.
    """
    row = context.connection.execute(
        select(Recruitment).where(Recruitment.token_hash == token_hash(given_token))
    ).first()
    if row is None:
        raise WorkerError(
            404, "This link does not work", "Open the study from your platform's page once more."
        )
    parameter = json.loads(row.parameters)[0]
    identity = query.get(parameter, "")
    if not _ID.match(identity):
        problem = "does not say who you are" if not identity else "has an id that cannot be one"
        raise WorkerError(
            400,
            f"This link {problem}",
            f"Your platform fills in {parameter} when you open the study there. Please open it "
            "from there once more; if that does not help, write to the people who run the study.",
        )
    worker = ids.recruited_id(context.key, parameter, identity)
    _enrol(context, worker, row.number)
    return worker, row.number


def _enrol(context: Context, worker: str, number: int) -> None:
    known = select(Worker.worker_id).where(Worker.worker_id == worker)
    if context.connection.execute(known).first() is None:
        made = insert(Worker).values(worker_id=worker, created=context.now)
        context.connection.execute(made)
    taking_part = select(Participation.joined).where(
        Participation.worker_id == worker, Participation.recruitment == number
    )
    if context.connection.execute(taking_part).first() is None:
        made = insert(Participation).values(
            worker_id=worker, recruitment=number, joined=context.now
        )
        context.connection.execute(made)


def wanted_back(context: Context, number: int) -> list[str]:
    """The parameters that the way back to the platform repeats, which the browser must keep."""
    row = _row(context, number)
    named = set(_PLACE.findall(row.completion_url or ""))
    return [name for name in json.loads(row.parameters) if name in named]


def completion(
    context: Context, worker: str, number: int, kept: Mapping[str, str]
) -> tuple[str, str | None]:
    """The completion code and the way back, for a participant who has sent in enough.

    Args:
        context: The request.
        worker: The participant.
        number: The recruitment.
        kept: What the participant's own browser kept of the platform's parameters.

    Returns:
        The code, and the address to take it to; None: it is to be copied, or the browser has
        lost what the address needs.

    Raises:
        WorkerError: Something is missing yet.
    """
    missing = allowance_of(context, worker, number).missing
    if missing:
        raise WorkerError(403, "Not yet", f"{missing} more to send in.")
    row = _row(context, number)
    context.connection.execute(
        update(Participation)
        .where(
            Participation.worker_id == worker,
            Participation.recruitment == number,
            Participation.completed.is_(None),
        )
        .values(completed=context.now)
    )
    values = {**kept, "code": row.completion_code}
    url = row.completion_url
    if url is None or not set(_PLACE.findall(url)) <= values.keys():
        return row.completion_code, None
    filled = _PLACE.sub(lambda place: quote(values[place[1]], safe=""), url)
    return row.completion_code, filled


def _row(context: Context, number: int) -> Any:
    return context.connection.execute(
        select(
            Recruitment.completion_code, Recruitment.completion_url, Recruitment.parameters
        ).where(Recruitment.number == number)
    ).one()
