"""What an export of a test set is made from, as plain records; the ``export`` stage fills them."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

BYTES = ("prepared", "gathered", "display")
Bytes = Literal["prepared", "gathered", "display"]

BYTES_MEAN = {
    "prepared": "the images after the study's preparation, which models are scored on",
    "gathered": "the files as they were gathered",
    "display": "the copies that the workers saw",
}


@dataclass(frozen=True)
class Licence:
    """A licence that images are under.

    Attributes:
        code: As the source writes it; empty: not known.
        name: Its name, such as "CC BY 2.0".
        url: Its text; empty if there is none.
    """

    code: str
    name: str
    url: str = ""


@dataclass(frozen=True)
class ExportClass:
    """A class of the study.

    Attributes:
        class_id: Its id, or its wnid.
        index: Its place in the study's class list, from 0: the label in every format.
        name: What people were asked for.
        synonyms: Its other names.
        gloss: A definition; may be empty.
        folder: The name of its folder in an ImageFolder.
    """

    class_id: str
    index: int
    name: str
    synonyms: tuple[str, ...]
    gloss: str
    folder: str


@dataclass(frozen=True)
class ExportImage:
    """One image of the set that is published.

    Attributes:
        position: Its place in the frozen set, from 0.
        image_id: SHA-256 of the file as it was gathered.
        published_id: SHA-256 of the bytes that are published.
        class_id: Its class.
        label: The class's place in the class list.
        stratum: The stratum it was drawn from.
        filled: Whether it fills a gap of another stratum.
        selected: How many people selected it for its class; None without votes.
        shown: How many judged it for its class; None without votes.
        source: Where it was gathered; empty if not known.
        source_id: The source's own id.
        page_url: The page that shows it.
        url: The address it was downloaded from.
        owner: Whose it is.
        title: Its title.
        licence: Its licence.
        uploaded: When it was uploaded, as the source writes it.
        taken: When it was taken, likewise.
    """

    position: int
    image_id: str
    published_id: str
    class_id: str
    label: int
    stratum: str
    filled: bool
    selected: int | None
    shown: int | None
    source: str = ""
    source_id: str = ""
    page_url: str = ""
    url: str = ""
    owner: str = ""
    title: str = ""
    licence: Licence = Licence("", "unknown")
    uploaded: str = ""
    taken: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table: its name and what it says."""

    name: str
    meaning: str


