"""Which images go on which HIT page, and what each of them is there for.

A page shows images of one class: candidates; original images of the class, as positive controls
(their answer is taken as known) or mixed in to be judged by the same people as the candidates;
negative controls (original images of the most similar other classes); and some images a second
time, which tells how consistent a worker is. The numbers default to those of Recht et al. (2019),
appendix B: 42 candidates, 3 positive and 3 negative controls.

A worker is never shown an image for the same class twice, so an image stands on one page of a
class only, as far as there are enough of them.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from replicate.base.digests import digest_value
from replicate.base.errors import UsageError
from replicate.base.randomness import stream, uniform

Role = Literal["candidate", "positive", "negative", "original", "repeat"]


@dataclass(frozen=True)
class Numbers:
    """How many images of each role a full page has.

    Attributes:
        candidates: Candidates on a page, at least 1.
        positive: Original images of the class whose answer is taken as known, at least 0.
        negative: Original images of other classes, at least 0.
        originals: Original images of the class that are judged beside the candidates, at least
            0; pages have fewer where the class has too few for all its pages.
        repeats: Candidates and mixed-in originals of the page that it shows twice, at least 0.
        padding: Whether a short last page is filled with further controls, half positive and
            half negative; only with images that stand on no other page of the class.
    """

    candidates: int = 42
    positive: int = 3
    negative: int = 3
    originals: int = 0
    repeats: int = 0
    padding: bool = True

    def __post_init__(self) -> None:
        others = (self.positive, self.negative, self.originals, self.repeats)
        if self.candidates < 1 or min(others) < 0:
            raise UsageError(
                f"A HIT page cannot have {self.candidates} candidates, {self.positive} positive "
                f"and {self.negative} negative controls, {self.originals} originals and "
                f"{self.repeats} repeats.",
                "Give at least one candidate and no negative number in [label].",
            )

    @property
    def page(self) -> int:
        """Image places on a full page."""
        return self.candidates + self.positive + self.negative + self.originals + self.repeats


@dataclass(frozen=True)
class Slot:
    """One image's place on a page.

    Attributes:
        slot_id: ``i01``, ``i02`` … in the page's own order, which tells nothing about roles.
        image_id: Which image is shown there.
        role: What it is there for; never told to a worker. ``repeat``: the image stands on the
            page a second time, and its vote there counts in no selection frequency.
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
    """Images drawn in rounds: none is drawn again before all were drawn as often.

    Within a round the order is random, by a number made from seed, class, image and round alone.
    """

    def __init__(self, ids: Iterable[str], used: Mapping[str, int], seed: int, name: str) -> None:
        self._seed, self._name = seed, name
        self._heap = [self._card(image, used.get(image, 0)) for image in ids]
        heapq.heapify(self._heap)

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def unused(self) -> int:
        """How many images stand on no page yet."""
        return sum(uses == 0 for uses, _, _ in self._heap)

    def draw(self, count: int, on_page: set[str], *, unused: bool = False) -> list[str]:
        """Up to ``count`` images that are not on the page yet; they are added to ``on_page``.

        Args:
            count: How many; fewer come where there are not enough.
            on_page: The images of the page so far.
            unused: Take only images that stand on no page yet.
        """
        drawn: list[str] = []
        back: list[tuple[int, float, str]] = []
        while self._heap and len(drawn) < count and not (unused and self._heap[0][0]):
            card = heapq.heappop(self._heap)
            uses, _, image = card
            if image in on_page:
                back.append(card)
                continue
            on_page.add(image)
            drawn.append(image)
            back.append(self._card(image, uses + 1))
        for card in back:
            heapq.heappush(self._heap, card)
        return drawn

    def _card(self, image: str, uses: int) -> tuple[int, float, str]:
        return uses, uniform(self._seed, "compose", self._name, image, uses), image


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
    again: Iterable[str] = (),
    used: Mapping[str, int] | None = None,
) -> list[HitPlan]:
    """Compose the HIT pages of one class.

    Candidates are shuffled and cut into pages. Controls are drawn in rounds, so that every
    original image is shown about equally often, and an image stands on two pages only when all
    were used. Originals that are mixed in, and what pads a short page, are never images that
    stand on another page. Within a page the order is random.

    The result depends on the sets of ids and the seed alone, not on the order they come in.

    Args:
        class_id: The class that is asked about.
        candidates: Ids of the candidates.
        positives: Ids of original images of the class: positive controls, and mixed in.
        negatives: Ids of original images of the most similar other class or classes.
        seed: The study's seed.
        numbers: Images of each role on a full page; the paper's by default.
        terms: What else the work consists of (text, pay, assignments): JSON values that go into
            each page's key, so that changed terms make a new HIT.
        first_number: The number of the first page; for pages that come after earlier ones.
        again: Ids of original images that must be judged as candidates are, because earlier
            pages left them with too few votes.
        used: On how many earlier pages of the class each image stands.

    Returns:
        One plan a page; none when there is nothing to be judged.

    Raises:
        UsageError: There are fewer different controls than a page needs, or an image is an
            original of two classes.

    >>> plan, = compose("7", ["a", "b"], ["p", "q"], ["n", "m"], seed=1, numbers=Numbers(2, 1, 1))
    >>> len(plan.slots), len(plan.key)
    (4, 64)
    """
    sizes = numbers or Numbers()
    pool: dict[str, Role] = dict.fromkeys(again, "original")
    pool.update(dict.fromkeys(candidates, "candidate"))
    sure, other = set(positives) - pool.keys(), set(negatives) - pool.keys()
    _check(class_id, sizes, sure, other)
    yes = _Deck(sure, used or {}, seed, f"{class_id}/yes")
    no = _Deck(other, used or {}, seed, f"{class_id}/no")
    ids = sorted(pool)
    shuffled = [
        ids[i] for i in stream(seed, "compose", class_id, first_number).permutation(len(ids))
    ]
    chunks = [
        shuffled[start : start + sizes.candidates]
        for start in range(0, len(shuffled), sizes.candidates)
    ]
    pages = [dict[str, Role]((image, pool[image]) for image in chunk) for chunk in chunks]
    _fill(pages, yes, no, sizes)
    plans = []
    for number, page in enumerate(pages, first_number):
        slots = _slots(page, sizes.repeats, seed, class_id, number)
        plans.append(HitPlan(class_id, number, slots, plan_key(class_id, slots, terms or {})))
    return plans


