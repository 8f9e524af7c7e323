"""A test set, made ready for the review in the browser: class by class, with originals beside."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from urllib.parse import quote_plus

from sqlalchemy.orm import Session

from replicate.base.errors import MissingError
from replicate.base.randomness import stream
from replicate.stages.freezing import known_set
from replicate.stages.review import Gallery, Review, review_key
from replicate.store.queries import (
    members_of_test_set,
    newest_revision,
    prepared_ids,
    set_members,
)
from replicate.store.review_book import Book, Key
from replicate.store.reviews import Given, add_review, said_of_items
from replicate.store.tables import TestSet
from replicate.store.takedowns import taken_down
from replicate.study import Study, StudyClass
from replicate.web.review_sets import PART, SetPages, ShownClass, ShownImage
from replicate.web.review_site import ReviewSite


def review_of_set(study: Study, names: Sequence[str], name: str) -> Review:
    """The review of the newest revision of a test set.

    Args:
        study: The study.
        names: Who is invited.
        name: The set.

    Raises:
        UsageError: The pipeline has no such set.
        MissingError: It was not drawn yet.
    """
    known_set(study, name)
    with study.session() as session:
        row = newest_revision(session, name)
        if row is None:
            raise MissingError(
                f"The test set {name!r} was not drawn yet.", "Draw it: replicate sample"
            )
        prepared = prepared_ids(session, study.steps)
        classes = _classes(session, study, row, frozenset(prepared))
    images = [one for shown in classes for one in shown.images]
    beside = [one for shown in classes for one in shown.originals]
    gallery = Gallery(study, {one.image_id: prepared[one.image_id] for one in (*images, *beside)})
    site = ReviewSite(review_key(study), names, gallery.get)
    keys = [key for shown in classes for key in shown.keys]
    book = Book(study.engine, said_of_items, partial(_write, name, row.revision), keys)
    title = f"{row.name}-{row.revision}"
    pages = SetPages(site, title, row.frozen_at is not None, classes, book)
    return Review(pages, names, site.links, len(images))


def _write(name: str, revision: int, session: Session, key: Key, given: Given) -> None:
    add_review(session, key, given, name, revision)


def _classes(
    session: Session, study: Study, row: TestSet, prepared: frozenset[str]
) -> list[ShownClass]:
    gone = taken_down(session)
    new: dict[str, list[str]] = defaultdict(list)
    for member in members_of_test_set(session, row.name, row.revision):
        if member.image_id in prepared and member.image_id not in gone:
            new[member.class_id].append(member.image_id)
    originals: dict[str, list[str]] = defaultdict(list)
    for member in set_members(session, "original"):
        if member.image_id in prepared and member.image_id not in gone:
            originals[member.class_id].append(member.image_id)
    found = []
    for item in study.classes:
        # By content, which tells nothing of how often an image was selected.
        images = sorted(new[item.class_id])
        random = stream(study.seed, "review", row.name, item.class_id)
        order = random.permutation(len(originals[item.class_id]))
        beside = [originals[item.class_id][i] for i in order[: study.pipeline.review.originals]]
        starts = range(0, len(images), PART)
        found += [
            ShownClass(
                class_id=item.class_id,
                part=number,
                parts=len(starts),
                title=item.name,
                synonyms=item.synonyms,
                gloss=item.gloss,
                links=_links(item),
                images=tuple(ShownImage(i) for i in images[start : start + PART]),
                originals=tuple(ShownImage(i) for i in beside),
            )
            for number, start in enumerate(starts, 1)
        ]
    return found


def _links(item: StudyClass) -> tuple[tuple[str, str], ...]:
    words = quote_plus(item.name)
    return (
        ("Wikipedia", f"https://en.wikipedia.org/w/index.php?search={words}"),
        ("Pictures on Commons", f"https://commons.wikimedia.org/w/index.php?search={words}"),
    )
