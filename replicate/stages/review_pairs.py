"""The near-duplicate pairs of a study, made ready for the review in the browser."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.base.errors import MissingError
from replicate.stages.review import Gallery, Review, review_key
from replicate.store.queries import gathered, prepared_ids, set_members
from replicate.store.review_book import Book
from replicate.store.reviews import add_verdict, said_of_pairs
from replicate.store.tables import DuplicatePair, Image
from replicate.store.takedowns import taken_down
from replicate.study import Study
from replicate.web.review_pairs import PairPages, ShownPair, Side, ranked
from replicate.web.review_site import ReviewSite

_LABELS = {"original": "Original", "train": "Train set", "candidates": "Candidate"}


def review_of_pairs(study: Study, names: Sequence[str], up_to: float | None = None) -> Review:
    """The review of a study's near-duplicate pairs.

    Args:
        study: The study.
        names: Who is invited.
        up_to: Only pairs up to this pixel distance; None: all that the search found.

    Raises:
        MissingError: Near-duplicates were not looked for, or there is no pair to look at.
    """
    with study.session() as session:
        prepared = prepared_ids(session, study.steps)
        pairs = ranked(_pairs(session, study, up_to, frozenset(prepared)))
    if not pairs:
        raise MissingError(
            "There are no pairs of near-duplicates to look at.",
            "Run the search first: replicate dedup"
            if up_to is None
            else f"No pair is within {up_to:g}; give --up-to a larger distance, or leave it out.",
        )
    gallery = Gallery(study, {image: prepared[image] for pair in pairs for image in pair.key})
    site = ReviewSite(review_key(study), names, gallery.get)
    book = Book(study.engine, said_of_pairs, add_verdict, [pair.key for pair in pairs])
    return Review(PairPages(site, pairs, book), names, site.links, len(pairs))


def _pairs(
    session: Session, study: Study, up_to: float | None, prepared: frozenset[str]
) -> list[ShownPair]:
    sizes = {
        row.image_id: (row.width, row.height)
        for row in session.execute(select(Image.image_id, Image.width, Image.height))
    }
    names = {item.class_id: item.name for item in study.classes}
    classes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for which in ("original", "train"):
        for member in set_members(session, which):
            classes[which, member.image_id].add(member.class_id)
    for member in gathered(session):
        classes["candidates", member.image_id].add(member.class_id)
    gone = taken_down(session)

    def side(image_id: str, which: str) -> Side:
        found = sorted(names.get(c, c) for c in classes[which, image_id])
        return Side(
            image_id,
            _LABELS.get(which, which),
            ", ".join(found),
            sizes[image_id],
        )

    rows = session.scalars(select(DuplicatePair))
    return [
        ShownPair(
            side(row.reference_id, row.reference_set),
            side(row.candidate_id, "candidates"),
            row.distance,
            row.pixel_distance,
            row.verdict,
            row.transform,
            row.similarity,
        )
        for row in rows
        if not {row.reference_id, row.candidate_id} & gone
        and row.reference_id in prepared
        and row.candidate_id in prepared
        and (up_to is None or (row.pixel_distance or 0.0) <= up_to)
    ]
