"""What would be done, before it is done: the cost of HITs."""

from typing import Any

from replicate.cli.output import emit
from replicate.stages.annotate import local_terms
from replicate.stages.publish import plan
from replicate.study import Study


def show_cost(study: Study, as_json: bool) -> None:
    """Print what publishing would cost."""
    with study.lock():
        cost = plan(local_terms(study))
    value: dict[str, Any] = {
        "hits": cost.hits,
        "images": cost.images,
        "assignments": cost.assignments,
        "reward": str(cost.reward),
        "fees": str(cost.fees),
        "total": str(cost.total),
        "hourly_wage": str(cost.hourly_wage),
        "mode": cost.mode,
    }
    text = (
        f"{cost.hits} HITs, {cost.assignments} assignments, {cost.images} image slots "
        f"({cost.mode})\n"
        f"workers ${cost.reward} + fees ${cost.fees} = ${cost.total}; "
        f"about ${cost.hourly_wage} an hour\n"
        f"Next: replicate publish --confirm-cost {cost.total}"
    )
    emit(value, as_json, text)
