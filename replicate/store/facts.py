"""What is known of originals and candidates alike: keywords, and numbers to match sets by."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.sources.facts import plain_keyword, year_of
from replicate.store.fact_tables import OriginalFact
from replicate.store.tables import Candidate, Image, Query, SetImage

Key = tuple[str, str]


@dataclass(frozen=True)
class Facts:
    """What is known, by (image id, class id); of an image that is there twice, what comes first.

    Attributes:
        numbers: ``year``, ``rank``, ``size``, ``aspect``, as far as they are known.
        keywords: The keywords that it was found by.
    """

    numbers: Mapping[Key, Mapping[str, float]]
    keywords: Mapping[Key, frozenset[str]]

    def values(self, names: tuple[str, ...]) -> dict[Key, tuple[float, ...]]:
        """Some of the numbers, of the images that have them all."""
        return {
            key: tuple(known[name] for name in names)
            for key, known in self.numbers.items()
            if all(name in known for name in names)
        }

    def counted_keywords(self) -> dict[str, dict[str, int]]:
        """By class: how many images have a keyword."""
        found: dict[str, Counter[str]] = {}
        for (_, class_id), words in self.keywords.items():
            found.setdefault(class_id, Counter()).update(words)
        return {class_id: dict(counts) for class_id, counts in found.items()}


_Row = tuple[Key, int | None, int | None, str | None]


def facts_of_original(session: Session) -> Facts:
    """What is known of the original's images."""
    rows = session.execute(
        select(
            SetImage.image_id,
            SetImage.class_id,
            OriginalFact.year,
            OriginalFact.rank,
            OriginalFact.keyword,
        )
        .join(OriginalFact, OriginalFact.name == SetImage.name, isouter=True)
        .where(SetImage.set_name == "original", SetImage.status == "ok")
        .order_by(SetImage.position, SetImage.name)
    ).all()
    return _facts(
        session,
        (((r[0], r[1]), r.year, r.rank, r.keyword) for r in rows if r[0] is not None),
    )


def facts_of_candidates(session: Session) -> Facts:
    """What is known of the candidates.

    The rank is an image's place among those that were taken of one search's results.
    """
    return _facts(session, _candidates(session))


def _candidates(session: Session) -> Iterator[_Row]:
    rows = session.execute(
        select(
            Candidate.image_id,
            Candidate.class_id,
            Candidate.taken,
            Candidate.uploaded,
            Candidate.keyword,
            Query.term,
        )
        .join(Query, Query.query_id == Candidate.query_id)
        .order_by(Candidate.class_id, Candidate.position, Candidate.source_id)
    ).all()
    results: Counter[Key] = Counter()
    for image_id, class_id, taken, uploaded, keyword, term in rows:
        results[class_id, term] += 1
        if image_id is not None:
            year = year_of(taken) or year_of(uploaded)
            word = plain_keyword(keyword or term)
            yield (image_id, class_id), year, results[class_id, term], word


def _facts(session: Session, rows: Iterator[_Row]) -> Facts:
    sizes = {
        image_id: {"size": sqrt(width * height), "aspect": width / height}
        for image_id, width, height in session.execute(
            select(Image.image_id, Image.width, Image.height)
        )
    }
    numbers: dict[Key, dict[str, float]] = {}
    keywords: dict[Key, frozenset[str]] = {}
    for key, year, rank, keyword in rows:
        known = numbers.setdefault(key, dict(sizes.get(key[0], {})))
        for name, value in (("year", year), ("rank", rank)):
            if value is not None:
                known.setdefault(name, float(value))
        if keyword:
            keywords[key] = keywords.get(key, frozenset()) | {keyword}
    return Facts(numbers, keywords)