class Rows(Protocol):
    """Rows that can be gone through again and again: a list, or a question to a database."""

    def __iter__(self) -> Iterator[Sequence[Any]]:
        """The rows, in the same order every time."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...


class Streamed:
    """Rows that are made each time they are gone through, and are never held all together.

    Args:
        make: Makes them.
    """

    def __init__(self, make: Callable[[], Iterator[Sequence[Any]]]) -> None:
        self._make = make
        self._count: int | None = None

    def __iter__(self) -> Iterator[Sequence[Any]]:
        count = 0
        for row in self._make():
            count += 1
            yield row
        self._count = count

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(1 for _ in self._make())
        return self._count

    @cached_property
    def digest(self) -> str:
        """The digest of the rows in their order; they are gone through for it once."""
        return _digest(self)


def rows_digest(rows: Rows) -> str:
    """The SHA-256 of some rows in their order.

    >>> rows_digest([[1, "a"]]) == rows_digest(Streamed(lambda: iter([[1, "a"]])))
    True
    """
    return rows.digest if isinstance(rows, Streamed) else _digest(rows)


def _digest(rows: Rows) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Table:
    """A table that is published, and what its columns say.

    Attributes:
        name: Its file is ``name.csv``.
        about: What a row is.
        columns: The columns, in order.
        rows: The rows, in a fixed order; values are text, numbers, bool or None.
    """

    name: str
    about: str
    columns: tuple[Column, ...]
    rows: Rows


@dataclass(frozen=True)
class Annotation:
    """How the votes came about.

    Attributes:
        platforms: Where people worked, as the provider says it.
        simulated: Whether any of the workers is simulated.
        question: What was asked.
        instructions: Further lines of the instructions.
        photographs_only: Whether drawings and paintings were to be left alone.
        consent: What workers read about the study; may be empty.
        language: The page's language.
        reward: US dollars an assignment, as text.
        hourly: US dollars an hour at the expected pace.
        paid: What was paid to workers in all, as text; empty if nothing is in the ledger.
        assignments_wanted: Workers asked for each page.
        images_per_page: Images of all kinds on a full page.
        controls_per_page: Controls among them.
        pages: Pages published.
        assignments: Submissions received.
        workers: Different workers.
        workers_left_out: Those whose votes the rules leave out.
        votes: Votes that count.
        votes_left_out: Votes that the rules leave out.
        rules: The rules on work, by name.
        control_accuracy: Share of right answers on controls; None if unknown.
        icc: Intra-class correlation of the votes on a candidate; None if it cannot be told.
        agreement: Share of pairs of votes on an image of the set that agree; None if unknown.
        first: Day of the first submission; empty if unknown.
        last: Day of the last one.
    """

    platforms: tuple[str, ...]
    simulated: bool
    question: str
    instructions: tuple[str, ...]
    photographs_only: bool
    consent: str
    language: str
    reward: str
    hourly: str
    paid: str
    assignments_wanted: int
    images_per_page: int
    controls_per_page: int
    pages: int
    assignments: int
    workers: int
    workers_left_out: int
    votes: int
    votes_left_out: int
    rules: Mapping[str, float]
    control_accuracy: float | None
    icc: float | None
    agreement: float | None
    first: str
    last: str


@dataclass(frozen=True)
class Gathering:
    """Where the candidates came from.

    Attributes:
        source: ``flickr``, ``folder``, ``table``, …
        simulated: Whether the source was the local Flickr.
        search: How it was searched, in words.
        windows: Ranges of upload days that were searched, as text.
        licences: The licences that were accepted; empty: any.
        first: Day of the first search; empty if unknown.
        last: Day of the last one.
        found: Candidates found.
        failed: Those that could not be downloaded, by reason.
        files: Different files.
        looked_at: Candidates in which near-duplicates were sought.
        dropped: Near-duplicates removed, by reason.
        dedup: How near-duplicates were sought, in words.
        pool: The candidates that were left.
    """

    source: str
    simulated: bool
    search: str
    windows: tuple[str, ...]
    licences: tuple[str, ...]
    first: str
    last: str
    found: int
    failed: Mapping[str, int]
    files: int
    looked_at: int
    dropped: Mapping[str, int]
    dedup: str
    pool: int


@dataclass(frozen=True)
class Export:
    """A test set with all that its exports say of it.

    Attributes:
        study: The study's name.
        name: The set's name.
        revision: Its revision.
        digest: The set's digest.
        manifest_digest: The digest of all that its manifest says.
        manifest: The manifest's text.
        frozen_at: When it was frozen; None: it was not, and its export is exploratory.
        created_at: When it was drawn.
        strategy: How it was drawn.
        parameters: The strategy's parameters.
        match: How well it matches the original, as the sampling found it.
        original: What the original is.
        n_original: Images of the original.
        steps: The preparation's named transformations.
        which_bytes: Which bytes are published.
        classes: Every class of the study, in order.
        images: The images that are published, in the set's order.
        left_out: The images of the set that are not published, by reason.
        annotation: How the votes came about; None without votes.
        gathering: Where the candidates came from.
        seed: The study's seed.
        versions: Versions of replicate and libraries when the set was drawn.
        notes: What else readers have to know, a sentence each.
        read: Gives the bytes of a digest that is published.
        tables: Gives a further table by its name: votes, frequencies, pool.
    """

    study: str
    name: str
    revision: int
    digest: str
    manifest_digest: str
    manifest: str
    frozen_at: str | None
    created_at: str
    strategy: str
    parameters: Mapping[str, Any]
    match: Mapping[str, Any]
    original: str
    n_original: int
    steps: str
    which_bytes: Bytes
    classes: tuple[ExportClass, ...]
    images: tuple[ExportImage, ...]
    left_out: Mapping[str, Sequence[str]]
    annotation: Annotation | None
    gathering: Gathering
    seed: int
    versions: Mapping[str, str]
    read: Callable[[str], bytes]
    tables: Callable[[str], Table]
    notes: tuple[str, ...] = field(default=())

    @property
    def full_name(self) -> str:
        """Name and revision."""
        return f"{self.name}-{self.revision}"

    @property
    def simulated(self) -> bool:
        """Whether votes of simulated workers are behind the set."""
        return self.annotation is not None and self.annotation.simulated

    @property
    def present(self) -> tuple[ExportClass, ...]:
        """The classes that have an image here."""
        there = {image.class_id for image in self.images}
        return tuple(item for item in self.classes if item.class_id in there)
