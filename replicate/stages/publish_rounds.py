"""publish's second round: the images on which experts disagree come back to all of them.

As CIFAR-10.1 was made. A class's second round begins when its first is complete. Its pages show
nothing but the disputed images, and do not tell who said what.
"""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.crowd.composition import Numbers, compose, plan_key
from replicate.crowd.rounds import disputed
from replicate.stages.publish_pages import (
    Composed,
    Page,
    forget_pages,
    keep_pages,
    page_terms,
    stored_pages,
)
from replicate.store import queries
from replicate.store.tables import Assignment, Hit, Vote
from replicate.study import Study, StudyClass

SECOND = 2
_OVER = ("complete", "expired", "imported")


def compose_second_round(session: Session, study: Study) -> None:
    """Compose the pages of the second round that are missing; only in expert mode are there any.

    Pages that were composed but not sent stay as they are while they still are right.
    """
    if study.pipeline.label.mode == "expert":
        for wanted, mine, images in _disputes(session, study):
            _compose(session, study, wanted, mine, images)


def disputes_to_publish(session: Session, study: Study) -> int:
    """How many images the experts disagree on that did not come back to them yet."""
    if study.pipeline.label.mode != "expert":
        return 0
    return sum(len(images - _shown_again(mine)) for _, mine, images in _disputes(session, study))


def _disputes(session: Session, study: Study) -> Iterator[tuple[StudyClass, list[Page], set[str]]]:
    """Each class with its pages and the images that experts disagree on."""
    pool = {(member.image_id, member.class_id) for member in queries.pool(session)}
    visible = queries.visible_ids(session, study.steps)
    pages = stored_pages(session)
    for wanted in study.classes:
        mine = [page for page in pages if page.hit.class_id == wanted.class_id]
        found = disputed_images(session, wanted.class_id, mine)
        kept = {image for image in found if image in visible and (image, wanted.class_id) in pool}
        yield wanted, mine, kept


def _shown_again(pages: list[Page]) -> set[str]:
    return {
        image
        for page in pages
        if page.sent and page.hit.expert_round == SECOND
        for image in page.images()
    }


def disputed_images(session: Session, class_id: str, pages: list[Page]) -> set[str]:
    """The images of a class on which experts disagree; none while the first round goes on."""
    first = [page.hit for page in pages if page.hit.expert_round < SECOND]
    if any(hit.status not in _OVER for hit in first):
        return set()
    rows = session.execute(
        select(Vote.image_id, Vote.value)
        .join(Assignment, Assignment.assignment_id == Vote.assignment_id)
        .join(Hit, Hit.hit_key == Assignment.hit_key)
        .where(
            Vote.class_id == class_id,
            Vote.role == "candidate",
            Vote.value.in_(("yes", "no", "broken")),
            Hit.expert_round < SECOND,
            Assignment.status.in_(("Submitted", "Approved")),
        )
    ).all()
    return disputed((row.image_id, row.value) for row in rows)


def _compose(
    session: Session, study: Study, wanted: StudyClass, pages: list[Page], images: set[str]
) -> None:
    again = [page for page in pages if page.hit.expert_round == SECOND]
    fresh = [page for page in again if not page.sent]
    missing = images - _shown_again(again)
    label = study.pipeline.label
    terms = page_terms(study, wanted, label.assignments, SECOND)
    right = {image for page in fresh for image in page.images()} == missing and all(
        plan_key(wanted.class_id, page.slots, terms) == page.hit.hit_key for page in fresh
    )
    if right:
        return
    forget_pages(session, fresh)
    kept = [page for page in pages if page not in fresh]
    plans = compose(
        wanted.class_id,
        sorted(missing),
        [],
        [],
        seed=study.seed,
        numbers=Numbers(label.candidates, 0, 0),
        terms=terms,
        first_number=1 + max((page.hit.number for page in kept), default=-1),
    )
    keep_pages(session, study, [Composed(plan, label.assignments, 0, SECOND) for plan in plans])
