"""Tests that workers take for a qualification: begun, answered in time, scored by their key."""

from dataclasses import dataclass

from sqlalchemy import select, update

from replicate.crowdserver.answer_key import read_answer_key
from replicate.crowdserver.context import Context
from replicate.crowdserver.form_answers import form_answers_xml, grouped
from replicate.crowdserver.qualification_asking import is_over, open_types
from replicate.crowdserver.qualifications import grant
from replicate.crowdserver.question_form import Form, read_form
from replicate.crowdserver.requester_tables import QualificationRequest, QualificationType
from replicate.crowdserver.workers import WorkerError


@dataclass(frozen=True)
class Begun:
    """A test that a worker has begun.

    Attributes:
        serial: The request's serial.
        type_id: The qualification type.
        name: Its name.
        worker: The worker.
        form: The test.
        answer_key: What answers are worth; None: the requester decides.
        seconds_left: Until its time is over.
    """

    serial: int
    type_id: str
    name: str
    worker: str
    form: Form
    answer_key: str | None
    seconds_left: float


def running(context: Context, worker: str, type_id: str) -> Begun | None:
    """The test that a worker has begun, and whose time is not over; None: there is none."""
    kind = context.connection.execute(
        open_types(worker).where(QualificationType.qualification_type_id == type_id)
    ).first()
    request = context.connection.execute(
        select(QualificationRequest.serial, QualificationRequest.submitted)
        .filter_by(qualification_type_id=type_id, worker_id=worker, state="Testing")
        .order_by(QualificationRequest.serial.desc())
        .limit(1)
    ).first()
    if kind is None or request is None or kind.test is None or is_over(context, kind, request):
        return None
    return Begun(
        serial=request.serial,
        type_id=type_id,
        name=kind.name,
        worker=worker,
        form=read_form(kind.test, "Test"),
        answer_key=kind.answer_key,
        seconds_left=request.submitted + kind.test_duration - context.now,
    )


def begun(context: Context, worker: str, type_id: str) -> Begun:
    """The test that a worker has begun.

    Raises:
        WorkerError: There is none, or its time is over.
    """
    found = running(context, worker, type_id)
    if found is None:
        raise WorkerError(
            410, "You are not taking this test", "It was sent in, or its time is over."
        )
    return found


def answer(context: Context, test: Begun, fields: list[tuple[str, str]]) -> list[str]:
    """Take the answers to a test: scored at once if it has a key, else left to the requester.

    Returns:
        What is wrong with the answers; none: they were taken.
    """
    values = grouped(fields)
    problems = test.form.problems(values)
    if problems:
        return problems
    scored = test.answer_key is not None
    context.connection.execute(
        update(QualificationRequest)
        .where(QualificationRequest.serial == test.serial)
        .values(
            answer=form_answers_xml(test.form, fields),
            submitted=context.now,
            state="Granted" if scored else "Pending",
            decided=context.now if scored else None,
        )
    )
    if test.answer_key is not None:
        grant(context, test.type_id, test.worker, read_answer_key(test.answer_key).value(values))
    return []
