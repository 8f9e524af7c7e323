"""What a batch of HITs costs, before anybody is paid."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

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
class Cost:
    """What a batch costs, in dollars.

    Attributes:
        hits: HITs in the batch.
        images: Image slots over all HITs (an image on two pages counts twice).
        assignments: Assignments over all HITs.
        reward: What the workers get, in all.
        fees: What the provider gets, in all.
        total: ``reward + fees``: what ``--confirm-cost`` must equal.
        hourly_wage: What a worker earns an hour at the expected pace.
        mode: Which endpoint it goes to, and whether anybody real works there.
    """

    hits: int
    images: int
    assignments: int
    reward: Decimal
    fees: Decimal
    total: Decimal
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
    images_per_hit: Iterable[int],
    assignments_per_hit: int,
    reward: Decimal,
    table: FeeTable,
    *,
    mode: str,
    seconds_per_image: float = 2.0,
) -> Cost:
    """The cost of publishing some HITs.

    Args:
        images_per_hit: How many images each HIT shows.
        assignments_per_hit: How many workers do each HIT.
        reward: Dollars for one assignment, in whole cents.
        table: The provider's fees.
        mode: Which endpoint, and whether it is real; kept in the record.
        seconds_per_image: Expected pace, from which the hourly wage follows.

    Raises:
        UsageError: A negative reward, one that is not in whole cents, or no assignment.
    """
    if reward < 0 or reward != reward.quantize(CENT):
        raise UsageError(
            f"A reward of {reward} dollars cannot be paid.",
            "Give dollars in whole cents, such as 0.10.",
        )
    if assignments_per_hit < 1:
        raise UsageError(f"A HIT needs at least one assignment, not {assignments_per_hit}.")
    sizes = list(images_per_hit)
    assignments = assignments_per_hit * len(sizes)
    paid = (reward * assignments).quantize(CENT)
    fees = (assignment_fee(reward, assignments_per_hit, table) * assignments).quantize(CENT)
    seconds = Decimal(str(seconds_per_image)) * sum(sizes) * assignments_per_hit
    wage = (paid * 3600 / seconds).quantize(CENT) if seconds else Decimal("0.00")
    return Cost(
        hits=len(sizes),
        images=sum(sizes),
        assignments=assignments,
        reward=paid,
        fees=fees,
        total=paid + fees,
        hourly_wage=wage,
        mode=mode,
    )
