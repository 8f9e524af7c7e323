"""A zoo on one set, as units of work: a model and a shard of images, each ending in one file.

A unit reads files and writes one file that is whole or not there, so that units may run in any
order, in any process, on any machine that shares the folder; be killed, and be done twice. When
the last shard of a model is there, its parts become one prediction file.
"""

import glob
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from replicate import __version__
from replicate.base.errors import ItemError, ReplicateError
from replicate.base.files import read_json, write_json
from replicate.zoo.leases import LIFETIME, lease
from replicate.zoo.loaded import LoadedModel
from replicate.zoo.machine import give_back_memory, usable_threads
from replicate.zoo.output_maps import OutputMap, output_map
from replicate.zoo.pixels import DECODER
from replicate.zoo.prediction_files import Key, Scored, path_of, write
from replicate.zoo.scheme_predictions import is_published
from replicate.zoo.schemes import open_model
from replicate.zoo.scoring import runner
from replicate.zoo.scoring_job import Job, Outcome
from replicate.zoo.scoring_memory import Identity, Memory, identity
from replicate.zoo.scoring_parts import read_part, write_part
from replicate.zoo.scoring_progress import Progress, Say
from replicate.zoo.view_cache import cut_views, remove_leftovers, shard_length


@dataclass
class Model:
    """A model that is not finished."""

    name: str
    known: Identity
    unit: str
    done: int = 0
    failed: ReplicateError | None = None
    ready: "tuple[LoadedModel, OutputMap] | None" = None
    facts: "Facts | None" = None


@dataclass(frozen=True)
class Facts:
    """What a prediction file says of a model: enough to write it without loading it again."""

    weights: str
    preprocessing: str
    family: str
    parameters: int
    card: Mapping[str, Any]
    outputs: OutputMap


