from decimal import Decimal

import pytest

from replicate.base.errors import UsageError
from replicate.crowd.cost import PageCost, assignment_fee, fair_reward, fee_table, plan_cost

CROWD, MTURK = fee_table("crowd"), fee_table("mturk")


def _pages(images, assignments=10, reward="0.10"):
    return [PageCost(count, assignments, Decimal(reward)) for count in images]


def test_our_own_crowd_takes_nothing():
    cost = plan_cost(_pages([48, 48, 40]), CROWD, mode="crowd")
    assert (cost.hits, cost.images, cost.assignments) == (3, 136, 30)
    assert (cost.reward, cost.fees, cost.total) == (Decimal("3.00"), Decimal(0), Decimal("3.00"))


@pytest.mark.parametrize(
    ("reward", "assignments", "fee"),
    [
        ("0.10", 9, "0.02"),
        ("0.10", 10, "0.04"),
        ("0.01", 9, "0.01"),  # the minimum
        ("0.00", 5, "0.01"),
        ("0.03", 10, "0.01"),
        ("1.00", 10, "0.40"),
    ],
)
def test_mturk_fees(reward, assignments, fee):
    assert assignment_fee(Decimal(reward), assignments, MTURK) == Decimal(fee)


def test_the_papers_batch():
    # 10,000 images over 42 a HIT and 10 workers at $0.10, with 40 % fees
    cost = plan_cost(_pages([48] * 239), MTURK, mode="mturk")
    assert cost.total == Decimal("239.00") + Decimal("95.60")
    assert cost.total == Decimal("334.60")


def test_hourly_wage_follows_from_the_pace():
    cost = plan_cost(_pages([48]), CROWD, mode="x", seconds_per_image=2.5)
    assert cost.hourly_wage == Decimal("3.00")  # 120 s for 10 cents
    assert cost.minutes == 20


def test_hits_of_different_sizes_have_their_own_fees():
    few, many = _pages([10], 9), _pages([10], 10)
    cost = plan_cost([*few, *many], MTURK, mode="x")
    assert (cost.assignments, cost.reward) == (19, Decimal("1.90"))
    assert cost.fees == 9 * Decimal("0.02") + 10 * Decimal("0.04")


@pytest.mark.parametrize(("images", "pace"), [(48, 2.0), (64, 1.5), (1, 0.1), (500, 10)])
def test_the_fair_reward_is_the_least_that_reaches_the_wage(images, pace):
    wage = Decimal("7.25")

    def earned(reward):
        (page,) = _pages([images], reward=str(reward))
        return page.reward * 3600 / (Decimal(str(pace)) * images)

    reward = fair_reward(images, pace, wage)
    assert earned(reward) >= wage > earned(reward - Decimal("0.01"))


def test_nothing_costs_nothing():
    cost = plan_cost([], MTURK, mode="x")
    assert (cost.total, cost.hourly_wage) == (0, 0)


def test_wrong_money_is_refused():
    for reward in ("0.105", "-0.10"):
        with pytest.raises(UsageError, match="cannot be paid"):
            plan_cost(_pages([48], reward=reward), CROWD, mode="x")
    with pytest.raises(UsageError, match="at least one assignment"):
        plan_cost(_pages([48], 0), CROWD, mode="x")
    with pytest.raises(UsageError, match="No installed package brings"):
        fee_table("mechanical")
