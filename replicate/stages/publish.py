"""publish: put HITs before workers, once their cost is agreed.

A HIT's row is written before the crowd hears of it, and its id as soon as the crowd names it.
Its key goes along as token, so publishing again after a crash finds the HIT that exists.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.base.errors import GuardError
from replicate.crowd.composition import HitPlan, Slot
from replicate.crowd.pages import html_question, render_page
from replicate.crowd.providers import HitRequest, HitTerms, Provider, Sheet
from replicate.stages import batches
from replicate.stages.common import Context, Options, Tally, stage
from replicate.stages.labelling import hit_terms, open_provider, page_text
from replicate.stages.publish_pages import numbers
from replicate.stages.publish_plan import Plan, plan
from replicate.store import queries
from replicate.store.tables import Hit, HitImage
from replicate.study import Study


@stage("publish")
def publish(context: Context) -> Tally:
    """Publish the HITs that are missing.

    Raises:
        MissingError: There is no candidate pool.
        GuardError: The cost was not confirmed, or is over the budget; or real and simulated
            workers would be mixed.
    """
    study = context.study
    found = plan(study, context.options.top_up)
    with study.session() as session:
        hits = session.scalars(select(Hit)).all()
    waiting = _in_order(study, [hit for hit in hits if hit.hit_id is None])
    tally = Tally(
        skipped=len(hits) - len(waiting),
        details={"mode": found.cost.mode, "total": str(found.total)},
    )
    tally.notes += [f"Warning: {warning}" for warning in found.warnings]
    if not waiting:
        return tally
    _guard(study, found, context.options)
    provider, batch_id = _begin(context, found)
    with study.session() as session:
        prepared = queries.prepared_ids(session, study.steps)
    displays = {image: display for image, (_, display) in prepared.items()}
    types: dict[str, str] = {}
    for position, hit in enumerate(waiting):
        context.progress("publishing HITs", position, len(waiting))
        # What its row says, even if the pipeline file has changed since it was on its way.
        terms = replace(hit_terms(study), assignments=hit.assignments, reward=Decimal(hit.reward))
        if hit.reward not in types:
            types[hit.reward] = provider.hit_type(terms)
        _publish_one(context, provider, types[hit.reward], hit, terms, displays)
        tally.done += 1
    context.progress("publishing HITs", len(waiting), len(waiting))
    tally.details["batch"] = str(batch_id)
    tally.notes.append(
        f"Batch {batch_id}: {tally.done} HITs published for ${found.total} ({provider.mode})."
    )
    return tally


def _begin(context: Context, found: Plan) -> tuple[Provider, int]:
    """Open the provider, and write down what is agreed to."""
    study = context.study
    provider = open_provider(context)
    provider.check()
    place = batches.Place(
        mode=provider.mode,
        provider=provider.name,
        endpoint=getattr(provider, "endpoint", None),
        simulated=provider.simulated,
    )
    composition = {**asdict(numbers(study)), "seed": study.seed}
    with study.session() as session:
        batch = batches.begin(session, place, found.cost, composition, context.clock.now())
    return provider, batch.batch_id


def _guard(study: Study, found: Plan, options: Options) -> None:
    budget, cost, confirmed = study.pipeline.label.budget, found.cost, options.confirm_cost
    if budget and found.spent + cost.total > budget:
        raise GuardError(
            f"Publishing {cost.hits} HITs costs ${cost.total}; with ${found.spent} spent already "
            f"that is over the budget of ${budget}. Nothing was published.",
            "Raise [label] budget, or label fewer candidates: [gather] per_class.",
        )
    if confirmed is None or confirmed not in _agreed(study, found):
        said = "" if confirmed is None else f", not ${confirmed}"
        raise GuardError(
            f"Publishing {cost.hits} HITs ({cost.assignments} assignments, {cost.mode}) costs "
            f"${cost.reward} for workers and ${cost.fees} fees: ${cost.total} in all{said}. "
            "Nothing was published.",
            f"If that is right: {found.command}",
        )


def _agreed(study: Study, found: Plan) -> set[Decimal]:
    """The totals that may be confirmed.

    Whoever agreed to a whole batch also agreed to the part that a run that was cut off left over.
    """
    with study.session() as session:
        batch = batches.unfinished(session)
        return {found.total} if batch is None else {found.total, batches.agreed(batch)}


def _publish_one(
    context: Context,
    provider: Provider,
    hit_type: str,
    hit: Hit,
    terms: HitTerms,
    displays: dict[str, str],
) -> None:
    study = context.study
    wanted = next(each for each in study.classes if each.class_id == hit.class_id)
    with study.session() as session:
        slots = _slots_of(session, hit)
        session.get_one(Hit, hit.hit_key).published_at = context.clock.now()
    each = HitPlan(hit.class_id, hit.number, slots, hit.hit_key)
    text = page_text(study, wanted, hit.expert_round)
    template = study.pipeline.label.template
    html = render_page(each, text, displays, template, study.root)
    note = f"{study.pipeline.study.name}: {hit.class_id}, page {hit.number + 1}"
    images = tuple((slot.slot_id, displays[slot.image_id]) for slot in slots)
    sheet = Sheet(hit.class_id, text.title, images, hit.expert_round)
    request = HitRequest(hit.hit_key, html_question(html), note[:255], sheet)
    hit_id = provider.publish(request, hit_type, terms)
    with study.session() as session:
        row = session.get_one(Hit, hit.hit_key)
        row.hit_id, row.status = hit_id, "published"


def _slots_of(session: Session, hit: Hit) -> tuple[Slot, ...]:
    rows = session.scalars(
        select(HitImage).where(HitImage.hit_key == hit.hit_key).order_by(HitImage.slot)
    )
    return tuple(Slot(row.slot, row.image_id, row.role) for row in rows)  # type: ignore[arg-type]


def _in_order(study: Study, hits: Iterable[Hit]) -> list[Hit]:
    places = {each.class_id: each.position for each in study.classes}
    return sorted(hits, key=lambda hit: (places.get(hit.class_id, len(places)), hit.number))
