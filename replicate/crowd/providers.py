"""What every crowd provider can do: the interface that the stages publish and collect speak to.

`tests/crowd/test_provider_contract.py` is the contract in executable form; each provider passes
the same tests.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

AssignmentStatus = Literal["Submitted", "Approved", "Rejected"]


@dataclass(frozen=True)
class HitTerms:
    """What a worker is offered: the same for all HITs of a type.

    Attributes:
        title: The HIT's title in the list of work.
        description: One or two sentences.
        keywords: Comma-separated words.
        reward: Dollars for one assignment, in whole cents.
        assignments: How many workers do each HIT.
        duration: Seconds from accepting to the deadline.
        auto_approval: Seconds from submitting until it approves itself.
        lifetime: Seconds that a HIT can be found.
    """

    title: str
    description: str
    keywords: str
    reward: Decimal
    assignments: int
    duration: int
    auto_approval: int
    lifetime: int

    def as_json(self) -> dict[str, Any]:
        """The terms as JSON values, for a page's content key."""
        return {**self.__dict__, "reward": str(self.reward)}


@dataclass(frozen=True)
class Sheet:
    """What a page asks and shows, for providers that do not show our page itself.

    Attributes:
        class_id: The class that is asked for.
        question: The question, as one sentence.
        images: Each slot's id and the SHA-256 of its display copy, in the page's order.
        round: 1, or a later round of expert labelling.
    """

    class_id: str
    question: str
    images: tuple[tuple[str, str], ...]
    round: int = 1


@dataclass(frozen=True)
class HitRequest:
    """One HIT to be published.

    Attributes:
        key: Its content key (at most 64 characters); the same key never makes a second HIT.
        question: The question's XML, at most 65,535 bytes.
        note: What the requester sees beside the HIT, at most 255 bytes; workers do not.
        sheet: The same page as plain content; providers that write files need it.
    """

    key: str
    question: str
    note: str = ""
    sheet: Sheet | None = None


@dataclass(frozen=True)
class RawAssignment:
    """One worker's submission, as the provider tells it.

    Attributes:
        assignment_id: The provider's id.
        hit_id: The HIT that it belongs to.
        worker_id: The provider's id of the worker; never stored as it is.
        status: Submitted (not decided yet), Approved or Rejected.
        answer: The answer's XML (QuestionFormAnswers).
        accepted: When the worker took it.
        submitted: When the worker sent it.
    """

    assignment_id: str
    hit_id: str
    worker_id: str
    status: AssignmentStatus
    answer: str
    accepted: datetime | None
    submitted: datetime | None


@dataclass(frozen=True)
class HitProgress:
    """How far a HIT is.

    Attributes:
        status: ``Assignable``, ``Unassignable``, ``Reviewable``, ``Reviewing`` or ``Disposed``.
        wanted: Assignments that the HIT has in all.
        pending: Assignments that workers hold and have not submitted.
        available: Assignments that nobody has taken.
    """

    status: str
    wanted: int
    pending: int
    available: int


@dataclass(frozen=True)
class LeftOut:
    """Something that came back from workers and could not be used.

    Attributes:
        reason: A short machine-readable reason, such as ``unknown_vote``.
        where: Where it is, for a person: a file and a line.
    """

    reason: str
    where: str


def mode_text(name: str, where: str | None = None, people: str = "real workers") -> str:
    """How a mode is written: which provider, where it is, and who works there.

    >>> mode_text("crowd", "http://127.0.0.1:8700")
    'crowd at http://127.0.0.1:8700: real workers'
    >>> mode_text("sandbox", people="simulated workers, nobody is paid")
    'sandbox: simulated workers, nobody is paid'
    """
    return f"{name} at {where}: {people}" if where else f"{name}: {people}"


class Provider(Protocol):
    """A crowd that HITs can be published to."""

    @property
    def name(self) -> str:
        """The provider's name, as in ``[label] provider`` and the fee tables."""
        ...

    @property
    def mode(self) -> str:
        """Which endpoint it is and who works there; stored with each batch, shown in every line.

        It names the provider, and is the same whenever the same place is opened.
        """
        ...

    @property
    def simulated(self) -> bool:
        """Whether the workers are simulated; stored with every assignment."""
        ...

    def check(self) -> None:
        """Talk to the provider once, without changing anything.

        Raises:
            ProviderError: It cannot be reached, or refuses the keys.
        """
        ...

    def hit_type(self, terms: HitTerms) -> str:
        """The id of the HIT type with these terms; the same terms give the same id."""
        ...

    def publish(self, request: HitRequest, hit_type: str, terms: HitTerms) -> str:
        """Publish a HIT, once: a repeated key gives the id of the HIT that exists.

        Returns:
            The HIT's id.
        """
        ...

    def progress(self, hit_id: str) -> HitProgress:
        """How many of a HIT's assignments are still to come."""
        ...

    def assignments(self, hit_id: str) -> Iterator[RawAssignment]:
        """Every submitted assignment of a HIT, whatever was decided about it."""
        ...

    def left_out(self) -> Sequence[LeftOut]:
        """What came back and belongs to no assignment that `assignments` gave; mostly nothing."""
        ...

    def approve(self, assignment_id: str) -> None:
        """Approve (and so pay) an assignment; one that is approved already stays so."""
        ...

    def expire(self, hit_id: str) -> None:
        """Take a HIT off the list of work; work in progress can still be submitted."""
        ...