class Work:
    """One run of a job; ``hold`` is how many bytes of models may stay loaded."""

    def __init__(self, job: Job, shared: bool, lifetime: float, say: Say, hold: int = 0) -> None:
        self.job, self.shared, self.lifetime, self.hold = job, shared, lifetime, hold
        self.progress = Progress(say)
        notes = job.work / "models"
        self.memory = Memory(notes, job.folder, job.way, len(job.images.items))

    def plan(self, name: str) -> "Outcome | Model":
        """What is there of a model, or what is to be done."""
        job, unit = self.job, None
        try:
            known = self._identity(name)
        except ReplicateError as error:
            return Outcome(name, None, *self.memory.fail(unit, error))
        unit = self.memory.unit(name, known.key)
        if (path := self.memory.finished(unit)) is not None:
            return Outcome(name, path)
        if not job.retry and (before := self.memory.failed(unit)) is not None:
            return Outcome(name, None, *before)
        return Model(name, known, unit)

    def _identity(self, name: str) -> Identity:
        return identity(name, self.job.options, self.job.output / ".work" / "weights")

    def shards(self, models: list[Model]) -> Iterator[range]:
        """The shards of the set, as all workers and all runs cut them."""
        n, note = len(self.job.images.items), self.job.work / "shards.json"
        views = list({model.known.description.view for model in models})
        length = min(shard_length(views, self.job.cache_limit), self.job.most_images)
        with suppress(OSError, ValueError, KeyError):
            length = int(read_json(note)["length"])
        write_json(note, {"length": length})
        for start in range(0, n, length):
            yield range(start, min(start + length, n))

    def all_shards(self, models: list[Model]) -> None:
        """Score every shard; beside other workers those first that none of them is at.

        Two workers at one shard both decode it, so that is what they do when nothing else is left.
        """
        later, shards = [], list(self.shards(models))
        self.progress.begin({shard: len(self.lacking(models, shard)) for shard in shards})
        for shard in shards:
            with self._lease(f"shard.{shard.start}") as ours:
                if ours:
                    self.shard(models, shard)
                else:
                    later.append(shard)
        for shard in later:
            self.shard(models, shard)

    def part(self, model: Model, shard: range) -> Path:
        """Where the predictions of a unit are, or would be."""
        return self.job.work / "parts" / model.unit / f"{shard.start}-{shard.stop}.npz"

    def lacking(self, models: list[Model], shard: range) -> list[Model]:
        """The models that have no predictions on a shard yet."""
        return [m for m in models if m.failed is None and not self.part(m, shard).exists()]

    def shard(self, models: list[Model], shard: range) -> None:
        """Decode a shard once, and score every model on it that lacks it."""
        todo = self.lacking(models, shard)
        self.progress.turn(shard, len(todo))
        if not todo:
            return
        job = self.job
        self.progress.at("decoding")
        views = list(dict.fromkeys(m.known.description.view for m in todo))
        threads = usable_threads() + 1
        with cut_views(job.images.read, shard, views, job.work, threads) as cache:
            for model in todo:
                with self._lease(f"{model.unit}.{shard.start}") as ours:
                    if not ours or self._there(model, shard):
                        self.progress.leave_out(len(shard))
                        continue
                    try:
                        pixels = np.asarray(cache.views[model.known.description.view])
                        scored = self._score(model, pixels)
                    except ReplicateError as error:
                        model.failed = error
                        self.progress.leave_out(len(shard))
                        continue
                    finally:
                        self._let_go(model, models)
                    write_part(self.part(model, shard), scored, cache.failed)
                    model.done += len(shard)
                    self.progress.keep(len(shard))

    def _let_go(self, model: Model, models: list[Model]) -> None:
        """One model in memory at a time, or as many as we may hold."""
        bytes_held = sum(4 * each.ready[0].parameters for each in models if each.ready)
        if len(models) > 1 and bytes_held > self.hold:
            model.ready = None
            give_back_memory()

    def _there(self, model: Model, shard: range) -> bool:
        """Whether a unit is done, by another worker if there are others."""
        if self.part(model, shard).exists():
            return True
        return self.shared and self.memory.finished(model.unit) is not None

    def _lease(self, unit: str) -> AbstractContextManager[bool]:
        if not self.shared:
            return nullcontext(True)
        return lease(self.job.work / "leases", unit, self.lifetime)

    def forget_leases(self, models: list[Model]) -> None:
        """Remove what lost workers held of models that are finished."""
        for name in ("shard", *(model.unit for model in models)):
            for left in (self.job.work / "leases").glob(f"{glob.escape(name)}.*.lease"):
                left.unlink(missing_ok=True)

    def _ready(self, model: Model) -> tuple[LoadedModel, OutputMap]:
        if model.ready is None:
            loaded, classes = open_model(model.name, self.job.options), self.job.images.classes
            if loaded.description.view != model.known.description.view:
                raise ItemError("bad_model", f"{model.name} changed its view while it was loaded")
            outputs = output_map(
                loaded.outputs, loaded.n_outputs, classes, self.job.class_map, self.job.restrict,
                self.job.names,
            )  # fmt: skip
            model.ready = (loaded, outputs)
            found = loaded.description
            model.facts = Facts(
                loaded.weights_digest, found.preprocessing, found.family, loaded.parameters,
                found.card, outputs,
            )  # fmt: skip
        return model.ready

    def _score(self, model: Model, pixels: Any) -> Scored:
        self.progress.at(model.name)
        ready = runner(*self._ready(model), self.job.how)
        return ready.score(pixels, lambda at: self.progress.at(model.name, at))

    def finish(self, model: Model) -> Outcome:
        """The parts of a model as one file, if all are there."""
        if model.failed is None:
            try:
                return self._joined(model)
            except ReplicateError as error:
                model.failed = error
        return Outcome(model.name, None, *self.memory.fail(model.unit, model.failed))

    def _joined(self, model: Model) -> Outcome:
        folder = self.part(model, range(0)).parent
        if self.shared and (there := self.memory.finished(model.unit)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            return Outcome(model.name, there, done=model.done)
        parts: list[Scored] = []
        failed: dict[int, str] = {}
        at = 0
        for path in sorted(folder.glob("[0-9]*.npz"), key=lambda p: int(p.name.split("-")[0])):
            try:
                scored, reasons = read_part(path)
            except FileNotFoundError:  # another worker has just put them together
                break
            failed |= {at + place: reason for place, reason in reasons.items()}
            parts.append(scored)
            at += len(scored.classes)
        if at < len(self.job.images.items):
            return Outcome(
                model.name, self.memory.finished(model.unit), None, "others work on it", model.done
            )
        path, key = self._write(model, parts[0].joined(parts[1:]), failed)
        self.memory.remember(model.unit, path, key)
        if model.known.fetched:  # now they are known by another name
            now = self._identity(model.name)
            self.memory.remember(self.memory.unit(model.name, now.key), path, key)
        shutil.rmtree(folder, ignore_errors=True)
        return Outcome(model.name, path, done=model.done)

    def _write(self, model: Model, scored: Scored, failed: Mapping[int, str]) -> tuple[Path, Key]:
        job, images = self.job, self.job.images
        if model.facts is None:  # all parts are another run's
            self._ready(model)
        facts, model.ready = model.facts, None
        if facts is None:
            raise ItemError("bad_model", f"{model.name} could not be loaded")
        outputs = facts.outputs
        key = Key(
            facts.weights,
            f"{DECODER}+{facts.preprocessing}",
            job.how.kept_as,
            outputs.name,
            images.digest,
        )
        labels = outputs.labels(images.class_ids) if images.class_ids else None
        header = {
            "model": model.name,
            "family": facts.family,
            "set": images.name,
            "n": len(images.items),
            "key": key.digest,
            "depends_on": asdict(key),
            "classes": list(outputs.classes),
            "failed_images": {images.items[at]: reason for at, reason in sorted(failed.items())},
            "parameters": facts.parameters,
            "card": dict(facts.card),
            "versions": {"replicate": __version__, **_versions()},
        }
        path = path_of(job.folder, model.name, key)
        write(path, header, images.items, labels, scored)
        return path, key


def run_job(
    job: Job,
    shared: bool = False,
    lifetime: float = LIFETIME,
    say: Say = lambda *_: None,
    executor: str = "local",
    workers: int = 1,
) -> list[Outcome]:
    """Score what is missing.

    Args:
        job: The job.
        shared: Whether other workers may be at it: units are then taken by lease.
        lifetime: Of leases, in seconds.
        say: Told what is done; see `Progress`.
        executor: ``local`` (this process) or ``ray`` (actors of Ray that hold loaded models).
        workers: How many actors.

    Returns:
        One a model, in the job's order.
    """
    names = list(dict.fromkeys(job.models))
    published = [name for name in names if is_published(name)]
    outcomes: dict[str, Outcome] = {}
    if published:
        from replicate.zoo.published_scoring import score_published

        outcomes |= {outcome.model: outcome for outcome in score_published(job, published)}
    work = Work(job, shared, lifetime, say)
    plans = [work.plan(name) for name in names if name not in outcomes]
    models = [plan for plan in plans if isinstance(plan, Model)]
    outcomes |= {plan.model: plan for plan in plans if isinstance(plan, Outcome)}
    if models:
        if not shared:
            remove_leftovers(job.work)
        if executor == "ray":
            from replicate.zoo.scoring_ray import score_on_ray

            score_on_ray(work, models, workers)
        else:
            work.all_shards(models)
        outcomes |= {model.name: work.finish(model) for model in models}
        if not shared:
            (job.work / "shards.json").unlink(missing_ok=True)
        elif all(outcomes[model.name].path for model in models):
            work.forget_leases(models)
    return [outcomes[name] for name in names]


def _versions() -> dict[str, str]:
    import torch

    return {"torch": str(torch.__version__), "numpy": np.__version__}
