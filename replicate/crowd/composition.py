"""Which images go on which HIT page, and what each of them is there for.

A page shows images of one class: candidates, positive controls (original images of the class)
and negative controls (original images of the most similar other classes). The numbers default
to those of Recht et al. (2019), appendix B: 42, 3 and 3.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from replicate.base.digests import digest_value
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Role = Literal["candidate", "positive", "negative"]


@dataclass(frozen=True)
class Numbers:
    """How many images of each role a full page has.

    Attributes:
        candidates: Candidates on a page, at least 1.
        positive: Original images of the class on a page, at least 0.
        negative: Original images of other classes on a page, at least 0.
    """

    candidates: int = 42
    positive: int = 3
    negative: int = 3

    def __post_init__(self) -> None:
        if self.candidates < 1 or self.positive < 0 or self.negative < 0:
            raise UsageError(
                f"A HIT page cannot have {self.candidates} candidates, {self.positive} positive "
                f"and {self.negative} negative controls.",
                "Give at least one candidate and no negative number in [label].",
            )

    @property
    def page(self) -> int:
        """Images on a page."""
        return self.candidates + self.positive + self.negative


@dataclass(frozen=True)
class Slot:
    """One image's place on a page.

    Attributes:
        slot_id: ``i01``, ``i02`` … in the page's own order, which tells nothing about roles.
        image_id: Which image is shown there.
        role: What it is there for; never told to a worker.
    """

    slot_id: str
    image_id: str
    role: Role


@dataclass(frozen=True)
class HitPlan:
    """One page of work, before it is published.

    Attributes:
        class_id: The class that the page asks about.
        number: 0, 1 … within the class.
        slots: The images, in the page's order.
        key: The SHA-256 of class, slots and terms, 64 hexadecimal digits: equal for equal work,
            so that it serves as ``UniqueRequestToken``.
    """

    class_id: str
    number: int
    slots: tuple[Slot, ...]
    key: str


class _Deck:
    """Images drawn without replacement until all were used, then from the start again."""

    def __init__(self, ids: Iterable[str], rng: np.random.Generator) -> None:
        self.ids = sorted(set(ids))
        self._rng = rng
        self._queue: deque[str] = deque()

    def draw(self, count: int, on_page: set[str]) -> list[str]:
        """Up to ``count`` images that are not on the page yet; they are added to ``on_page``."""
        drawn: list[str] = []
        passed: list[str] = []
        for _ in range(2):
            while self._queue and len(drawn) < count:
                image = self._queue.popleft()
                if image in on_page:
                    passed.append(image)
                else:
                    on_page.add(image)
                    drawn.append(image)
            if len(drawn) == count:
                break
            waiting = set(passed)
            order = [self.ids[i] for i in self._rng.permutation(len(self.ids))]
            self._queue.extend(image for image in order if image not in waiting)
        self._queue.extendleft(reversed(passed))
        return drawn


def compose(
    class_id: str,
    candidates: Iterable[str],
    positives: Iterable[str],
    negatives: Iterable[str],
    *,
    seed: int,
    numbers: Numbers | None = None,
    terms: Mapping[str, Any] | None = None,
    first_number: int = 0,
) -> list[HitPlan]:
    """Compose the HIT pages of one class.

    Candidates are shuffled and cut into pages; a short last page is padded with further controls,
    half positive and half negative (as far as there are enough different ones). Controls are
    drawn without replacement until all were used, so that every original image is shown about
    equally often. Within a page the order is random.

    The result depends on the sets of ids and the seed alone, not on the order they come in.

    Args:
        class_id: The class that is asked about.
        candidates: Ids of the candidates.
        positives: Ids of original images of the class.
        negatives: Ids of original images of the most similar other class or classes.
        seed: The study's seed.
        numbers: Images of each role on a full page; the paper's by default.
        terms: What else the work consists of (text, pay, assignments): JSON values that go into
            each page's key, so that changed terms make a new HIT.
        first_number: The number of the first page; for pages that come after earlier ones.

    Returns:
        One plan a page; none when there are no candidates.

    Raises:
        UsageError: There are fewer different controls than a page needs, or an image is both a
            positive and a negative control.

    >>> plan, = compose("7", ["a", "b"], ["p", "q"], ["n", "m"], seed=1, numbers=Numbers(2, 1, 1))
    >>> len(plan.slots), len(plan.key)
    (4, 64)
    """
    sizes = numbers or Numbers()
    pool = sorted(set(candidates))
    sure, other = set(positives), set(negatives)
    _check(class_id, sizes, sure - set(pool), other - set(pool), sure & other)
    rng = stream(seed, "compose", class_id, first_number)
    shuffled = [pool[i] for i in rng.permutation(len(pool))]
    positive = _Deck(sure, stream(seed, "compose", class_id, first_number, "positive"))
    negative = _Deck(other, stream(seed, "compose", class_id, first_number, "negative"))
    plans = []
    for page, start in enumerate(range(0, len(shuffled), sizes.candidates)):
        chosen = shuffled[start : start + sizes.candidates]
        roles = _fill(chosen, positive, negative, sizes)
        order = sorted(roles)
        number = first_number + page
        mixed = stream(seed, "compose", class_id, number, "order").permutation(len(order))
        slots = tuple(
            Slot(f"i{place:02d}", order[i], roles[order[i]]) for place, i in enumerate(mixed, 1)
        )
        plans.append(HitPlan(class_id, number, slots, plan_key(class_id, slots, terms or {})))
    return plans


def plan_key(class_id: str, slots: Iterable[Slot], terms: Mapping[str, Any]) -> str:
    """The content token of a page: the SHA-256 of class, images in order, roles and terms.

    Returns:
        64 hexadecimal digits, as long as ``UniqueRequestToken`` may be.
    """
    images = [[slot.slot_id, slot.image_id, slot.role] for slot in slots]
    return digest_value({"class": class_id, "slots": images, "terms": dict(terms)})


def _fill(chosen: list[str], positive: _Deck, negative: _Deck, sizes: Numbers) -> dict[str, Role]:
    """The images of one page with their roles, padded to a full page where that is possible."""
    controls = sizes.positive + sizes.negative
    missing = sizes.candidates - len(chosen) if controls else 0
    on_page = set(chosen)
    yes = positive.draw(sizes.positive + (missing + 1) // 2, on_page)
    no = negative.draw(sizes.negative + missing // 2, on_page)
    # Where one side has too few images, the other fills up.
    yes += positive.draw(controls + missing - len(yes) - len(no), on_page)
    no += negative.draw(controls + missing - len(yes) - len(no), on_page)
    roles: dict[str, Role] = dict.fromkeys(chosen, "candidate")
    roles.update(dict.fromkeys(yes, "positive"))
    roles.update(dict.fromkeys(no, "negative"))
    return roles


def _check(class_id: str, sizes: Numbers, sure: set[str], other: set[str], both: set[str]) -> None:
    if both:
        raise UsageError(
            f"Class {class_id!r}: image {min(both)} is both a positive and a negative control.",
            "Original images belong to one class each: check the labels of the original set.",
        )
    for name, found, needed in (
        ("positive", len(sure), sizes.positive),
        ("negative", len(other), sizes.negative),
    ):
        if found < needed:
            raise UsageError(
                f"Class {class_id!r} has {found} original images for {name} controls, "
                f"but a page needs {needed}.",
                f"Lower the number of {name} controls in [label], or add original images.",
            )
