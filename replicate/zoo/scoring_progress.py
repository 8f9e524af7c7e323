"""How far a run of the engine is: images scored, of those to be scored, once for each model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Say = Callable[[str, int, int], None]


@dataclass
class Progress:
    """Counts, and tells of them.

    Attributes:
        say: Told what is done, how much is done and how much there is: an image counts once for
            each model that is to score it in this run.
        done: Scored in this run.
        total: To be scored in this run; what others do, or what fails, is taken off.
    """

    say: Say
    done: int = 0
    total: int = 0
    _models: Mapping[range, int] = field(default_factory=dict)

    def begin(self, models: Mapping[range, int]) -> None:
        """What is to be done: shard → how many models are to score it."""
        self._models = models
        self.total = sum(len(shard) * count for shard, count in models.items())

    def turn(self, shard: range, models: int) -> None:
        """A shard begins: others have scored it in the meantime, or models have failed."""
        self.leave_out(len(shard) * (self._models.get(shard, models) - models))

    def at(self, what: str, more: int = 0) -> None:
        """Tell what is done now; ``more`` is scored but not yet kept."""
        self.say(what, self.done + more, self.total)

    def keep(self, images: int) -> None:
        """So many were scored and kept."""
        self.done += images

    def leave_out(self, images: int) -> None:
        """So many need not be scored, or cannot be."""
        self.total -= images
