"""`gather --plan`: what would be asked of the source."""

from collections import Counter

from replicate.cli.output import emit
from replicate.sources.terms import Origin
from replicate.stages.gather_plan import ClassPlan, GatherPlan, plan_gather
from replicate.study import Study

_SHOWN = 20
_ORIGINS: dict[Origin, str] = {
    "name": "names",
    "parent": "names with a parent's word",
    "compound": "compounds as one word",
    "translation": "translations",
    "own": "hand-picked",
}


def show_gather_plan(study: Study, as_json: bool) -> None:
    """Print the searches that gathering would make."""
    plan = plan_gather(study)
    emit(plan.as_json(), as_json, _text(plan))


def _text(plan: GatherPlan) -> str:
    calls, most = plan.total("calls"), plan.total("most_calls")
    origins = Counter(term.origin for each in plan.classes for term in each.terms)
    kinds = ", ".join(f"{origins[key]:,} {name}" for key, name in _ORIGINS.items() if origins[key])
    lines = [
        f"{len(plan.classes):,} classes, {plan.per_class * len(plan.classes):,} candidates wanted "
        f"({plan.per_class} a class) from {plan.source}",
        f"{origins.total():,} search terms: {kinds}",
        f"{plan.total('queries'):,} queries (terms and date windows)",
    ]
    if plan.calls_per_hour:
        lines.append(
            f"{calls:,} API calls at least: {_hours(plan.hours(calls))} at {plan.calls_per_hour:,} "
            f"an hour; at most {most:,}: {_hours(plan.hours(most))}"
        )
    lines += [_class_line(each) for each in plan.classes[:_SHOWN]]
    if len(plan.classes) > _SHOWN:
        lines.append(f"  … and {len(plan.classes) - _SHOWN:,} more classes: --json shows them all")
    shared = [each for each in plan.classes if each.shared]
    if shared:
        lines.append(
            f"{len(shared)} classes share a name with another: "
            + ", ".join(f"{each.class_id} ({', '.join(each.shared)})" for each in shared)
        )
        lines.append(
            "  [classes] disambiguate = true searches for these with the parent's word only."
        )
    if plan.missing:
        lines.append(f"Not there yet, and gathering begins with them: {', '.join(plan.missing)}")
    lines.append("Next: replicate gather")
    return "\n".join(lines)


def _class_line(each: ClassPlan) -> str:
    return f"  {each.class_id}: " + "; ".join(term.text for term in each.terms)


def _hours(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{max(1, round(60 * hours))} minutes"
