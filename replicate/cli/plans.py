"""What would be done, before it is done: the cost of HITs."""

from collections.abc import Iterator

from replicate.cli.output import emit
from replicate.stages.annotate import local_terms
from replicate.stages.publish_plan import Plan, plan
from replicate.study import Study

_ROLES = {
    "candidate": ("candidate", "candidates"),
    "original": ("original mixed in", "originals mixed in"),
    "positive": ("positive control", "positive controls"),
    "negative": ("negative control", "negative controls"),
    "repeat": ("image shown again", "images shown again"),
}


def show_plan(study: Study, top_up: int | None, as_json: bool) -> None:
    """Print what publishing would cost."""
    with study.lock():
        found = plan(local_terms(study), top_up)
    emit(found.as_json(), as_json, "\n".join(_lines(found, study.pipeline.label.seconds_per_image)))


def _lines(found: Plan, seconds_per_image: float) -> Iterator[str]:
    cost = found.cost
    yield f"Where     {cost.mode}"
    if cost.hits:
        yield from _new(found, seconds_per_image)
    else:
        yield "New HITs  none: every candidate is published"
        if found.asked:
            yield f"          and no image that can be asked about again lacks {found.asked} votes"
    if found.spent:
        yield (
            f"Before    ${found.spent} agreed for published HITs; paid so far: "
            f"${found.paid.paid + found.paid.fees} for {found.paid.assignments} assignments"
        )
    yield from (f"Warning   {warning}" for warning in found.warnings)
    if cost.hits:
        yield f"Next: {found.command}"


def _new(found: Plan, seconds_per_image: float) -> Iterator[str]:
    cost = found.cost
    again = f", {found.top_up} of them for images with too few votes" if found.top_up else ""
    yield f"New HITs  {_count(cost.hits, 'HIT')}, {_count(found.classes, 'class', 'es')}{again}"
    roles = [
        f"{found.roles[role]:,} {words[found.roles[role] != 1]}"
        for role, words in _ROLES.items()
        if found.roles.get(role)
    ]
    yield f"Images    {cost.images:,} image places: {', '.join(roles)}"
    least, most = found.assignments
    workers = f"{least}" if least == most else f"{least} to {most}"
    page = float(cost.minutes) / cost.assignments
    yield (
        f"Work      {workers} workers a HIT: {_count(cost.assignments, 'assignment')} of about "
        f"{page:.1f} minutes ({seconds_per_image:g} s an image), "
        f"{float(cost.minutes) / 60:,.1f} hours in all"
    )
    yield (
        f"Cost      workers ${cost.reward} + fees ${cost.fees} = ${cost.total}; a worker earns "
        f"about ${cost.hourly_wage} an hour"
    )
    yield f"Originals {_originals(found)}"


def _originals(found: Plan) -> str:
    """How many originals a class will have with how many votes, over all pages."""
    images = [each.images for each in found.originals.values()]
    votes = [int(count) for each in found.originals.values() for count in each.votes]
    if not votes:
        return "none are shown"
    shown = f"{min(images)}" if min(images) == max(images) else f"{min(images)} to {max(images)}"
    each = f"{min(votes)}" if min(votes) == max(votes) else f"{min(votes)} to {max(votes)}"
    return f"{shown} original images a class, with {each} votes each once everybody has voted"


def _count(number: int, word: str, plural: str = "s") -> str:
    return f"{number:,} {word}{plural if number != 1 else ''}"
