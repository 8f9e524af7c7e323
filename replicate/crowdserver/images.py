"""Images: their files, and the addresses that each assignment has of its own.

An address tells nothing: it is a keyed hash of the assignment and of the image's place on the
page, and it holds only while the assignment is being worked on.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from replicate.base.randomness import token


@dataclass(frozen=True)
class Issue:
    """The addresses of one assignment.

    Attributes:
        digests: The images, in the page's order.
        accepted: When the assignment was accepted; taking it up again gives new addresses.
        deadline: When they end.
    """

    digests: Sequence[str]
    accepted: float
    deadline: float


class Addresses:
    """Which address means which image, for the assignments being worked on.

    Args:
        key: The server's secret.
        find: Looks an assignment up; None if nobody is working on it. Called for assignments
            that are not in memory, after a restart for instance.
        limit: Assignments to keep in memory.
    """

    def __init__(self, key: bytes, find: Callable[[str], Issue | None], limit: int = 2000) -> None:
        self._key = key
        self._find = find
        self._limit = limit
        self._kept: OrderedDict[str, tuple[float, dict[str, str]]] = OrderedDict()

    def issue(self, assignment: str, issue: Issue) -> list[str]:
        """The addresses of an assignment's images, in the page's order."""
        tokens = [
            token(self._key, "image", assignment, repr(issue.accepted), place)
            for place in range(len(issue.digests))
        ]
        self._kept[assignment] = (
            issue.deadline,
            dict(zip(tokens, issue.digests, strict=True)),
        )
        self._kept.move_to_end(assignment)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return [f"/i/{assignment}/{name}" for name in tokens]

    def digest(self, assignment: str, name: str, now: float) -> tuple[str, float] | None:
        """The image that an address means and the seconds that it holds on, or None."""
        kept = self._kept.get(assignment)
        if kept is None:
            found = self._find(assignment)
            if found is None:
                return None
            self.issue(assignment, found)
            kept = self._kept[assignment]
        deadline, images = kept
        digest = images.get(name)
        if digest is None or deadline <= now:
            return None
        return digest, deadline - now

    def end(self, assignment: str) -> None:
        """Let an assignment's addresses end now."""
        self._kept.pop(assignment, None)
