"""A test set as a folder that others can check and load: one function a format.

Every export holds ``export.json`` (what it is, every file with its digest, the images left out),
``set.json`` (the frozen set's manifest), ``CITATION.md`` and ``README.md``. Its bytes follow from
the frozen set, the store and the versions of replicate and pyarrow alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from replicate import __version__
from replicate.base.digests import digest_value
from replicate.reporting.card import card
from replicate.reporting.croissant import croissant
from replicate.reporting.datasheet import datasheet
from replicate.reporting.export_data import Export, Table, rows_digest
from replicate.reporting.export_folder import SET, Folder
from replicate.reporting.export_images import (
    Progress,
    class_table,
    write_image_folder,
    write_shards,
)
from replicate.reporting.export_parquet import write_parquet
from replicate.reporting.export_texts import (
    attribution,
    attribution_table,
    citation,
    need_table,
    readme,
)

FORMAT = 1


@dataclass(frozen=True)
class Job:
    """What a format's writer is given.

    Attributes:
        folder: Where to.
        export: The set.
        shard_size: Images a shard, at least 1.
        progress: Where to show progress.
    """

    folder: Folder
    export: Export
    shard_size: int
    progress: Progress


@dataclass(frozen=True)
class Kind:
    """A format.

    Attributes:
        about: What it is, in a line.
        pixels: Whether it holds the images; its first table is then that of the images.
        write: Writes it, and gives the tables that its README explains.
    """

    about: str
    pixels: bool
    write: Callable[[Job], list[Table]]


def _image_folder(job: Job) -> list[Table]:
    return [write_image_folder(job.folder, job.export, job.progress)]


def _web_dataset(job: Job) -> list[Table]:
    return [write_shards(job.folder, job.export, job.shard_size, job.progress)]


def _parquet(job: Job) -> list[Table]:
    return [write_parquet(job.folder, job.export, job.shard_size, job.progress, hub=False)]


def _hugging_face(job: Job) -> list[Table]:
    table = write_parquet(job.folder, job.export, job.shard_size, job.progress, hub=True)
    job.folder.add_text("README.md", card(job.export, [table, class_table(job.export)]))
    return [table]


def _croissant(job: Job) -> list[Table]:
    table = write_parquet(job.folder, job.export, job.shard_size, job.progress, hub=True)
    job.folder.add_json("croissant.json", croissant(job.export, job.folder.files))
    return [table]


def _datasheet(job: Job) -> list[Table]:
    job.folder.add_text("DATASHEET.md", datasheet(job.export))
    return []


def _attribution(job: Job) -> list[Table]:
    return _credits(job.folder, job.export)


def _table(name: str) -> Callable[[Job], list[Table]]:
    def write(job: Job) -> list[Table]:
        job.progress(f"writing {name}", 0, 0)
        table = need_table(job.export, name)
        _add(job.folder, table)
        return [table]

    return write


KINDS: dict[str, Kind] = {
    "imagefolder": Kind("one folder a class, as torchvision reads it", True, _image_folder),
    "webdataset": Kind("tar shards", True, _web_dataset),
    "parquet": Kind("a plain table with the images' bytes", True, _parquet),
    "huggingface": Kind("a data-set folder with a card, for `datasets`", True, _hugging_face),
    "croissant": Kind("Croissant metadata with the Responsible-AI fields", True, _croissant),
    "datasheet": Kind("a datasheet for datasets, in Markdown", False, _datasheet),
    "attribution": Kind("whose each image is, and its licence", False, _attribution),
    "votes": Kind("every vote, workers as keyed hashes", False, _table("votes")),
    "frequencies": Kind("selection frequencies of all images", False, _table("frequencies")),
    "pool": Kind("the candidate pool, without pixels", False, _table("pool")),
}
ALL = "all"


def write_export(
    folder: Folder, export: Export, kind: str, shard_size: int, progress: Progress
) -> dict[str, Any]:
    """Write one export into an empty folder.

    Args:
        folder: Where to.
        export: The set.
        kind: A format's name, or ``all``.
        shard_size: Images a shard, at least 1.
        progress: Where to show progress.

    Returns:
        What ``export.json`` says.
    """
    about = describe(export, kind, shard_size)
    tables: list[Table] = []
    if kind == ALL:
        about["parts"] = {
            name: _part(Job(folder.part(name), export, shard_size, progress), name)
            for name in KINDS
        }
    else:
        tables = KINDS[kind].write(Job(folder, export, shard_size, progress))
        if KINDS[kind].pixels:
            tables += [class_table(export), *_credits(folder, export)]
            _add(folder, tables[0])
            _add(folder, tables[1])
    folder.add_text(SET, export.manifest)
    folder.add_text("CITATION.md", citation(export))
    if "README.md" not in folder.files:
        folder.add_text("README.md", readme(export, kind, tables))
    return folder.finish(about)


def describe(export: Export, kind: str, shard_size: int) -> dict[str, Any]:
    """What an export is: the head of ``export.json``.

    Its ``key`` is the digest of everything that the export's files follow from: two exports with
    the same key are the same bytes.
    """
    about: dict[str, Any] = {
        "format": FORMAT,
        "kind": kind,
        "study": export.study,
        "name": export.name,
        "revision": export.revision,
        "digest": export.digest,
        "manifest_digest": export.manifest_digest,
        "exploratory": export.frozen_at is None,
        "simulated": export.simulated,
        "bytes": export.which_bytes,
        "images": len(export.images),
        "left_out": {reason: sorted(ids) for reason, ids in sorted(export.left_out.items()) if ids},
        "made_with": _versions(kind),
    }
    if kind in ("webdataset", "parquet", "huggingface", "croissant", ALL):
        about["shard_size"] = shard_size
    return about | {"key": digest_value([about, _content(export, kind)])}


def _content(export: Export, kind: str) -> Any:
    """Everything that may show in the files of a format, but the pixels, which have digests."""
    names = [name for name in ("votes", "frequencies", "pool") if kind in (name, ALL)]
    return [
        repr((export.classes, export.images, export.annotation, export.gathering)),
        repr((export.parameters, export.match, export.original, export.n_original, export.notes)),
        [rows_digest(export.tables(name).rows) for name in names],
    ]


def _part(job: Job, kind: str) -> str:
    """One format of all of them, in a folder of its own; gives its digest."""

    def progress(what: str, done: int, total: int) -> None:
        job.progress(f"{kind}: {what}", done, total)

    written = write_export(job.folder, job.export, kind, job.shard_size, progress)
    return str(written["export_digest"])


def _versions(kind: str) -> dict[str, str]:
    found = {"replicate": __version__}
    if kind in ("parquet", "huggingface", "croissant", ALL):
        from importlib.metadata import version

        found["pyarrow"] = version("pyarrow")
    return found


def _credits(folder: Folder, export: Export) -> list[Table]:
    table = attribution_table(export)
    _add(folder, table)
    folder.add_text("ATTRIBUTION.md", attribution(export))
    return [table]


def _add(folder: Folder, table: Table) -> None:
    folder.add_csv(f"{table.name}.csv", [column.name for column in table.columns], table.rows)
