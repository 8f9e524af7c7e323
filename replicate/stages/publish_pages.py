"""publish's pages: which are stored, which are missing, and composing these.

A page that was composed but never sent is composed anew when it no longer is what the pipeline
file says. One that the crowd has, or may have, stays as it is.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from replicate.base.randomness import uniform
from replicate.crowd.composition import HitPlan, Numbers, Role, Slot, compose, plan_key
from replicate.crowd.rounds import without_repeats
from replicate.stages.labelling import hit_terms, page_text, question_key
from replicate.stages.publish_short import Short, short_images
from replicate.store import queries
from replicate.store.tables import Hit, HitImage
from replicate.study import Study, StudyClass


@dataclass(frozen=True)
class Page:
    """A stored HIT and what it shows."""

    hit: Hit
    slots: tuple[Slot, ...]

    @property
    def sent(self) -> bool:
        """Whether the crowd has it, or may have: it was on its way when a run was cut off."""
        return self.hit.published_at is not None

    def images(self, *roles: Role) -> set[str]:
        """The images that it shows in some roles; without roles, all of them."""
        return {slot.image_id for slot in self.slots if not roles or slot.role in roles}


def stored_pages(session: Session) -> list[Page]:
    """All pages, by class and number."""
    slots: dict[str, list[Slot]] = defaultdict(list)
    for row in session.execute(
        select(HitImage.hit_key, HitImage.slot, HitImage.image_id, HitImage.role).order_by(
            HitImage.hit_key, HitImage.slot
        )
    ):
        slots[row.hit_key].append(Slot(row.slot, row.image_id, row.role))
    hits = session.scalars(select(Hit).order_by(Hit.class_id, Hit.number)).all()
    return [Page(hit, tuple(slots[hit.hit_key])) for hit in hits]


def compose_missing(session: Session, study: Study, goal: int) -> None:
    """Compose pages for candidates that are on none, and for images with too few votes.

    Pages that were composed but not sent stay as they are while they still are what the pipeline
    file says and cover what is missing; so a run that was cut off in the middle of publishing
    sends exactly the pages that it would have sent.

    Args:
        session: An open session.
        study: The study.
        goal: Valid votes that every published image should have; 0: whatever it has is enough.
    """
    pages = stored_pages(session)
    # Experts see an image again when they disagree, not when it has few votes.
    wanted = 0 if study.pipeline.label.mode == "expert" else goal
    short = short_images(session, [page.hit for page in pages if page.sent], wanted)
    for work in _classes(session, study):
        mine = [page for page in pages if page.hit.class_id == work.wanted.class_id]
        sent = [page for page in mine if page.sent]
        fresh = [page for page in mine if not page.sent and page.hit.expert_round == 1]
        shown = {image for page in sent for image in page.images("candidate")}
        missing = sorted(set(work.candidates) - shown)
        topped = _to_top_up(short, work, study.pipeline.label.max_rounds)
        if _still_right(study, work, fresh, missing, topped):
            continue
        forget_pages(session, fresh)
        keep_pages(session, study, _compose(study, work, sent, missing, topped))


@dataclass(frozen=True)
class _Work:
    """A class with its candidates and its controls, all of which workers can be shown."""

    wanted: StudyClass
    candidates: list[str]
    originals: list[str]
    negatives: list[str]


@dataclass(frozen=True)
class Composed:
    """A page to be stored."""

    plan: HitPlan
    assignments: int
    round: int
    expert_round: int = 1


def _classes(session: Session, study: Study) -> list[_Work]:
    visible = queries.visible_ids(session, study.steps)
    pool: dict[str, list[str]] = defaultdict(list)
    originals: dict[str, list[str]] = defaultdict(list)
    for member in queries.pool(session):
        if member.image_id in visible:
            pool[member.class_id].append(member.image_id)
    for member in queries.set_members(session, "original"):
        if member.image_id in visible:
            originals[member.class_id].append(member.image_id)
    found = []
    for wanted in study.classes:
        others = [wanted.similar] if wanted.similar is not None else sorted(originals)
        mine = originals[wanted.class_id]
        negatives = {
            image for other in others if other != wanted.class_id for image in originals[other]
        }
        found.append(_Work(wanted, pool[wanted.class_id], mine, sorted(negatives - set(mine))))
    return found


def _to_top_up(short: Iterable[Short], work: _Work, max_rounds: int) -> list[Short]:
    """The images of a class that are published again: still wanted, and not too often yet."""
    wanted = {*work.candidates, *work.originals}
    return [
        item
        for item in short
        if item.class_id == work.wanted.class_id
        and item.image_id in wanted
        and item.rounds < max_rounds
    ]


def _still_right(
    study: Study, work: _Work, fresh: list[Page], missing: list[str], topped: list[Short]
) -> bool:
    # A control may have been taken down since.
    showable = {*work.candidates, *work.originals, *work.negatives}
    if any(page.images() - showable for page in fresh):
        return False
    first = {image for p in fresh if p.hit.round == 0 for image in p.images("candidate")}
    # Originals that no page showed before may be mixed in with those that are shown again.
    short = {item.image_id for item in topped}
    again = {
        image: page.hit
        for page in fresh
        if page.hit.round > 0
        for image in page.images("candidate") | (page.images("original") & short)
    }
    if first != set(missing) or again.keys() != short:
        return False
    enough = all(
        again[item.image_id].assignments >= item.votes and again[item.image_id].round > item.rounds
        for item in topped
    )
    return enough and all(
        plan_key(
            page.hit.class_id, page.slots, page_terms(study, work.wanted, page.hit.assignments)
        )
        == page.hit.hit_key
        for page in fresh
    )


def _compose(
    study: Study, work: _Work, sent: list[Page], missing: list[str], topped: list[Short]
) -> list[Composed]:
    used = Counter(image for page in sent for image in page.images())
    number = 1 + max((page.hit.number for page in sent), default=-1)
    label = study.pipeline.label
    few = label.provider == "annotate" or label.mode == "expert"  # who see every page
    found: list[Composed] = []

    def add(candidates: list[str], again: list[str], assignments: int, round_: int) -> None:
        plans = compose(
            work.wanted.class_id,
            candidates,
            work.originals,
            work.negatives,
            seed=study.seed,
            numbers=numbers(study),
            terms=page_terms(study, work.wanted, assignments),
            first_number=number + len(found),
            again=again,
            used=used,
        )
        if few:
            plans = without_repeats(plans, used, page_terms(study, work.wanted, assignments))
        for plan in plans:
            used.update({slot.image_id for slot in plan.slots})
            found.append(Composed(plan, assignments, round_))

    if missing:
        add(missing, [], study.pipeline.label.assignments, 0)
    candidates = set(work.candidates)
    # What is to be judged on one of these pages is a control on another only if it must be.
    used.update(item.image_id for item in topped)
    for chunk in _alike(study, topped):
        add(
            [item.image_id for item in chunk if item.image_id in candidates],
            [item.image_id for item in chunk if item.image_id not in candidates],
            max(item.votes for item in chunk),
            1 + max(item.rounds for item in chunk),
        )
    return found


def _alike(study: Study, topped: Sequence[Short]) -> list[list[Short]]:
    """The images in pages: those that lack as many votes and stood on the same pages together.

    Whoever judged one image of a page cannot do the page, so images that the same people have
    judged already shut out fewest when they come together again.
    """
    size = study.pipeline.label.candidates

    def place(item: Short) -> tuple[int, tuple[int, ...], float]:
        draw = uniform(study.seed, "top-up", item.class_id, item.image_id)
        return -item.votes, item.pages, draw

    ordered = sorted(topped, key=place)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def numbers(study: Study) -> Numbers:
    """The numbers of a page, from `[label]`."""
    label = study.pipeline.label
    return Numbers(
        candidates=label.candidates,
        positive=label.positive,
        negative=label.negative,
        originals=label.originals,
        repeats=label.repeats,
        padding=label.padding,
    )


def page_terms(
    study: Study, wanted: StudyClass, assignments: int, expert_round: int = 1
) -> dict[str, Any]:
    """All that a page consists of besides its images; goes into its key."""
    text = page_text(study, wanted, expert_round)
    return {
        **replace(hit_terms(study), assignments=assignments).as_json(),
        "study": study.pipeline.study.name,
        "seed": study.seed,
        "numbers": asdict(numbers(study)),
        "question": question_key(text, study.pipeline.label.template),
    }


def forget_pages(session: Session, pages: list[Page]) -> None:
    """Take back pages that were composed and not sent."""
    keys = [page.hit.hit_key for page in pages]
    for key in keys:
        session.execute(delete(HitImage).where(HitImage.hit_key == key))
    for page in pages:
        session.delete(page.hit)
    session.flush()


def keep_pages(session: Session, study: Study, found: Sequence[Composed]) -> None:
    """Store pages that are to be sent."""
    session.add_all(
        Hit(
            hit_key=each.plan.key,
            class_id=each.plan.class_id,
            number=each.plan.number,
            assignments=each.assignments,
            reward=str(study.pipeline.label.reward),
            status="composed",
            round=each.round,
            expert_round=each.expert_round,
        )
        for each in found
    )
    session.flush()
    rows = [
        {
            "hit_key": each.plan.key,
            "slot": slot.slot_id,
            "image_id": slot.image_id,
            "role": slot.role,
        }
        for each in found
        for slot in each.plan.slots
    ]
    if rows:
        session.execute(insert(HitImage), rows)
