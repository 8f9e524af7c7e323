"""How a report can be made again: runs, batches, models, versions and digests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class RunRow:
    """One run of a stage: its number, when it began and ended, and its counts."""

    run_id: int
    stage: str
    started: datetime
    ended: datetime | None
    status: str
    done: int
    skipped: int
    failed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelRow:
    """How a model was scored.

    Attributes:
        name: Its name.
        preprocessing: The name of all that turns a file into its input.
        precision: Number format, and what else was asked of the arithmetic.
        weights: The digest of its weights; empty where there are none to see.
        parameters: How many parameters it has; None if not known.
        licence: Its licence, if its card says so.
        link: A page about it; empty if none is known.
    """

    name: str
    preprocessing: str
    precision: str
    weights: str = ""
    parameters: int | None = None
    licence: str = ""
    link: str = ""


@dataclass(frozen=True)
class BatchRow:
    """HITs that were published together: where they went, who worked there, what was agreed to.

    Attributes:
        batch_id: 1, 2, …
        mode: Where the HITs went and who works there, as the provider said it.
        confirmed: When the cost was confirmed.
        hits: HITs published.
        assignments: Assignments wanted of them.
        collected: Assignments that came.
        agreed: The cost that was confirmed, as text with its currency.
    """

    batch_id: int
    mode: str
    confirmed: datetime
    hits: int
    assignments: int
    collected: int
    agreed: str


@dataclass(frozen=True)
class Provenance:
    """What is needed to make the report again.

    Attributes:
        pipeline: The whole pipeline file.
        pipeline_digest: The digest of all its values.
        seed: The seed of all random choices.
        steps: The transformations that all images went through.
        scored: Which bytes were scored, in words.
        votes_digest: The digest of all votes.
        predictions_digest: The digest of all predictions.
        versions: Versions of the software, by name.
        runs: The runs of the stages.
        batches: The batches of HITs that the votes came from.
        models: How each model was scored.
    """

    pipeline: str
    pipeline_digest: str
    seed: int
    steps: str
    scored: str
    votes_digest: str
    predictions_digest: str
    versions: Mapping[str, str]
    runs: tuple[RunRow, ...]
    batches: tuple[BatchRow, ...] = ()
    models: tuple[ModelRow, ...] = ()
