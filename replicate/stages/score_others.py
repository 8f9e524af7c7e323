"""Models of all schemes but ``small:`` on every set of the study, by the engine of `score folder`.

Each image is decoded once a set, models run in turn, and what they say is one Arrow file a model
and set below ``predictions/arrow``, whole or not there. The engine knows what is done and carries
on where it was killed; the store holds integer counts and where the files are, and is written by
this stage alone.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from replicate.base.errors import MissingError, UsageError
from replicate.stages.common import Context, Tally
from replicate.stages.score_jobs import fitting, job_of
from replicate.stages.score_options import Way, arithmetic, kept_as, ways
from replicate.stages.score_sets import ORIGINAL, SetsToScore, SetToScore
from replicate.stages.score_store import (
    enter,
    fail_model,
    failed_row,
    scored_row,
    store,
    store_model,
)
from replicate.store.tables import Model, Prediction
from replicate.zoo.doubts import doubt
from replicate.zoo.prediction_files import PredictionFile, read
from replicate.zoo.scoring_job import Job, Outcome
from replicate.zoo.scoring_work import run_job

NOT_HERE = "not_here"
_POLL = 1.0  # seconds between looks at what other workers have done


def score_others(context: Context, sets: SetsToScore, names: Sequence[str], tally: Tally) -> None:
    """Score what is not scored.

    Args:
        context: The stage's context.
        sets: All sets.
        names: The models, by full name.
        tally: Where to count.

    Raises:
        UsageError: An image of a set cannot be decoded.
        MissingError: An image of a set is gone; a file that the pipeline names is not there.
    """
    found = ways(context.study, names)
    enter(context.study, names)
    work = _Work(context, tally)
    for each in sets.all:
        for way in found:
            work.score(each, way)
    tally.notes += work.failures()


@dataclass(frozen=True)
class _Before:
    """What the store says of a model on a set: of the arithmetic that the pipeline names."""

    path: str | None
    reason: str | None
    way: str | None


class _Work:
    """One run of the stage."""

    def __init__(self, context: Context, tally: Tally) -> None:
        self.context, self.tally, self.study = context, tally, context.study
        self.how = arithmetic(self.study)
        self._failed: dict[tuple[str, str], list[str]] = {}

    def score(self, target: SetToScore, way: Way) -> None:
        """Score models that are opened and read alike on a set."""
        way = fitting(way, target)
        before = self._before(target)
        again = {
            name
            for name in way.models
            if name in before and before[name].reason and self.context.retries(before[name].reason)
        }
        self._refuse_lost(target, way, before)
        for names, retry in ((tuple(n for n in way.models if n not in again), False),
                             (tuple(n for n in way.models if n in again), True)):  # fmt: skip
            if not names:
                continue
            job = job_of(self.study, target, replace(way, models=names), retry=retry)
            for outcome in self._run(job, target):
                self._keep(target, way, outcome, before.get(outcome.model))

    def _run(self, job: Job, target: SetToScore) -> list[Outcome]:
        """Run a job; beside other workers until nobody works on it any more."""
        config, say = self.study.pipeline.score, self._say(target)
        if not self.context.options.shared:
            return run_job(job, say=say, executor=config.executor, workers=config.workers)
        found = {outcome.model: outcome for outcome in run_job(job, True, say=say)}
        while waiting := [name for name, one in found.items() if not (one.path or one.reason)]:
            say("waiting for other workers", len(found) - len(waiting), len(found))
            time.sleep(_POLL)
            rest = replace(job, models=tuple(waiting))
            found |= {outcome.model: outcome for outcome in run_job(rest, True, say=say)}
        return list(found.values())

    def _before(self, target: SetToScore) -> dict[str, _Before]:
        with self.study.session() as session:
            rows = session.execute(
                select(Prediction, Model.card)
                .join(Model, Model.name == Prediction.model)
                .where(Prediction.set_name == target.name, Prediction.set_digest == target.digest)
            )
            return {
                row.model: _Before(row.path, row.reason, card.get("way"))
                for row, card in rows
                if row.precision == kept_as(self.how, row.model)
            }

    def _refuse_lost(self, target: SetToScore, way: Way, before: dict[str, _Before]) -> None:
        """Say that files are gone, before anything is scored without them."""
        paths = [before[name].path for name in way.models if name in before]
        kept = [path for path in paths if path is not None and (self.study.root / path).exists()]
        if len(kept) == len(way.models):
            return
        lost = self.study.prepared.missing(dict.fromkeys(target.blobs))
        if lost:
            raise MissingError(
                f"{len(lost)} images of the set {target.name!r} are gone:"
                f" {self.study.prepared.where(lost[0])}.",
                "Make them again: replicate prepare --retry failed. If they were taken down "
                "(replicate takedown list), no further model can be scored on this revision of "
                "the set.",
            )

    def _say(self, target: SetToScore) -> Any:
        def say(what: str, at: int, total: int) -> None:
            self.context.progress(f"scoring on {target.name}: {what}", at, total)

        return say

    def _keep(self, target: SetToScore, way: Way, outcome: Outcome, before: _Before | None) -> None:
        """Store what came of a model on a set, unless that is stored."""
        study = self.study
        self.tally.notes += [f"{note} ({target.name})" for note in outcome.notes]
        if outcome.path is not None:
            below = outcome.path.relative_to(study.root).as_posix()
            if before == _Before(below, None, way.digest) and not outcome.done:
                self.tally.skipped += 1
                return
            found = read(outcome.path)
            self._refuse_unreadable(target, outcome, found)
            with study.session() as session:
                store_model(session, outcome.model, way, found)
                store(session, scored_row(target, outcome.model, found, below))
            self.tally.done += 1
            self._doubt(target, outcome.model, found)
            return
        reason = outcome.reason or "failed"
        if before is not None and before.path is not None and reason == NOT_HERE:
            # What was scored where the weights were stays true where they are not.
            self.tally.skipped += 1
            return
        if before is not None and before.reason == reason != NOT_HERE and not self._retried(reason):
            self.tally.skipped += 1
            return
        with study.session() as session:
            fail_model(session, outcome)
            store(session, failed_row(target, outcome, kept_as(self.how, outcome.model)))
        self.tally.failed[reason] += 1
        self._failed.setdefault((outcome.model, outcome.message), []).append(target.name)

    def _retried(self, reason: str) -> bool:
        return self.context.retries(reason)

    def _refuse_unreadable(
        self, target: SetToScore, outcome: Outcome, found: PredictionFile
    ) -> None:
        """An image that cannot be decoded is left out of no set in silence."""
        broken = found.header["failed_images"]
        if not broken or outcome.path is None:
            return
        outcome.path.unlink()  # so that it is made anew once the image is mended
        item, reason = next(iter(broken.items()))
        at = found.items.index(item)
        raise UsageError(
            f"{len(broken)} images of the set {target.name!r} cannot be decoded ({reason}):"
            f" {self.study.prepared.where(target.blobs[at])}.",
            "Delete it and make it again: replicate prepare --retry failed",
        )

    def _doubt(self, target: SetToScore, name: str, found: PredictionFile) -> None:
        if target.name != ORIGINAL:
            return
        words = doubt(found, "say what outputs mean in [score] class_map")
        if words is not None:
            self.tally.notes.append(f"{name} on the original: {words}")

    def failures(self) -> list[str]:
        """What failed, each model and reason once."""
        return [
            f"{name} failed on {', '.join(places)}: {message}"
            + ("" if message.endswith(".") else ".")
            for (name, message), places in self._failed.items()
        ]
