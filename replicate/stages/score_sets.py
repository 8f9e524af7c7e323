"""Which sets are scored, in which order, and the pixels of their images.

Every set is scored as it was prepared: originals, controls and candidates went through the same
transformations, and models are trained on a train set that did so too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from replicate.base.digests import digest_value
from replicate.base.errors import GuardError, ItemError, MissingError, UsageError
from replicate.base.images import decode, grey
from replicate.sources.prepare import prepare
from replicate.sources.reencoding import control_steps
from replicate.store.queries import (
    Member,
    members_digest,
    members_of_test_set,
    newest_revision,
    prepared_ids,
    set_members,
)
from replicate.study import Study
from replicate.zoo.names import ModelSpec, expand, small

ORIGINAL = "original"
Role = Literal["train", "original", "control", "new"]


@dataclass(frozen=True)
class SetToScore:
    """A set whose images are known but not yet read.

    Attributes:
        name: Its name.
        role: What it is to the study.
        digest: The digest of its manifest.
        members: Its images and classes; predictions are kept in this order.
        blobs: For each image, the digest of its prepared bytes, which are scored.
        frozen: Whether it can no longer change.
        steps: What its bytes go through before they are scored, further to what made them.
    """

    name: str
    role: Role
    digest: str
    members: tuple[Member, ...]
    blobs: tuple[str, ...]
    frozen: bool = True
    steps: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """The digest of the ordered bytes that are scored."""
        blobs = list(self.blobs)
        return digest_value([blobs, list(self.steps)] if self.steps else blobs)

    @property
    def classes(self) -> frozenset[str]:
        """The classes that its images have."""
        return frozenset(member.class_id for member in self.members)


@dataclass(frozen=True)
class SetsToScore:
    """All that the zoo is trained and scored on.

    Attributes:
        train: The train set; None if no model is trained on it.
        sets: The original first, then the controls, then the drawn test sets.
        missing: Test sets of the pipeline that were never drawn.
        subsets: With ``[score] restrict``, by the name of a set that lacks some of the original's
            classes: the original's images of the classes that it has.
    """

    train: SetToScore | None
    sets: tuple[SetToScore, ...]
    missing: tuple[str, ...]
    subsets: Mapping[str, SetToScore] = field(default_factory=dict)

    @property
    def all(self) -> tuple[SetToScore, ...]:
        """The sets, and what some of them are compared with instead of the whole original."""
        return (*self.sets, *{each.name: each for each in self.subsets.values()}.values())

    def original_of(self, name: str) -> SetToScore:
        """What a set is compared with."""
        return self.subsets.get(name, self.sets[0])


@dataclass(frozen=True)
class Zoo:
    """The models that the pipeline file names.

    Attributes:
        small: Those of the scheme ``small:``, which the study trains.
        others: Names and wildcards of all other schemes.
    """

    small: tuple[ModelSpec, ...]
    others: tuple[str, ...]


def zoo_of(study: Study) -> Zoo:
    """The models that the pipeline file names, in its order.

    Raises:
        UsageError: A name means no model of the scheme ``small:``.
    """
    ours, others = small(study.pipeline.score.models)
    return Zoo(tuple(expand(ours)), tuple(others))


def sets_to_score(session: Session, study: Study) -> SetsToScore:
    """The sets that the pipeline names, as the store has them.

    Raises:
        MissingError: A stage before this one has not been run.
    """
    prepared = {image: ids[0] for image, ids in prepared_ids(session, study.steps).items()}
    original = _members(session, ORIGINAL, prepared)
    if not original:
        raise MissingError(
            "The original's images are not prepared yet.", "Run first: replicate prepare"
        )
    train = _train_set(session, study, prepared) if zoo_of(study).small else None
    sets = [_given(ORIGINAL, "original", original, prepared)]
    for control in study.pipeline.control:
        members = _members(session, control.name, prepared)
        if not members:
            raise MissingError(
                f"The control set {control.name!r} is not prepared yet.",
                "Run first: replicate gather, then: replicate prepare",
            )
        sets.append(_given(control.name, "control", members, prepared))
    sets += _reencoded(study, sets[0])
    # A frozen set never changes, not even when a file of it is deleted: what was scored stays.
    all_ids = prepared_ids(session, study.steps, erased=True)
    drawn, missing = _drawn(session, study, {image: ids[0] for image, ids in all_ids.items()})
    if not drawn:
        raise MissingError("No test set has been drawn yet.", "Run first: replicate sample")
    every = (*sets, *drawn)
    subsets = _subsets(every) if study.pipeline.score.restrict else {}
    return SetsToScore(train, every, missing, subsets)


def _subsets(sets: tuple[SetToScore, ...]) -> dict[str, SetToScore]:
    original, *others = sets
    found = {}
    for each in others:
        classes = original.classes & each.classes
        if classes == original.classes:
            continue
        kept = [at for at, member in enumerate(original.members) if member.class_id in classes]
        members = tuple(original.members[at] for at in kept)
        found[each.name] = SetToScore(
            f"{ORIGINAL}@{digest_value(sorted(classes))[:12]}",
            "original",
            members_digest(list(members)),
            members,
            tuple(original.blobs[at] for at in kept),
        )
    return found


def _reencoded(study: Study, original: SetToScore) -> list[SetToScore]:
    """The original put through something else: what that alone does to accuracies."""
    config = study.pipeline.prepare
    encoding = f"jpeg-q{config.display_quality}@1" if config.display_format == "jpeg" else "png@1"
    found = []
    for text in dict.fromkeys(study.pipeline.score.controls):
        label, steps = control_steps(text, (f"longer-{config.display_size}@1", encoding))
        digest = digest_value([original.digest, list(steps)])
        name = f"{ORIGINAL}-{label}"
        found.append(replace(original, name=name, role="control", digest=digest, steps=steps))
    return found


def _train_set(session: Session, study: Study, prepared: dict[str, str]) -> SetToScore:
    if study.pipeline.original.train is None:
        raise MissingError(
            "Models of the scheme small: are trained on the study's own train set, and there is"
            " none.",
            "Name it in the pipeline file: [original] train",
        )
    train = _members(session, "train", prepared)
    if not train:
        raise MissingError("The train set is not prepared yet.", "Run first: replicate prepare")
    return _given("train", "train", train, prepared)


def refuse_unfrozen(sets: SetsToScore, exploratory: bool) -> None:
    """Stop where a set could still change after a model has seen it.

    Raises:
        GuardError: A set is not frozen, and the run is not exploratory.
    """
    open_sets = [each.name for each in sets.sets if not each.frozen]
    if open_sets and not exploratory:
        raise GuardError(
            f"Not frozen yet: {', '.join(open_sets)}. A set is frozen before any model sees it;"
            " nothing was scored.",
            f"replicate sample freeze {open_sets[0]}  (or, and the report will say so:"
            " replicate score --exploratory)",
        )


def _members(session: Session, name: str, prepared: dict[str, str]) -> list[Member]:
    return [member for member in set_members(session, name) if member.image_id in prepared]


def _given(name: str, role: Role, members: list[Member], prepared: dict[str, str]) -> SetToScore:
    return SetToScore(
        name=name,
        role=role,
        digest=members_digest(members),
        members=tuple(members),
        blobs=tuple(prepared[member.image_id] for member in members),
    )


def _drawn(
    session: Session, study: Study, prepared: dict[str, str]
) -> tuple[list[SetToScore], tuple[str, ...]]:
    drawn: list[SetToScore] = []
    missing: list[str] = []
    for block in study.pipeline.sample:
        row = newest_revision(session, block.name)
        if row is None:
            missing.append(block.name)
            continue
        members = members_of_test_set(session, row.name, row.revision)
        lost = sum(member.image_id not in prepared for member in members)
        if lost:
            raise MissingError(
                f"{lost} images of the test set {row.name!r} are not prepared by the steps that the"
                " pipeline file names.",
                "Run first: replicate prepare",
            )
        drawn.append(
            SetToScore(
                name=row.name,
                role="new",
                digest=row.digest,
                members=tuple(members),
                blobs=tuple(prepared[member.image_id] for member in members),
                frozen=row.frozen_at is not None,
            )
        )
    return drawn, tuple(missing)


def load_pixels(study: Study, target: SetToScore) -> npt.NDArray[np.uint8]:
    """The grey images of a set: uint8 (n, height, width).

    Raises:
        MissingError: A file is gone.
        UsageError: A file is no image, or the images differ in size.
    """
    pictures: dict[str, npt.NDArray[np.uint8]] = {}
    for blob in target.blobs:
        if blob in pictures:
            continue
        try:
            pictures[blob] = grey(decode(prepare(study.prepared.get(blob), target.steps)))
        except FileNotFoundError as error:
            raise MissingError(
                f"An image of the set {target.name!r} is gone: {study.prepared.where(blob)}.",
                "Make it again: replicate prepare --retry failed. If it was taken down (replicate "
                "takedown list), no further model can be scored on this revision of the set.",
            ) from error
        except ItemError as error:
            raise UsageError(
                f"An image of the set {target.name!r} cannot be decoded ({error}):"
                f" {study.prepared.where(blob)}.",
                "Delete it and make it again: replicate prepare --retry failed",
            ) from error
    sizes = sorted({picture.shape for picture in pictures.values()})
    if len(sizes) != 1:
        some = ", ".join(f"{size[1]}×{size[0]}" for size in sizes[:4])
        raise UsageError(
            f"The images of the set {target.name!r} have {len(sizes)} sizes ({some}); models of"
            " the scheme small: need one.",
            "Name a transformation in [prepare] steps that makes them alike.",
        )
    return np.stack([pictures[blob] for blob in target.blobs])
