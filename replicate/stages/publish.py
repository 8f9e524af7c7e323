"""publish: compose HITs from the pool, and put them before workers once the cost is agreed.

A HIT's row is written before the crowd hears of it, and its id as soon as the crowd names it.
Its key goes along as token, so publishing again after a crash finds the HIT that exists.
"""

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from replicate.base.errors import GuardError, MissingError
from replicate.crowd.composition import HitPlan, Numbers, Slot, compose, plan_key
from replicate.crowd.cost import Cost, fee_table, plan_cost
from replicate.crowd.pages import html_question, render_page
from replicate.crowd.providers import HitRequest, Provider, Sheet
from replicate.stages.common import Context, Tally, stage
from replicate.stages.labelling import hit_terms, mode_of, open_provider, page_text, question_key
from replicate.store import queries
from replicate.store.tables import Hit, HitImage
from replicate.study import Study, StudyClass


@stage("publish")
def publish(context: Context) -> Tally:
    """Publish the HITs that are missing.

    Raises:
        MissingError: There is no candidate pool.
        GuardError: The cost was not confirmed, or is over the budget.
    """
    study = context.study
    cost = plan(study)
    with study.session() as session:
        waiting = _in_order(study, session.scalars(_waiting()).all())
        published = list(session.scalars(select(Hit).where(Hit.hit_id.is_not(None))).all())
        prepared = queries.prepared_ids(session, study.steps)
    tally = Tally(skipped=len(published), details={"mode": cost.mode, "total": str(cost.total)})
    if not waiting:
        return tally
    _guard(study, cost, published, context.options.confirm_cost)
    provider = open_provider(context)
    provider.check()
    hit_type = provider.hit_type(hit_terms(study))
    displays = {image: display for image, (_, display) in prepared.items()}
    for position, hit in enumerate(waiting):
        context.progress("publishing HITs", position, len(waiting))
        _publish_one(context, provider, hit_type, hit, displays)
        tally.done += 1
    context.progress("publishing HITs", len(waiting), len(waiting))
    tally.notes.append(f"{tally.done} HITs published for ${cost.total} ({cost.mode}).")
    return tally


def plan(study: Study) -> Cost:
    """Compose the HITs that are missing, and say what it costs to publish them.

    HITs that were composed but never sent are composed anew, so that they always are what the
    pipeline file says now. Those that the crowd has, or may have, stay as they are.

    Raises:
        MissingError: There is no candidate pool.
        UsageError: A class has too few original images for its controls.
    """
    with study.session() as session:
        if not queries.pool(session) and session.scalars(select(Hit).limit(1)).first() is None:
            raise MissingError(
                "There are no candidates to label.", "Run first: replicate run --until dedup"
            )
        _compose_missing(session, study)
        waiting = session.scalars(_waiting()).all()
        sizes = [_slots_of(session, hit) for hit in waiting]
    label = study.pipeline.label
    return plan_cost(
        [len(slots) for slots in sizes],
        label.assignments,
        label.reward,
        fee_table(label.provider),
        mode=mode_of(study),
    )


def _waiting() -> Any:
    return select(Hit).where(Hit.hit_id.is_(None))


def _compose_missing(session: Session, study: Study) -> None:
    """Compose pages for the candidates that are on none, class by class.

    Pages that were composed but not sent stay as they are while they still are what the pipeline
    file says and cover what is missing; so a run that was cut off in the middle of publishing
    sends exactly the pages that it would have sent.
    """
    stored = _stored_pages(session)
    for wanted, candidates, positives, negatives in _classes(session, study):
        pages = [page for page in stored if page.hit.class_id == wanted.class_id]
        # A HIT with a time but no id was on its way when a run was cut off: the crowd may have it.
        sent = [page for page in pages if page.hit.published_at is not None]
        fresh = [page for page in pages if page.hit.published_at is None]
        shown = {image for page in sent for image in page.candidates}
        missing = [image for image in candidates if image not in shown]
        terms = _terms(study, wanted)
        if _still_right(fresh, missing, terms):
            continue
        _forget(session, fresh)
        first = 1 + max((page.hit.number for page in sent), default=-1)
        if missing:
            used = Counter(
                image for page in sent for image in {slot.image_id for slot in page.slots}
            )
            plans = _compose(study, wanted, missing, positives, negatives, first, used)
            _keep(session, study, plans)


@dataclass(frozen=True)
class _Page:
    """A stored HIT and what it shows."""

    hit: Hit
    slots: tuple[Slot, ...]

    @property
    def candidates(self) -> set[str]:
        return {slot.image_id for slot in self.slots if slot.role == "candidate"}


def _stored_pages(session: Session) -> list[_Page]:
    slots: dict[str, list[Slot]] = defaultdict(list)
    for row in session.scalars(select(HitImage).order_by(HitImage.hit_key, HitImage.slot)):
        slots[row.hit_key].append(Slot(row.slot, row.image_id, row.role))  # type: ignore[arg-type]
    return [_Page(hit, tuple(slots[hit.hit_key])) for hit in session.scalars(select(Hit)).all()]


def _still_right(fresh: list[_Page], missing: list[str], terms: dict[str, Any]) -> bool:
    covered = {image for page in fresh for image in page.candidates}
    return covered == set(missing) and all(
        plan_key(page.hit.class_id, page.slots, terms) == page.hit.hit_key for page in fresh
    )