def plan_key(class_id: str, slots: Iterable[Slot], terms: Mapping[str, Any]) -> str:
    """The content token of a page: the SHA-256 of class, images in order, roles and terms.

    Returns:
        64 hexadecimal digits, as long as ``UniqueRequestToken`` may be.
    """
    images = [[slot.slot_id, slot.image_id, slot.role] for slot in slots]
    return digest_value({"class": class_id, "slots": images, "terms": dict(terms)})


def shared_images(pages: Iterable[Iterable[Slot]]) -> set[str]:
    """The images that stand on more than one of a class's pages; no worker can do both.

    >>> one, two = Slot("i01", "a", "candidate"), Slot("i02", "a", "repeat")
    >>> shared_images([[one, two]]), shared_images([[one], [one]])
    (set(), {'a'})
    """
    pages_of: Counter[str] = Counter()
    for slots in pages:
        pages_of.update({slot.image_id for slot in slots})
    return {image for image, count in pages_of.items() if count > 1}


def _fill(pages: list[dict[str, Role]], yes: _Deck, no: _Deck, sizes: Numbers) -> None:
    """Add controls and originals to pages that have their candidates."""
    for page in pages:
        _add(page, yes.draw(sizes.positive, set(page)), "positive")
        _add(page, no.draw(sizes.negative, set(page)), "negative")
    # Mixed-in originals are spread over all pages: every page's workers judge some.
    left = yes.unused
    for position, page in enumerate(pages):
        share = -(-left // (len(pages) - position))
        drawn = yes.draw(min(sizes.originals, share), set(page), unused=True)
        left -= len(drawn)
        _add(page, drawn, "original")
    if sizes.padding and (sizes.positive or sizes.negative):
        for page in pages:
            _pad(page, yes, no, sizes)


def _pad(page: dict[str, Role], yes: _Deck, no: _Deck, sizes: Numbers) -> None:
    """Fill a short page with further controls, half and half; one side fills up for the other."""
    missing = sizes.page - sizes.repeats - len(page)
    on_page = set(page)
    sure = yes.draw((missing + 1) // 2, on_page, unused=True)
    other = no.draw(missing - len(sure), on_page, unused=True)
    sure += yes.draw(missing - len(sure) - len(other), on_page, unused=True)
    _add(page, sure, "positive")
    _add(page, other, "negative")


def _add(page: dict[str, Role], images: list[str], role: Role) -> None:
    page.update(dict.fromkeys(images, role))


def _slots(
    page: dict[str, Role], repeats: int, seed: int, class_id: str, number: int
) -> tuple[Slot, ...]:
    """A page's images, and those that it repeats, in random order."""
    judged = sorted(image for image, role in page.items() if role in ("candidate", "original"))
    chosen = stream(seed, "compose", class_id, number, "repeat").permutation(len(judged))[:repeats]
    places: list[tuple[str, Role]] = sorted(page.items())
    places += sorted((judged[i], "repeat") for i in chosen)
    mixed = stream(seed, "compose", class_id, number, "order").permutation(len(places))
    return tuple(Slot(f"i{place:02d}", *places[i]) for place, i in enumerate(mixed, 1))


def _check(class_id: str, sizes: Numbers, sure: set[str], other: set[str]) -> None:
    both = sure & other
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
