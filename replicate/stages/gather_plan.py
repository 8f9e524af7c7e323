"""What gathering would ask of the source, before it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from replicate.sources.flickr import CAP
from replicate.sources.flickr_arguments import check_own_arguments
from replicate.sources.registry import asked_by_class, check_places
from replicate.sources.terms import Term, source_terms, split_budget
from replicate.stages.gather_sets import named_sets
from replicate.stages.gather_source import source_settings
from replicate.study import Study


@dataclass(frozen=True)
class ClassPlan:
    """The searches for one class.

    Attributes:
        class_id: The class.
        name: Its name.
        terms: What is searched for.
        shared: Those of its names that other classes have as well.
        queries: Terms times date windows: as many searches as there can be.
        calls: API calls if each term's share is on its first pages.
        most_calls: API calls if every term needs every page that is real, in every window.
    """

    class_id: str
    name: str
    terms: tuple[Term, ...]
    shared: tuple[str, ...]
    queries: int
    calls: int
    most_calls: int


@dataclass(frozen=True)
class GatherPlan:
    """The searches of a study.

    Attributes:
        source: Where to search.
        classes: One plan a class.
        missing: Sets of the pipeline file whose folder or table is not there.
        per_class: Candidates wanted for a class.
        calls_per_hour: The rate limit; None where nothing is called.
    """

    source: str
    classes: tuple[ClassPlan, ...]
    missing: tuple[str, ...]
    per_class: int
    calls_per_hour: int | None

    def total(self, name: str) -> int:
        """The sum of a number over all classes."""
        return sum(int(getattr(each, name)) for each in self.classes)

    def hours(self, calls: int) -> float:
        """How long so many calls take at the rate limit, in hours."""
        return calls / self.calls_per_hour if self.calls_per_hour else 0.0

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON values."""
        calls, most = self.total("calls"), self.total("most_calls")
        return {
            "source": self.source,
            "n_classes": len(self.classes),
            "candidates": self.per_class * len(self.classes),
            "queries": self.total("queries"),
            "calls": calls,
            "most_calls": most,
            "calls_per_hour": self.calls_per_hour,
            "missing": list(self.missing),
            "hours": self.hours(calls),
            "most_hours": self.hours(most),
            "ambiguous": {each.class_id: list(each.shared) for each in self.classes if each.shared},
            "classes": [
                {
                    "class_id": each.class_id,
                    "name": each.name,
                    "terms": [{"text": term.text, "origin": term.origin} for term in each.terms],
                    "queries": each.queries,
                    "calls": each.calls,
                    "most_calls": each.most_calls,
                }
                for each in self.classes
            ],
        }


def _places(study: Study) -> list[tuple[str, str]]:
    """What gathering begins with, and where the pipeline file says that it is."""
    facts = study.pipeline.original.metadata
    return named_sets(study) + ([("[original] metadata", facts)] if facts is not None else [])


def _is_missing(study: Study, place: str) -> bool:
    """Whether a set is a folder or a table that is not there."""
    known = ":" in place.partition("/")[0]  # digits:… and torchvision:… are looked into when read
    return not known and not (study.root / Path(place).expanduser()).exists()


def plan_gather(study: Study) -> GatherPlan:
    """What the stage gather would search for, class by class; nothing is asked and nothing kept.

    Raises:
        UsageError: The classes are wrong, or the source.
        MissingError: There is no list of wnids, no WordNet, or nothing where the source reads.
    """
    config = study.pipeline.gather
    called = config.source == "flickr"
    check_own_arguments(set(config.arguments))
    settings = source_settings(study)
    check_places(config.source, settings)
    by_class = asked_by_class(config.source, settings)
    windows = max(1, len(config.date_windows))
    pages = ceil(CAP / config.per_page)

    def plan(class_id: str, name: str, terms: Sequence[Term], shared: Sequence[str]) -> ClassPlan:
        queries = len(terms) * windows
        shares = split_budget(config.per_class, len(terms))
        calls = sum(max(1, ceil(share / config.per_page)) for share in shares)
        return ClassPlan(
            class_id=class_id,
            name=name,
            terms=tuple(terms),
            shared=tuple(shared),
            queries=queries,
            calls=calls if called else 0,
            most_calls=queries * pages if called else 0,
        )

    return GatherPlan(
        source=config.source,
        classes=tuple(
            plan(c.class_id, c.name, source_terms(c.class_id, c.terms, by_class), c.shared)
            for c in study.classes
        ),
        missing=tuple(
            f"{name} ({place})" for name, place in _places(study) if _is_missing(study, place)
        ),
        per_class=config.per_class,
        calls_per_hour=config.calls_per_hour if called else None,
    )