def _forget(session: Session, pages: list[_Page]) -> None:
    keys = sorted(page.hit.hit_key for page in pages)
    session.execute(delete(HitImage).where(HitImage.hit_key.in_(keys)))
    for page in pages:
        session.delete(page.hit)
    session.flush()


def _keep(session: Session, study: Study, plans: list[HitPlan]) -> None:
    session.add_all([_row(study, each) for each in plans])
    session.flush()
    for each in plans:
        session.add_all(
            HitImage(hit_key=each.key, slot=slot.slot_id, image_id=slot.image_id, role=slot.role)
            for slot in each.slots
        )
    session.flush()


def _classes(
    session: Session, study: Study
) -> list[tuple[StudyClass, list[str], list[str], list[str]]]:
    """Each class with its candidates and its controls, all of which workers can be shown."""
    visible = queries.prepared_ids(session, study.steps)
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
        positives = originals[wanted.class_id]
        negatives = {
            image for other in others if other != wanted.class_id for image in originals[other]
        }
        found.append((wanted, pool[wanted.class_id], positives, sorted(negatives - set(positives))))
    return found


def _numbers(study: Study) -> Numbers:
    label = study.pipeline.label
    return Numbers(
        candidates=label.candidates,
        positive=label.positive,
        negative=label.negative,
        originals=label.originals,
        repeats=label.repeats,
        padding=label.padding,
    )


def _terms(study: Study, wanted: StudyClass) -> dict[str, Any]:
    """All that a page consists of besides its images; goes into its key."""
    return {
        **hit_terms(study).as_json(),
        "study": study.pipeline.study.name,
        "seed": study.seed,
        "numbers": asdict(_numbers(study)),
        "question": question_key(page_text(study, wanted), study.pipeline.label.template),
    }


def _compose(
    study: Study,
    wanted: StudyClass,
    candidates: list[str],
    positives: list[str],
    negatives: list[str],
    first_number: int,
    used: Counter[str],
) -> list[HitPlan]:
    return compose(
        wanted.class_id,
        candidates,
        positives,
        negatives,
        seed=study.seed,
        numbers=_numbers(study),
        terms=_terms(study, wanted),
        first_number=first_number,
        used=used,
    )


def _row(study: Study, each: HitPlan) -> Hit:
    return Hit(
        hit_key=each.key,
        class_id=each.class_id,
        number=each.number,
        assignments=study.pipeline.label.assignments,
        reward=str(study.pipeline.label.reward),
        status="composed",
    )


def _guard(study: Study, cost: Cost, published: list[Hit], confirmed: Decimal | None) -> None:
    label = study.pipeline.label
    spent = _spent(study, published)
    if label.budget and spent + cost.total > label.budget:
        raise GuardError(
            f"Publishing {cost.hits} HITs costs ${cost.total}; with ${spent} spent already that "
            f"is over the budget of ${label.budget}. Nothing was published.",
            "Raise [label] budget, or label fewer candidates: [gather] per_class.",
        )
    # Whoever agreed to the whole also agreed to the part that a run that was cut off left over.
    if confirmed is None or confirmed not in (cost.total, cost.total + spent):
        said = "" if confirmed is None else f", not ${confirmed}"
        raise GuardError(
            f"Publishing {cost.hits} HITs ({cost.assignments} assignments, {cost.mode}) costs "
            f"${cost.reward} for workers and ${cost.fees} fees: ${cost.total} in all{said}. "
            "Nothing was published.",
            f"If that is right: replicate publish --confirm-cost {cost.total}",
        )


def _spent(study: Study, published: list[Hit]) -> Decimal:
    """What the published HITs cost, once all their assignments are done."""
    table = fee_table(study.pipeline.label.provider)
    spent = Decimal("0.00")
    for hit in published:
        spent += plan_cost([0], hit.assignments, Decimal(hit.reward), table, mode="").total
    return spent


def _publish_one(
    context: Context, provider: Provider, hit_type: str, hit: Hit, displays: dict[str, str]
) -> None:
    study = context.study
    wanted = next(each for each in study.classes if each.class_id == hit.class_id)
    with study.session() as session:
        slots = _slots_of(session, hit)
        session.get_one(Hit, hit.hit_key).published_at = context.clock.now()
    each = HitPlan(hit.class_id, hit.number, slots, hit.hit_key)
    text = page_text(study, wanted)
    html = render_page(each, text, displays, study.pipeline.label.template)
    note = f"{study.pipeline.study.name}: {hit.class_id}, page {hit.number + 1}"
    images = tuple((slot.slot_id, displays[slot.image_id]) for slot in slots)
    sheet = Sheet(hit.class_id, text.title, images)
    request = HitRequest(hit.hit_key, html_question(html), note[:255], sheet)
    hit_id = provider.publish(request, hit_type, hit_terms(study))
    with study.session() as session:
        row = session.get_one(Hit, hit.hit_key)
        row.hit_id, row.status = hit_id, "published"


def _slots_of(session: Session, hit: Hit) -> tuple[Slot, ...]:
    rows = session.scalars(
        select(HitImage).where(HitImage.hit_key == hit.hit_key).order_by(HitImage.slot)
    )
    return tuple(Slot(row.slot, row.image_id, row.role) for row in rows)  # type: ignore[arg-type]


def _in_order(study: Study, hits: Any) -> list[Hit]:
    places = {each.class_id: each.position for each in study.classes}
    return sorted(hits, key=lambda hit: (places.get(hit.class_id, len(places)), hit.number))
