"""What a batch of HITs costs, before anybody is paid."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from replicate.base.errors import UsageError
from replicate.crowd.registry import factory

CENT = Decimal("0.01")


@dataclass(frozen=True)
class FeeTable:
    """What a provider takes besides the workers' reward.

    Attributes:
        provider: Whose table it is.
        rate: Share of each reward, as a fraction: 0.20 is 20 %.
        surcharge: Further share for HITs of many assignments.
        surcharge_from: The surcharge is taken on HITs with this many assignments or more.
        minimum: Least fee an assignment, in dollars.
        source: Where the numbers come from.
    """

    provider: str
    rate: Decimal
    surcharge: Decimal
    surcharge_from: int
    minimum: Decimal
    source: str


def free(provider: str, source: str) -> FeeTable:
    """The fee table of a provider that takes nothing."""
    return FeeTable(provider, Decimal(0), Decimal(0), 10, Decimal(0), source)


FEE_TABLES: dict[str, FeeTable] = {
    table.provider: table
    for table in (
        free("crowd", "your own crowd server takes nothing"),
        free("files", "files cost nothing"),
        free("annotate", "your own people on your own machine"),
        free("sandbox", "simulated workers get nothing"),
        FeeTable(
            provider="mturk",
            rate=Decimal("0.20"),
            surcharge=Decimal("0.20"),
            surcharge_from=10,
            minimum=CENT,
            source="Amazon Mechanical Turk's price list, until it closed in September 2026",
        ),
    )
}


@dataclass(frozen=True)
class PageCost:
    """What the cost of one HIT follows from.

    Attributes:
        images: Image places on its page.
        assignments: How many workers do it, at least 1.
        reward: Dollars for one of them, in whole cents.
    """

    images: int
    assignments: int
    reward: Decimal


@dataclass(frozen=True)
class Cost:
    """What a batch costs, in dollars.

    Attributes:
        hits: HITs in the batch.
        images: Image places over all HITs (an image on two pages counts twice).
        assignments: Assignments over all HITs.
        reward: What the workers get, in all.
        fees: What the provider gets, in all.
        total: ``reward + fees``: what ``--confirm-cost`` must equal.
        minutes: Expected work in all, over all assignments.
        hourly_wage: What a worker earns an hour at the expected pace.
        mode: Which endpoint it goes to, and whether anybody real works there.
    """

    hits: int
    images: int
    assignments: int
    reward: Decimal
    fees: Decimal
    total: Decimal
    minutes: Decimal
    hourly_wage: Decimal
    mode: str


def fee_table(provider: str) -> FeeTable:
    """The fee table of a provider; one of another package says what it takes itself.

    Raises:
        UsageError: There is no such provider.
        MissingError: The package that brings it cannot be loaded.
    """
    if provider in FEE_TABLES:
        return FEE_TABLES[provider]
    found = getattr(factory(provider), "fees", None)
    return found if isinstance(found, FeeTable) else free(provider, "it names no fees")


def assignment_fee(reward: Decimal, assignments: int, table: FeeTable) -> Decimal:
    """The provider's fee for one assignment of a HIT, in dollars, rounded to cents.

    Args:
        reward: What the worker gets, in dollars, ≥ 0.
        assignments: How many assignments the HIT has.
        table: The provider's fees.

    >>> assignment_fee(Decimal("0.10"), 10, FEE_TABLES["mturk"])
    Decimal('0.04')
    >>> assignment_fee(Decimal("0.01"), 9, FEE_TABLES["mturk"])
    Decimal('0.01')
    """
    rate = table.rate + (table.surcharge if assignments >= table.surcharge_from else Decimal(0))
    fee = (reward * rate).quantize(CENT, rounding=ROUND_HALF_UP)
    return max(fee, table.minimum).quantize(CENT)


def plan_cost(
    pages: Iterable[PageCost],
    table: FeeTable,
    *,
    mode: str,
    seconds_per_image: float = 2.0,
) -> Cost:
    """The cost of publishing some HITs.

    Args:
        pages: The HITs.
        table: The provider's fees.
        mode: Which endpoint, and whether it is real; kept in the record.
        seconds_per_image: Expected pace, from which time and hourly wage follow.

    Raises:
        UsageError: A negative reward, one that is not in whole cents, or no assignment.

    >>> page = PageCost(images=48, assignments=10, reward=Decimal("0.10"))
    >>> cost = plan_cost([page], FEE_TABLES["mturk"], mode="mturk")
    >>> str(cost.total), str(cost.minutes), str(cost.hourly_wage)
    ('1.40', '16.0', '3.75')
    """
    found = list(pages)
    paid = fees = Decimal("0.00")
    assignments, looks = 0, 0
    for page in found:
        _check(page)
        assignments += page.assignments
        looks += page.images * page.assignments
        paid += page.reward * page.assignments
        fees += assignment_fee(page.reward, page.assignments, table) * page.assignments
    seconds = Decimal(str(seconds_per_image)) * looks
    wage = (paid * 3600 / seconds).quantize(CENT) if seconds else Decimal("0.00")
    return Cost(
        hits=len(found),
        images=sum(page.images for page in found),
        assignments=assignments,
        reward=paid.quantize(CENT),
        fees=fees.quantize(CENT),
        total=(paid + fees).quantize(CENT),
        minutes=(seconds / 60).quantize(Decimal("0.1")),
        hourly_wage=wage,
        mode=mode,
    )


def fair_reward(images: float, seconds_per_image: float, wage: Decimal) -> Decimal:
    """The least reward for a page, in whole cents, that earns an hourly wage at a pace.

    Args:
        images: Image places on the page.
        seconds_per_image: Expected pace.
        wage: Dollars an hour.

    >>> fair_reward(48, 2.0, Decimal("7.25"))
    Decimal('0.20')
    """
    seconds = Decimal(str(images)) * Decimal(str(seconds_per_image))
    return (wage * seconds / 3600).quantize(CENT, rounding=ROUND_CEILING)


def _check(page: PageCost) -> None:
    if page.reward < 0 or page.reward != page.reward.quantize(CENT):
        raise UsageError(
            f"A reward of {page.reward} dollars cannot be paid.",
            "Give dollars in whole cents, such as 0.10.",
        )
    if page.assignments < 1:
        raise UsageError(f"A HIT needs at least one assignment, not {page.assignments}.")
