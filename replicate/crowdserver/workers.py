"""What workers do: take up a HIT, give it back, send it in."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Update

from replicate.crowdserver import names
from replicate.crowdserver import worker_queries as queries
from replicate.crowdserver.admin import token_hash
from replicate.crowdserver.allowance import NO_LIMITS, Limits, allowance_of
from replicate.crowdserver.arrangement import says_nothing
from replicate.crowdserver.context import Context
from replicate.crowdserver.eligibility import forbidden, obstacles
from replicate.crowdserver.form_answers import answers_xml, form_answers_xml, grouped
from replicate.crowdserver.questions import form_of
from replicate.crowdserver.shown import NOTE_SEEN, REPEATS
from replicate.crowdserver.states import DONE, OPEN

PAGE = 200  # HITs on one page of the list


class WorkerError(Exception):
    """Something that a worker is told.

    Args:
        status: The HTTP status.
        title: What it is, in a few words.
        message: What it means for the worker.
    """

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.message = message


@dataclass(frozen=True)
class Offer:
    """A HIT on a worker's list."""

    serial: int
    hit_id: str
    hit_type_id: str
    title: str
    description: str
    reward: str
    duration: int
    max_assignments: int
    remaining: int
    assignment_id: str | None = None


def worker_of_invitation(context: Context, invitation: str) -> str:
    """The worker whom an invitation lets in.

    Raises:
        WorkerError: The invitation is not one of this server's.
    """
    given = {"hash": token_hash(invitation)}
    worker = context.connection.execute(queries.INVITED, given).scalar()
    if worker is None:
        raise WorkerError(
            404, "This invitation does not work", "Check the link, or ask for a new one."
        )
    return worker


def worker_exists(context: Context, worker: str) -> bool:
    """Whether a worker is known here."""
    return context.connection.execute(queries.KNOWN, {"worker": worker}).first() is not None


def running(context: Context, worker: str) -> list[Offer]:
    """The HITs that a worker has taken up and not finished."""
    rows = context.connection.execute(queries.RUNNING, {"worker": worker})
    return [Offer(*row) for row in rows]


def available(context: Context, worker: str, after: int = 0) -> list[Offer]:
    """The HITs that a worker can take up, the oldest first; one more than a page if there are.

    Args:
        context: The request.
        worker: The worker.
        after: The serial that the page begins after.
    """
    given = {
        "worker": worker,
        "now": context.now,
        "after": after,
        "most": PAGE + 1,
        "forbidden": forbidden(context, worker, "discover"),
    }
    rows = context.connection.execute(queries.AVAILABLE, given)
    return [Offer(*row) for row in rows]


def offer(context: Context, worker: str, hit_id: str) -> Offer:
    """One HIT that a worker can take up.

    Raises:
        WorkerError: It is not available to this worker.
    """
    given = {
        "worker": worker,
        "now": context.now,
        "hit": hit_id,
        "forbidden": forbidden(context, worker, "discover"),
    }
    row = context.connection.execute(queries.AVAILABLE_ONE, given).first()
    if row is None:
        raise WorkerError(
            404,
            "This HIT is not available",
            "It is finished, others are working on it, you have done it, or you have seen some of "
            "its images on another one.",
        )
    return Offer(*row)


def question_of(context: Context, hit_id: str) -> str:
    """The question XML of a HIT that is not deleted.

    Raises:
        WorkerError: There is none.
    """
    question = context.connection.execute(queries.QUESTION, {"hit": hit_id}).scalar()
    if question is None:
        raise WorkerError(404, "There is no such HIT", "It may have been withdrawn.")
    return question


def require_qualified(context: Context, worker: str, hit_id: str, action: str) -> None:
    """Refuse a worker who lacks a qualification that a HIT requires.

    Args:
        context: The request.
        worker: The worker.
        hit_id: The HIT.
        action: ``discover``, ``preview`` or ``accept``.

    Raises:
        WorkerError: One is lacking.
    """
    lacking = obstacles(context, worker, hit_id, action)
    if lacking:
        raise WorkerError(
            403,
            "This HIT asks for a qualification",
            f"It asks for: {', '.join(lacking)}. Look under Qualifications whether you can get it.",
        )


def seen_before(context: Context, worker: str, hit_id: str) -> bool:
    """Whether a worker has sent in a HIT of the same type, and so knows what it is about."""
    found = context.connection.execute(queries.SEEN, {"worker": worker, "hit": hit_id})
    return found.first() is not None


