"""What all stages share: options, the record of a run, counts by reason, and progress.

How a stage is written::

    @stage("dedup")
    def dedup(context: Context) -> Tally:
        study = context.study
        with study.session() as session:      # one transaction; read what is missing
            todo = ...
        tally = Tally(skipped=...)
        for ... in todo:                      # call the noun, then write in small transactions
            ...
            context.progress("hashing", position, len(todo))
        return tally                          # counts; ItemErrors became rows with a reason

- A stage reads only what the stages before it stored, and does only what is missing: nothing is
  done twice, and a run that was killed at any moment is carried on by the next.
- Whatever is written in one transaction is complete in itself. Files come first (whole, named by
  content), the row that points to them afterwards.
- An item that fails is a row with status ``failed`` and a reason. It is taken up again only when
  ``context.retries(reason)`` says so.
- When the stage before has left nothing to work on, raise `MissingError` naming the command to
  run first (``replicate gather``); when there is nothing *new* to do, return a Tally with
  ``skipped`` only.
"""

import platform
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Protocol

from replicate import __version__
from replicate.base.clock import Clock, SystemClock
from replicate.pipeline import pipeline_digest
from replicate.store.tables import Run
from replicate.study import Study

if TYPE_CHECKING:
    from replicate.stages.world import World

STAGES = ("gather", "prepare", "dedup", "publish", "collect", "sample", "score", "report")


class Progress(Protocol):
    """Called now and then with what is being done and how far it is."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show it; `total` 0 means not known."""
        ...


def no_progress(what: str, done: int = 0, total: int = 0) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Options:
    """What the command line says about one run.

    Attributes:
        retry_failed: Take up failed items again.
        retry_reason: Only those that failed for this reason.
        confirm_cost: The cost that the user has seen and agrees to.
        exploratory: Score sets that are not frozen; draw a set again that was scored.
        revise: The test set that a later revision is drawn of.
        top_up: Valid votes that every published image should have; None: as the pipeline says.
        recheck: Ask the provider about complete HITs again, too.
        shared: Other workers score the study, too: units are taken by lease.
    """

    retry_failed: bool = False
    retry_reason: str | None = None
    confirm_cost: Decimal | None = None
    exploratory: bool = False
    top_up: int | None = None
    recheck: bool = False
    revise: str | None = None
    shared: bool = False


@dataclass
class Tally:
    """What a stage did.

    Attributes:
        done: Items done by this run.
        skipped: Items that were done before.
        failed: Items that failed in this run, by reason.
        details: What the stage has to say more, as JSON values.
        notes: Sentences for the user.
    """

    done: int = 0
    skipped: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    details: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StageResult:
    """What a stage did, and the run that it is recorded under."""

    stage: str
    run_id: int
    tally: Tally

    def as_json(self) -> dict[str, Any]:
        """The JSON of the command-line contract."""
        return {
            "stage": self.stage,
            "done": self.tally.done,
            "skipped": self.tally.skipped,
            "failed": dict(sorted(self.tally.failed.items())),
            "run_id": str(self.run_id),
            **({"details": self.tally.details} if self.tally.details else {}),
        }


@dataclass
class Context:
    """What a stage is given.

    Attributes:
        study: The open study.
        world: The services outside the study: the source of photos, and the crowd.
        options: What the command line says.
        progress: Where to show progress.
        clock: Where the time comes from.
        run_id: The run's row; 0 before it is recorded.
    """

    study: Study
    world: "World"
    options: Options = field(default_factory=Options)
    progress: Progress = no_progress
    clock: Clock = field(default_factory=SystemClock)
    run_id: int = 0

    def retries(self, reason: str | None) -> bool:
        """Whether an item that failed for this reason is to be tried again."""
        if not self.options.retry_failed:
            return False
        return self.options.retry_reason in (None, reason)


StageFunction = Callable[[Context], Tally]


def stage(name: str) -> Callable[[StageFunction], Callable[[Context], StageResult]]:
    """Make a function a stage: every run of it leaves a row, however it ends."""

    def decorate(function: StageFunction) -> Callable[[Context], StageResult]:
        @wraps(function)
        def run(context: Context) -> StageResult:
            context.run_id = _begin(context, name)
            try:
                tally = function(context)
            except BaseException as error:
                status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
                _end(context, status, Tally(details={"error": str(error)}))
                raise
            _end(context, "done", tally)
            return StageResult(name, context.run_id, tally)

        return run

    return decorate


def library_versions() -> dict[str, str]:
    """Versions of replicate, Python and the libraries that results depend on."""
    found = {"replicate": __version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "pillow", "imagehash", "torch", "boto3", "flickrapi"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["platform"] = sys.platform
    return found


def _begin(context: Context, name: str) -> int:
    study = context.study
    row = Run(
        stage=name,
        versions=library_versions(),
        seed=study.seed,
        pipeline_digest=pipeline_digest(study.pipeline),
        started_at=context.clock.now(),
        status="running",
        done=0,
        skipped=0,
        failed={},
        details={},
    )
    with study.session() as session:
        session.add(row)
        session.flush()
        return row.run_id


def _end(context: Context, status: str, tally: Tally) -> None:
    with context.study.session() as session:
        row = session.get_one(Run, context.run_id)
        row.ended_at = context.clock.now()
        row.status = status
        row.done = tally.done
        row.skipped = tally.skipped
        row.failed = dict(sorted(tally.failed.items()))
        row.details = tally.details
