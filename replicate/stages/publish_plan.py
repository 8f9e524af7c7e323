"""publish's plan: what would be published, what it costs in money and time, and what to mind."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from replicate.base.errors import MissingError
from replicate.crowd.composition import Role, shared_images
from replicate.crowd.cost import Cost, PageCost, fair_reward, fee_table, plan_cost
from replicate.pipeline.labelling import LabelConfig
from replicate.stages import ledger
from replicate.stages.crowds import workers_simulated
from replicate.stages.labelling import mode_of
from replicate.stages.publish_pages import Page, compose_missing, stored_pages
from replicate.stages.publish_rounds import compose_second_round
from replicate.stages.publish_short import short_images
from replicate.store import queries
from replicate.store.tables import Hit
from replicate.study import Study

_ORIGINAL: tuple[Role, ...] = ("positive", "original")


@dataclass(frozen=True)
class Originals:
    """How many original images of a class will have votes.

    Attributes:
        images: Original images of the class that stand on a page, as control or mixed in.
        enough: How many of them will have as many votes as a matched sample asks for.
        votes: How many will have how many votes, once everybody has voted.
    """

    images: int
    enough: int
    votes: dict[str, int]


@dataclass(frozen=True)
class Plan:
    """What would be published.

    Attributes:
        cost: HITs, money and time.
        roles: Image places on the new pages, by role.
        classes: Classes that have new pages.
        top_up: New HITs that ask again about images with too few votes.
        short: Images with too few votes that are not asked about again.
        assignments: Workers a HIT: the least and the most over the new HITs.
        originals: By class that has pages: its original images with votes, over all of them.
        spent: What the HITs that are published already cost, once all their work is done.
        paid: What was paid so far, as the ledger says.
        warnings: What to mind, as sentences.
        asked: The valid votes that the user asked for; None: as the pipeline says.
    """

    cost: Cost
    roles: dict[str, int]
    classes: int
    top_up: int
    short: int
    assignments: tuple[int, int]
    originals: dict[str, Originals]
    spent: Decimal
    paid: ledger.Sums
    warnings: tuple[str, ...]
    asked: int | None = None

    @property
    def command(self) -> str:
        """What to type to publish it."""
        again = "" if self.asked is None else f"--top-up {self.asked} "
        return f"replicate publish {again}--confirm-cost {self.total}"

    @property
    def total(self) -> Decimal:
        """What `--confirm-cost` must equal."""
        return self.cost.total

    def as_json(self) -> dict[str, Any]:
        """The JSON of the command-line contract, and more."""
        cost, controls = self.cost, ("positive", "negative")
        return {
            "hits": cost.hits,
            "images": cost.images,
            "controls": sum(self.roles.get(role, 0) for role in controls),
            "roles": self.roles,
            "assignments": cost.assignments,
            "minutes": float(cost.minutes),
            "reward": str(cost.reward),
            "fees": str(cost.fees),
            "total": str(cost.total),
            "hourly_wage": str(cost.hourly_wage),
            "mode": cost.mode,
            "top_up": self.top_up,
            "short": self.short,
            "originals": {name: asdict(found) for name, found in self.originals.items()},
            "spent": str(self.spent),
            "paid": str(self.paid.paid + self.paid.fees),
            "warnings": list(self.warnings),
        }


def plan(study: Study, top_up: int | None = None) -> Plan:
    """Compose the HITs that are missing, and say what it costs to publish them.

    Args:
        study: The study.
        top_up: Valid votes that every published image should have; by default `[label]
            min_votes`.

    Raises:
        MissingError: There is no candidate pool.
        UsageError: A class has too few original images for its controls.
    """
    goal = study.pipeline.label.min_votes if top_up is None else top_up
    with study.session() as session:
        if not queries.pool(session) and session.scalars(select(Hit).limit(1)).first() is None:
            raise MissingError(
                "There are no candidates to label.", "Run first: replicate run --until dedup"
            )
        compose_missing(session, study, goal)
        compose_second_round(session, study)
        pages = stored_pages(session)
        waiting = [page for page in pages if page.hit.hit_id is None]
        lacking = short_images(session, [page.hit for page in pages if page.sent], goal)
        paid = ledger.sums(session)
    again = {
        (image, page.hit.class_id)
        for page in waiting
        if page.hit.round > 0
        for image in page.images("candidate", "original")
    }
    short = sum((item.image_id, item.class_id) not in again for item in lacking)
    cost = _cost(study, waiting)
    sizes = [page.hit.assignments for page in waiting] or [0]
    originals = _originals(study, pages)
    return Plan(
        cost=cost,
        roles=dict(Counter(slot.role for page in waiting for slot in page.slots)),
        classes=len({page.hit.class_id for page in waiting}),
        top_up=sum(page.hit.round > 0 for page in waiting),
        short=short,
        assignments=(min(sizes), max(sizes)),
        originals=originals,
        spent=spent(study, [page.hit for page in pages if page.hit.hit_id is not None]),
        paid=paid,
        warnings=tuple(_warnings(study, cost, waiting, pages, originals, short)),
        asked=top_up,
    )


def spent(study: Study, published: Iterable[Hit]) -> Decimal:
    """What published HITs cost, once all their assignments are done."""
    table = fee_table(study.pipeline.label.provider)
    pages = [PageCost(0, hit.assignments, Decimal(hit.reward)) for hit in published]
    return plan_cost(pages, table, mode="").total


def _cost(study: Study, waiting: Sequence[Page]) -> Cost:
    label = study.pipeline.label
    return plan_cost(
        [
            PageCost(len(page.slots), page.hit.assignments, Decimal(page.hit.reward))
            for page in waiting
        ],
        fee_table(label.provider),
        mode=mode_of(study),
        seconds_per_image=label.seconds_per_image,
    )


def _wanted(study: Study) -> tuple[int, int]:
    """How many originals a class a matched sample asks for, and with how many votes."""
    blocks = [each for each in study.pipeline.sample if each.strategy.startswith("matched")]
    return (
        max((each.min_original_images for each in blocks), default=0),
        max((each.min_votes for each in blocks), default=0),
    )


def _originals(study: Study, pages: Sequence[Page]) -> dict[str, Originals]:
    _, least = _wanted(study)
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for page in pages:
        for image in page.images(*_ORIGINAL):
            votes[page.hit.class_id][image] += page.hit.assignments
    found = {}
    shown = {page.hit.class_id for page in pages}
    for wanted in (each for each in study.classes if each.class_id in shown):
        counts = Counter(votes[wanted.class_id].values())
        found[wanted.class_id] = Originals(
            images=counts.total(),
            enough=sum(n for count, n in counts.items() if count >= max(least, 1)),
            votes={str(count): counts[count] for count in sorted(counts)},
        )
    return found


def _warnings(
    study: Study,
    cost: Cost,
    waiting: Sequence[Page],
    pages: Sequence[Page],
    originals: dict[str, Originals],
    short: int,
) -> Iterable[str]:
    label = study.pipeline.label
    if waiting and not workers_simulated(study):
        yield from _work_warnings(label, cost)
    images, votes = _wanted(study)
    few = [name for name, found in originals.items() if found.enough < images]
    if few:
        yield (
            f"{_classes(few)} will have fewer than {images} original images with {votes} votes, "
            "which the matched sample asks for: raise [label] originals or assignments, or lower "
            "min_original_images or min_votes of the [[sample]] block."
        )
    crowded = sorted(
        name
        for name in {page.hit.class_id for page in waiting}
        if shared_images(page.slots for page in pages if page.hit.class_id == name)
    )
    if crowded:
        yield (
            f"{_classes(crowded)} has pages that share images. Nobody is shown an image for a "
            "class twice, so those pages need different workers; more original images or fewer "
            "controls a page would help."
        )
    if short:
        yield (
            f"{short} images have too few votes and are not asked about again: they were "
            f"published again {label.max_rounds} times ([label] max_rounds), or are no longer in "
            "the pool."
        )


def _work_warnings(label: LabelConfig, cost: Cost) -> Iterable[str]:
    """Pay that is low, and time that is short; for people only."""
    looks = float(cost.images) / cost.hits
    if 0 < cost.hourly_wage < label.minimum_wage:
        fair = fair_reward(looks, label.seconds_per_image, label.minimum_wage)
        yield (
            f"About ${cost.hourly_wage} an hour is less than [label] minimum_wage = "
            f"{label.minimum_wage}: a reward of ${fair} would reach it."
        )
    if label.seconds_per_image * looks > label.seconds:
        yield (
            f"A page takes about {label.seconds_per_image * looks:.0f} s at the expected pace, "
            f"but [label] seconds = {label.seconds}: workers would run out of time."
        )


def _classes(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"Class {shown}" if len(names) == 1 else f"Each of the classes {shown}"