def accept(
    context: Context,
    worker: str,
    hit_id: str,
    *,
    limits: Limits = NO_LIMITS,
    recruitment: int | None = None,
) -> str:
    """Take up a HIT; taking up one that is being worked on goes on with it.

    Args:
        context: The request.
        worker: The worker.
        hit_id: The HIT.
        limits: What one worker may do on this server.
        recruitment: The number of the platform's link by which the worker came, if they did.

    Returns:
        The assignment's id.

    Raises:
        WorkerError: It is over, full, was done by this worker before, shows what this worker has
            seen on another HIT, is one more than one worker may do, or asks for more.
    """
    given = {"hit": hit_id, "worker": worker}
    hit = context.connection.execute(queries.TO_ACCEPT, given).first()
    if hit is None:
        raise WorkerError(404, "There is no such HIT", "It may have been withdrawn.")
    found = names.assignment_id(context.key, hit_id, worker)
    state = context.connection.execute(queries.STATE, {"assignment": found}).scalar()
    if state == OPEN:
        return found
    if state in DONE:
        raise WorkerError(409, "You have done this HIT", "Each HIT can be done once.")
    over = hit.disposed or hit.expires <= context.now or not hit.welcome
    if over or hit.taken >= hit.max_assignments:
        raise WorkerError(
            409, "This HIT is no longer available", "It is finished, or others are working on it."
        )
    refusal = allowance_of(context, worker, recruitment).refusal(limits)
    if refusal is not None:
        raise WorkerError(409, *refusal)
    if hit.max_per_worker is not None and hit.done_of_type >= hit.max_per_worker:
        raise WorkerError(
            409,
            "You have done your share of these HITs",
            f"One person may do {hit.max_per_worker} of them, and you have. Thank you!",
        )
    shown = {"worker": worker, "serial": hit.serial}
    if context.connection.execute(REPEATS, shown).scalar():
        raise WorkerError(
            409,
            "This HIT is not for you",
            "You have seen some of its images on another HIT, and each image is judged once.",
        )
    require_qualified(context, worker, hit_id, "accept")
    deadline = context.now + hit.duration
    context.agenda.expect(deadline)
    if state is None:
        ids = {"assignment_id": found, "hit_id": hit_id, "worker_id": worker}
        row = {**ids, "state": OPEN, "accepted": context.now, "deadline": deadline}
        row["recruitment"] = recruitment
        context.connection.execute(queries.ACCEPT, row)
        context.connection.execute(NOTE_SEEN, shown)
    else:
        values = {"accepted": context.now, "deadline": deadline, "recruitment": recruitment}
        _change(context, queries.ACCEPT_AGAIN, found, **values)
    return found


def task(context: Context, assignment_id: str, worker: str | None = None) -> Row[Any]:
    """An assignment with what its page needs.

    Args:
        context: The request.
        assignment_id: The assignment. Its id is unguessable: whoever has it may send it in.
        worker: Whose it must be; None for anybody's.

    Raises:
        WorkerError: There is none.
    """
    row = context.connection.execute(queries.TASK, {"assignment": assignment_id}).first()
    if row is None or (worker is not None and row.worker_id != worker):
        raise WorkerError(404, "There is no such assignment", "It may belong to somebody else.")
    return row


def give_back(context: Context, assignment_id: str) -> None:
    """Return an assignment, so that somebody else can do it. Doing it twice does no harm."""
    row = task(context, assignment_id)
    if row.state == OPEN:
        _change(context, queries.GIVE_BACK, assignment_id)


def keep_draft(context: Context, assignment_id: str, draft: str) -> None:
    """Keep what a page has so far, for a worker who closes it and comes back."""
    if task(context, assignment_id).state == OPEN:
        _change(context, queries.KEEP_DRAFT, assignment_id, draft=draft)


def submit(context: Context, assignment_id: str, fields: list[tuple[str, str]]) -> None:
    """Store a worker's answer. Sending the same answer again does no harm.

    Args:
        context: The request.
        assignment_id: The assignment.
        fields: The form's fields, without ``assignmentId``.

    Raises:
        WorkerError: It is late, was returned, was sent in before with another answer, or holds
            nothing.
    """
    row = task(context, assignment_id)
    if not fields:
        raise WorkerError(400, "Nothing was sent", "The page sent no answer. Please try again.")
    if row.state == OPEN and says_nothing(fields):
        raise WorkerError(
            400,
            "Nothing is marked",
            "Go back to the page. If no image fits, tick “None of these”, then submit again.",
        )
    form = form_of(row.question)
    answer = answers_xml(fields) if form is None else form_answers_xml(form, fields)
    if row.state in DONE:
        if row.answer == answer:
            return
        raise WorkerError(409, "You have sent this HIT in", "Your first answer is kept.")
    if row.state != OPEN:
        raise not_open(row.state)
    problems = [] if form is None else form.problems(grouped(fields))
    if problems:
        raise WorkerError(400, "Something is missing", f"{' '.join(problems)} Please go back.")
    approval = context.now + row.auto_approval_delay
    context.agenda.expect(approval)
    values = {"submitted": context.now, "auto_approval": approval, "answer": answer}
    _change(context, queries.SUBMIT, assignment_id, **values)
    context.connection.execute(queries.COUNT_DONE, {"hit": row.hit_id})


def not_open(state: str) -> WorkerError:
    """What a worker is told of an assignment that they no longer work on.

    Args:
        state: ``Returned`` or ``Abandoned``.
    """
    return WorkerError(
        410,
        "The time for this HIT is over" if state == "Abandoned" else "You have returned this HIT",
        "Nothing more can be stored. If the HIT is still on your list, you can take it up again.",
    )


def _change(context: Context, statement: Update, assignment_id: str, **values: Any) -> None:
    given = {f"new_{name}": value for name, value in values.items()}
    context.connection.execute(statement, {"assignment": assignment_id, **given})
