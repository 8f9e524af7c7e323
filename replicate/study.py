"""A study on disk: its pipeline file, its database, its images, models and predictions."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from replicate.base.blobs import Blobs, below, open_blobs
from replicate.base.errors import GuardError, MissingError, UsageError
from replicate.base.files import write_text
from replicate.base.resources import data_dir
from replicate.pipeline import LoadedPipeline, Pipeline, load_pipeline, parse_pipeline
from replicate.sources.terms import (
    Rules,
    Term,
    named_classes,
    read_translations,
    read_wnids,
    search_terms,
)
from replicate.sources.wordnet import find_wordnet
from replicate.store import database
from replicate.store.rules import follow_rules

PIPELINE_FILE = "pipeline.toml"


@dataclass(frozen=True)
class StudyClass:
    """One class of a study.

    Attributes:
        class_id: Its id, or its wnid.
        position: Its place in the class list, from 0; what class maps refer to.
        name: What workers are asked for.
        synonyms: Its other names.
        gloss: A definition; may be empty.
        terms: Search terms, at least one.
        similar: Id of the most similar other class, from which negative controls come.
        shared: Those of its names that other classes of the study have as well.
    """

    class_id: str
    position: int
    name: str
    synonyms: tuple[str, ...]
    gloss: str
    terms: tuple[Term, ...]
    similar: str | None
    shared: tuple[str, ...] = ()


class Study:
    """An open study.

    Args:
        root: The study folder.
        loaded: Its pipeline file.

    Attributes:
        images: Gathered files, by image id.
        prepared: Prepared bytes, by their digest.
        displays: Copies that workers see, by their digest.
        may_upgrade: Whether a database of an older schema may be brought to ours.
        tell: Is told when that was done.
    """

    def __init__(self, root: Path, loaded: LoadedPipeline) -> None:
        self.root = root
        self.loaded = loaded
        place = loaded.pipeline.study.images
        kept = place if place and "://" in place else root / Path(place or "").expanduser()
        self.images: Blobs = open_blobs(below(kept, "images"))
        self.prepared: Blobs = open_blobs(below(kept, "prepared"))
        self.displays: Blobs = open_blobs(below(kept, "display"))
        self.may_upgrade = True
        self.tell: Callable[[str], None] = lambda _: None

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline's values."""
        return self.loaded.pipeline

    @property
    def seed(self) -> int:
        """The seed of all random choices."""
        return self.pipeline.study.seed

    @property
    def steps(self) -> str:
        """The name of the study's preparation: its transformations, joined by '+'."""
        return "+".join(self.pipeline.prepare.steps)

    @property
    def models_dir(self) -> Path:
        """Where trained weights are."""
        return self.root / "models"

    @property
    def predictions_dir(self) -> Path:
        """Where per-image predictions are."""
        return self.root / "predictions"

    @property
    def report_dir(self) -> Path:
        """Where the report is."""
        return self.root / "report"

    @property
    def sandbox_dir(self) -> Path:
        """Where the local Flickr and the crowd server keep their own things."""
        return self.root / "sandbox"

    @cached_property
    def classes(self) -> tuple[StudyClass, ...]:
        """The study's classes, in order: its own, or those of a list of wnids.

        Raises:
            UsageError: The list of wnids is wrong.
            MissingError: There is no such list, or no WordNet to look its wnids up in.
        """
        if self.pipeline.classes.wnids is not None:
            return self._wordnet_classes(self.root / self.pipeline.classes.wnids)
        return tuple(
            StudyClass(
                class_id=item.id,
                position=position,
                name=item.name,
                synonyms=item.synonyms,
                gloss=item.gloss,
                terms=tuple(search_terms(item.name, item.synonyms, item.terms)),
                similar=item.similar,
            )
            for position, item in enumerate(self.pipeline.class_)
        )

    def _wordnet_classes(self, path: Path) -> tuple[StudyClass, ...]:
        config = self.pipeline.classes
        translations: dict[str, list[str]] = {}
        for name in config.translations:
            for wnid, words in read_translations(self.root / name).items():
                translations.setdefault(wnid, []).extend(words)
        rules = Rules(
            parents=config.parents,
            compounds=config.compounds,
            disambiguate=config.disambiguate,
            translations=translations,
            own=config.terms,
            more=config.more_terms,
        )
        return tuple(
            StudyClass(
                class_id=item.wnid,
                position=position,
                name=item.name,
                synonyms=item.synonyms,
                gloss=item.gloss,
                terms=item.terms,
                similar=item.similar,
                shared=item.shared,
            )
            for position, item in enumerate(named_classes(find_wordnet(), read_wnids(path), rules))
        )

    @cached_property
    def database_url(self) -> str:
        """Where the study's memory is."""
        return (
            os.environ.get("REPLICATE_DATABASE_URL")
            or self.pipeline.study.database
            or database.sqlite_url(self.root / "study.db")
        )

    @cached_property
    def engine(self) -> Engine:
        """The database, brought to our schema and to the pipeline file's rules on work.

        So a changed rule changes the selection frequencies at once, whatever asks for them.

        Raises:
            GuardError: The database is of a newer schema, or of an older one and may not be
                changed.
        """
        engine = database.connect(self.database_url)
        database.upgrade(engine, self.may_upgrade, self.tell)
        follow_rules(engine, self.pipeline.label.rules())
        return engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction on the study's database."""
        with database.session(self.engine) as session:
            yield session

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Nobody else works on this study while the block runs.

        The lock goes with the process, however that ends.

        Raises:
            GuardError: Another process works on it.
        """
        import fcntl

        with (self.root / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise GuardError(
                    f"Another replicate is working on the study {self.root}.",
                    "Wait for it, or look at it: replicate status",
                ) from None
            yield

    def close(self) -> None:
        """Let go of the database."""
        with contextlib.suppress(KeyError):
            self.__dict__.pop("engine").dispose()


def init_study(root: Path, template: str, size: str = "full", seed: int | None = None) -> Study:
    """Write a study folder with its pipeline file, and open it.

    Args:
        root: The folder; made if it is not there.
        template: A folder of `pipelines/`: `digits`, `imagenet_v2` or `cifar10_1`.
        size: `full`, or `small` where the template has one.
        seed: Another seed than the template's.

    Raises:
        UsageError: There is a pipeline file already, or no such template.
    """
    target = root / PIPELINE_FILE
    if target.exists():
        raise UsageError(
            f"{root} holds a study already; its pipeline file was left as it is.",
            f"Carry it on: replicate -C {root} run",
        )
    source = data_dir("pipelines") / template
    name = PIPELINE_FILE if size == "full" else f"pipeline-{size}.toml"
    if not (source / name).is_file():
        choices = sorted(path.parent.name for path in data_dir("pipelines").glob(f"*/{name}"))
        raise UsageError(
            f"There is no {size} pipeline {template!r}.", f"Choose one of: {', '.join(choices)}"
        )
    text = (source / name).read_text(encoding="utf-8")
    if seed is not None:
        text = re.sub(r"(?m)^seed = \d+$", f"seed = {seed}", text, count=1)
    parse_pipeline(text, source / name)
    root.mkdir(parents=True, exist_ok=True)
    for extra in sorted(source.glob("*.txt")):
        write_text(root / extra.name, extra.read_text(encoding="utf-8"))
    write_text(target, text)
    return open_study(root)


def open_study(root: Path) -> Study:
    """Open the study in a folder.

    Raises:
        MissingError: There is no pipeline file in it.
        PipelineError: The pipeline file is wrong.
    """
    return Study(root.resolve(), load_pipeline(root.resolve() / PIPELINE_FILE))


def find_study(start: Path) -> Path:
    """The nearest folder with a pipeline file, from `start` upwards.

    Raises:
        MissingError: There is none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / PIPELINE_FILE).is_file():
            return folder
    raise MissingError(
        f"There is no study in {start.resolve()} nor above it.",
        "Name one with -C DIR, or begin one: replicate init DIR --from digits",
    )
