"""A zoo on one set: what is to be scored, and what came of each model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from replicate.base.digests import digest_value
from replicate.zoo.image_sets import Images
from replicate.zoo.schemes import ModelOptions
from replicate.zoo.scoring import Arithmetic

CACHE_LIMIT = 4 << 30  # bytes of views on disk at a time
MOST_IMAGES = 10_000  # images of a shard: what a killed run has to do again


@dataclass(frozen=True)
class Job:
    """What is to be scored, and how.

    Attributes:
        models: Full names.
        images: The set.
        output: The folder of predictions; this set's are in the folder of its name.
        how: The arithmetic.
        options: What models are opened with.
        class_map: Output → class of the set; empty for none.
        restrict: Whether only outputs that mean a class of the set compete.
        cache_limit: Bytes of views on disk at a time.
        most_images: Images of a shard at most.
        retry: Whether models that failed before are tried again.
        repair: Which faults of published predictions are mended (``columns``, ``offset``).
        names: What else the set's classes are called → the class, for outputs known by name.
    """

    models: tuple[str, ...]
    images: Images
    output: Path
    how: Arithmetic = field(default_factory=Arithmetic)
    options: ModelOptions = field(default_factory=ModelOptions)
    class_map: Mapping[str, str] = field(default_factory=dict)
    restrict: bool = False
    cache_limit: int = CACHE_LIMIT
    most_images: int = MOST_IMAGES
    retry: bool = False
    repair: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where this set's prediction files are."""
        return self.output / self.images.name

    @property
    def work(self) -> Path:
        """Where what is not finished is: parts, leases, views, notes."""
        return self.output / ".work" / self.images.name

    @property
    def way(self) -> str:
        """The digest of all but the weights that decides the predictions."""
        options = self.options
        named = [dict(self.names)] if self.names else []
        return digest_value(
            [self.images.digest, asdict(self.how), dict(self.class_map), self.restrict,
             list(options.class_ids), list(options.class_names), list(options.templates), *named]
        )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of one model.

    Attributes:
        model: Its name.
        path: Its prediction file; None if it failed, or others still work on it.
        reason: Why it failed; None if it did not.
        message: The same for people.
        done: Images scored now; 0 if everything was there.
        notes: What was guessed or repaired, of published predictions.
    """

    model: str
    path: Path | None
    reason: str | None = None
    message: str = ""
    done: int = 0
    notes: tuple[str, ...] = ()
