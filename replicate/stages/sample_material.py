"""sample: what sets are drawn from, and how one set is drawn from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.orm import Session

from replicate.base.errors import MissingError, UsageError
from replicate.pipeline.sampling import SampleConfig
from replicate.sampling.covariates import MISSING, Covariates
from replicate.sampling.frequencies import Counts as Rows
from replicate.sampling.frequencies import Frequencies, frequencies
from replicate.sampling.holdout import Ballots, ballots, split_votes
from replicate.sampling.quota import Keywords
from replicate.sampling.request import Request, Sample
from replicate.sampling.revisions import Previous, Revision, class_sources, revise
from replicate.sampling.strategies import plan
from replicate.stages.reviewed import left_out
from replicate.store.facts import Facts, facts_of_candidates, facts_of_original
from replicate.store.queries import (
    Member,
    accepted,
    counted_votes,
    pool,
    set_members,
)
from replicate.store.tables import Hit
from replicate.study import Study

Excluded = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Material:
    """What sets are drawn from.

    Attributes:
        votes: Every vote that counts.
        pool: The candidates, with no votes yet.
        original: The original's images, likewise.
        rows: Where in the votes each of the pool and of the original is.
        pages_open: Pages of work that are not complete.
        excluded: Candidates that must not be drawn, with reasons.
        facts: What is known of the original's images and of the candidates, if a set asks for it.
    """

    votes: Ballots
    pool: Frequencies
    original: Frequencies
    rows: tuple[Rows, Rows]
    pages_open: int
    excluded: Excluded
    facts: tuple[Facts, Facts] | None


@dataclass(frozen=True)
class Counts:
    """Selection counts after some votes were set aside, of the pool and of the original."""

    pool: Frequencies
    original: Frequencies
    kept_pool: Frequencies
    kept_original: Frequencies


def load_material(session: Session, study: Study) -> Material:
    """Everything that the study's sets are drawn from.

    Raises:
        MissingError: There are no votes yet.
    """
    votes = ballots(counted_votes(session))
    if not len(votes.item):
        raise MissingError(
            "There are no votes to sample by.", "Run the stage before first: replicate collect"
        )
    pages = session.scalars(
        select(Hit.hit_key).where(Hit.status.in_(("composed", "published")))
    ).all()
    members = pool(session)
    if study.pipeline.label.mode == "expert":
        stays = accepted(session)
        members = [member for member in members if member in stays]
    excluded = left_out(session, study)
    asked = any(block.covariates or block.keywords for block in study.pipeline.sample)
    facts = (facts_of_original(session), facts_of_candidates(session)) if asked else None
    sides = unseen(members), unseen(set_members(session, "original"))
    rows = votes.seen.rows_for(sides[0]), votes.seen.rows_for(sides[1])
    return Material(votes, *sides, rows, len(pages), excluded, facts)


def all_counts(
    study: Study, material: Material, blocks: Sequence[SampleConfig]
) -> dict[int, Counts]:
    """The counts that some sets need, by how many votes each sets aside."""
    asked = sorted({block.holdout_votes for block in blocks})
    return {k: counts_of(study, material, k) for k in asked}


def counts_of(study: Study, material: Material, holdout_votes: int) -> Counts:
    """Selection frequencies by the votes that are not set aside, and by those that are."""
    matched, kept = split_votes(material.votes, holdout_votes, study.seed)
    sides = list(zip((material.pool, material.original), material.rows, strict=True))
    return Counts(*(table.on(*side) for table in (matched, kept) for side in sides))


def unseen(members: Iterable[Member]) -> Frequencies:
    """Some (image, class), with no votes yet."""
    return frequencies((*pair, 0, 0) for pair in {(m.image_id, m.class_id) for m in members})


def request_of(study: Study, block: SampleConfig) -> Request:
    """What a block of the pipeline file asks for."""
    images = block.total_per_class if block.strategy == "quota" else block.per_class
    return Request(
        name=block.name,
        strategy=block.strategy,
        per_class=images or 0,
        seed=study.seed,
        min_votes=block.min_votes,
        edges=block.bins,
        min_original_images=block.min_original_images,
        fill=block.fill,
        threshold=block.threshold,
        overrides=block.overrides,
        keywords=block.keywords,
        covariates=block.covariates,
    )


@dataclass(frozen=True)
class Drawing:
    """One set that is to be drawn.

    Attributes:
        study: The study.
        request: What is asked for.
        counts: The counts that it is drawn by.
        material: Everything else that it is drawn from.
    """

    study: Study
    request: Request
    counts: Counts
    material: Material

    def plan(self) -> Sample:
        """What drawing would give.

        Raises:
            UsageError: What is asked for is not known of the original's images.
        """
        pool, original = self.counts.pool, self.counts.original
        return plan(
            self.request, pool, original, self._classes, self._excluded, (), self.covariates,
            self._keywords,
        )  # fmt: skip

    def revise(self, before: Previous, gone: Excluded) -> Revision:
        """What the next revision would hold.

        Args:
            before: The revision before.
            gone: Images of it that must not stay, beside those excluded anyway.
        """
        pool, original = self.counts.pool, self.counts.original
        return revise(
            self.request, pool, original, self._classes, before, {**self._excluded, **gone},
            self.covariates, self._keywords,
        )  # fmt: skip

    def sources(self, class_ids: Sequence[str]) -> dict[str, str]:
        """By class, the digest of what it is drawn from."""
        pool, original = self.counts.pool, self.counts.original
        return class_sources(
            self.request, pool, original, class_ids, self.covariates, self._keywords
        )

    @cached_property
    def covariates(self) -> Covariates | None:
        """What else is matched; after drawing it knows how well."""
        names = self.request.covariates
        if not names or self.material.facts is None:
            return None
        original, pool = self.material.facts
        counted = self.counts.original.where(
            self.counts.original.shown >= max(self.request.min_votes, 1)
        )
        return Covariates(names, pool.values(names), original.values(names), counted)

    @cached_property
    def _keywords(self) -> Keywords | None:
        if self.request.keywords is None or self.material.facts is None:
            return None
        original, pool = self.material.facts
        if not original.keywords:
            raise UsageError(
                f"The test set {self.request.name!r} asks for keyword quotas, but the study does "
                "not know the keywords of the original's images.",
                "Name a table of them (columns file, keyword) in [original] metadata, then: "
                "replicate gather",
            )
        return Keywords(original.counted_keywords(), pool.keywords)

    @cached_property
    def _classes(self) -> list[str]:
        return [item.class_id for item in self.study.classes]

    @cached_property
    def _excluded(self) -> dict[tuple[str, str], str]:
        if self.covariates is None:
            return dict(self.material.excluded)
        pool = self.counts.pool
        keys = zip(pool.image_id.tolist(), pool.class_id.tolist(), strict=True)
        lacking = {key: MISSING for key in keys if key not in self.covariates.pool}
        return lacking | dict(self.material.excluded)
