"""Planned faults of a server: which request fails, how, and how often before it succeeds.

Whether a request fails depends on the plan's seed, the request and how often it came before; so
two runs meet the same faults, whatever order their requests arrive in.
"""

import json
import threading
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

from replicate.base.errors import UsageError
from replicate.base.randomness import uniform


@dataclass(frozen=True)
class FaultPlan:
    """Shares of requests that go wrong, each in [0, 1].

    Attributes:
        seed: What decides which requests.
        api_429: Searches answered 429 with ``Retry-After``.
        api_500: Searches answered 500.
        api_105: Searches answered with error 105, Service currently unavailable.
        api_106: Searches answered with error 106, Write operation failed.
        api_201: Searches answered with error 201.
        api_0: Searches answered with error 0.
        api_slow: Searches that take `slow_seconds`.
        api_cut: Searches whose connection closes half-way.
        image_429: Images answered 429 with ``Retry-After``.
        image_500: Images answered 500.
        image_cut: Images whose connection closes half-way.
        image_slow: Images that take `slow_seconds`.
        repeats: How often one request fails before it is answered.
        retry_after: Seconds that 429 asks to wait.
        slow_seconds: How long a slow answer takes.
        totals: By what share the totals of searches may be off.
    """

    seed: int = 0
    api_429: float = 0.0
    api_500: float = 0.0
    api_105: float = 0.0
    api_106: float = 0.0
    api_201: float = 0.0
    api_0: float = 0.0
    api_slow: float = 0.0
    api_cut: float = 0.0
    image_429: float = 0.0
    image_500: float = 0.0
    image_cut: float = 0.0
    image_slow: float = 0.0
    repeats: int = 1
    retry_after: int = 1
    slow_seconds: float = 2.0
    totals: float = 0.05

    @classmethod
    def read(cls, path: Path) -> "FaultPlan":
        """A plan from a JSON file of these values.

        Raises:
            UsageError: The file is not there, or holds other names.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**values)
        except (OSError, ValueError, TypeError) as error:
            known = ", ".join(item.name for item in fields(cls))
            raise UsageError(f"{path} is no plan of faults: {error}", f"Known: {known}") from error


class Faults:
    """A plan at work: counts how often each request came.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self._seen: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def draw(self, kind: str, request: str) -> str | None:
        """What goes wrong with this request now, or None.

        Args:
            kind: ``api`` or ``image``.
            request: What makes the request the one it is.

        Returns:
            The fault's name without its kind, such as ``429`` or ``cut``.
        """
        with self._lock:
            self._seen[kind, request] += 1
            times = self._seen[kind, request]
        if times > self.plan.repeats:
            return None
        draw = uniform(self.plan.seed, "fault", kind, request)
        for item in fields(self.plan):
            if not item.name.startswith(f"{kind}_"):
                continue
            draw -= getattr(self.plan, item.name)
            if draw < 0:
                return item.name.removeprefix(f"{kind}_")
        return None
