"""annotate: people label a study on their own machine, or in their own network, and nobody pays.

It publishes what is not published to the study's own crowd server, waits while people work,
collects, and in expert mode publishes the next round as soon as the one before is complete. It
keeps nothing of its own: cut off at any moment, the next one carries on.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import urlsplit

from sqlalchemy import func, select

from replicate.base.errors import GuardError, UsageError
from replicate.crowdserver.admin import invite
from replicate.crowdserver.standing import Standing, known_workers, standings
from replicate.stages.collect import collect
from replicate.stages.common import Context, Options, Tally
from replicate.stages.crowds import LOCAL, annotate_database, crowd_kind
from replicate.stages.labelling import refuse_mixture
from replicate.stages.publish import publish
from replicate.stages.publish_plan import plan
from replicate.stages.publish_rounds import disputes_to_publish
from replicate.store.tables import Assignment, Hit
from replicate.study import Study

LOOK = 0.5  # seconds between two looks at how far people are
REWARD = Decimal("0.00")
DURATION = 86_400  # nobody else waits for a page that lies open over lunch
LIFETIME_DAYS = 365

Shown = Callable[[Mapping[str, Standing]], None]


@dataclass(frozen=True)
class Result:
    """How far a study is after people have worked on it.

    Attributes:
        standings: How far each annotator is, by name.
        pages: Pages that were sent in, over all rounds.
        wanted: Pages that are wanted of everybody together.
        tally: What was collected.
    """

    standings: dict[str, Standing]
    pages: int
    wanted: int
    tally: Tally

    @property
    def complete(self) -> bool:
        """Whether nothing is wanted any more of anybody."""
        return self.pages >= self.wanted


def local_terms(study: Study, wanted: bool = False) -> Study:
    """The study with the terms of people who are not paid, if its pages go to them.

    Args:
        study: The study.
        wanted: Its pages go to them from now on.
    """
    if not wanted and crowd_kind(study) != "annotate":
        return study
    terms = {
        "provider": "annotate",
        "reward": REWARD,
        "seconds": DURATION,
        "lifetime_days": LIFETIME_DAYS,
    }
    pipeline = study.pipeline
    changed = pipeline.model_copy(update={"label": pipeline.label.model_copy(update=terms)})
    return Study(study.root, replace(study.loaded, pipeline=changed))


def begin(context: Context, people: Sequence[str], host: str | None = None) -> dict[str, str]:
    """Publish what is not published, and invite people.

    Args:
        context: A context whose study has `local_terms`.
        people: Their names; only keyed hashes of them are kept.
        host: The name that they reach this machine by; by default the server's own address.

    Returns:
        A link for each name.

    Raises:
        GuardError: The study's votes are simulated, or its pages are at another crowd.
        UsageError: More people than expert mode wants.
    """
    # Before the server's database is made, which says that the study is labelled here.
    refuse_mixture(context.study, False, LOCAL)
    _refuse_others(context.study, people)
    _publish(context)
    # Started even when nothing was to be published: people want to go on.
    access = context.world.crowd()
    database = annotate_database(context.study)
    port = urlsplit(access.endpoint).port
    base = f"http://{host}:{port}" if host else access.endpoint
    return dict(zip(people, invite(database, names=people, base_url=base), strict=True))


def follow(context: Context, people: Sequence[str], show: Shown) -> Result:
    """Wait until these people have nothing left to do; collect; go on with the next round.

    Args:
        context: The context that `begin` was given.
        people: Whose work is waited for.
        show: Called whenever somebody's standing has changed.
    """
    while True:
        _wait(context, people, show)
        result = gather_in(context, people)
        with context.study.session() as session:
            disputes = disputes_to_publish(session, context.study)
        if disputes:
            context.progress(f"people disagree on {disputes} images, which come back to them")
        if not _publish(context):
            return result


def gather_in(context: Context, people: Sequence[str]) -> Result:
    """Collect what was sent in, and say how far everybody is."""
    tally = collect(context).tally
    with context.study.session() as session:
        wanted = session.scalar(select(func.sum(Hit.assignments)).where(Hit.hit_id.is_not(None)))
        pages = session.scalar(select(func.count()).select_from(Assignment))
    return Result(_standings(context, people), int(pages or 0), int(wanted or 0), tally)


def _publish(context: Context) -> int:
    """Publish what is not published; how many pages that was. It costs nothing."""
    total = plan(context.study).total
    free = replace(context, options=Options(confirm_cost=total))
    return publish(free).tally.done


def _wait(context: Context, people: Sequence[str], show: Shown) -> None:
    last: Mapping[str, Standing] = {}
    while True:
        found = _standings(context, people)
        if found != last:
            show(found)
            last = found
        if not any(standing.left for standing in found.values()):
            return
        time.sleep(LOOK)


def _standings(context: Context, people: Sequence[str]) -> dict[str, Standing]:
    now = context.clock.now().timestamp()
    return standings(annotate_database(context.study), people, now)


def _refuse_others(study: Study, people: Sequence[str]) -> None:
    """Pages that lie open at another crowd stay there; experts see every round themselves."""
    label, database = study.pipeline.label, annotate_database(study)
    with study.session() as session:
        elsewhere = session.scalar(
            select(func.count())
            .select_from(Hit)
            .where(Hit.hit_id.is_not(None), Hit.status == "published")
        )
    if elsewhere and not database.exists():
        raise GuardError(
            f"{elsewhere} pages of this study are published at another crowd. Nothing was done.",
            "Collect them (replicate collect), or begin another study to label yourself: "
            "replicate init DIR --from TEMPLATE",
        )
    if label.mode != "expert":
        return
    known, new = known_workers(database, people) if database.exists() else (0, list(people))
    if known + len(new) > label.assignments:
        raise UsageError(
            f"In expert mode {label.assignments} people label every image, in every round; "
            f"{known} do already, and {', '.join(new)} would be more.",
            "Name the same people as before: replicate annotate --annotators NAME,NAME. "
            "Or set [label] assignments to another number before the first page is published.",
        )
