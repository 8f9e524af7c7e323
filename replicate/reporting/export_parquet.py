"""Exports with pixels in parquet files: a plain table, and what Hugging Face `datasets` reads."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from replicate.reporting.export_data import Export, ExportImage, Table
from replicate.reporting.export_folder import Folder, suffix_of
from replicate.reporting.export_images import Progress, image_row, image_table, published

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 256
GROUP_BYTES = 32 << 20  # a group of rows is what is held in memory
SPLIT = "test"


def write_parquet(
    folder: Folder, export: Export, shard_size: int, progress: Progress, *, hub: bool
) -> Table:
    """Parquet files of so many images each, in the set's order.

    Args:
        folder: Where to.
        export: What.
        shard_size: Images a file.
        progress: Where to show progress.
        hub: As `datasets` reads it: an ``image`` of bytes and path, a ``label`` that knows the
            classes' names; otherwise a plain table with a column ``bytes``.

    Returns:
        The table of images.
    """
    import pyarrow.parquet as pq

    schema = _schema(export, hub)
    stem = f"data/{SPLIT}" if hub else "images"
    n_shards = -(-len(export.images) // shard_size)
    images = published(export, progress)
    rows: list[list[object]] = []
    for number in range(n_shards):
        name = f"{stem}-{number:05d}-of-{n_shards:05d}.parquet"
        wanted = min(shard_size, len(export.images) - number * shard_size)
        with (
            folder.open(name) as handle,
            pq.ParquetWriter(
                handle,
                schema,
                compression=dict.fromkeys(_byte_columns(hub), "NONE")
                | dict.fromkeys(_leaf_columns(schema, hub), "ZSTD"),
                use_dictionary=["class_id", "stratum", "licence"],
                write_statistics=False,
            ) as writer,
        ):
            for group in _groups(images, wanted):
                writer.write_table(_table(group, schema, name, rows, hub))
    return image_table(rows)


def _groups(
    images: Iterator[tuple[ExportImage, bytes]], wanted: int
) -> Iterator[list[tuple[ExportImage, bytes]]]:
    group: list[tuple[ExportImage, bytes]] = []
    size = 0
    for _ in range(wanted):
        image, data = next(images)
        group.append((image, data))
        size += len(data)
        if len(group) == GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _table(
    group: list[tuple[ExportImage, bytes]],
    schema: "pa.Schema",
    name: str,
    rows: list[list[object]],
    hub: bool,
) -> "pa.Table":
    import pyarrow as pa

    records = []
    for image, data in group:
        key = f"{image.position:05d}-{image.image_id[:12]}{suffix_of(data)}"
        rows.append(image_row(image, f"{name}/{key}"))
        pixels: dict[str, Any] = (
            {"image": {"bytes": data, "path": key}} if hub else {"file": key, "bytes": data}
        )
        records.append(
            pixels
            | {
                "label": image.label,
                "class_id": image.class_id,
                "position": image.position,
                "image_id": image.image_id,
                "sha256": image.published_id,
                "stratum": image.stratum,
                "filled": image.filled,
                "selected": image.selected,
                "shown": image.shown,
                "licence": image.licence.name,
                "owner": image.owner,
                "page_url": image.page_url,
            }
        )
    return pa.Table.from_pylist(records, schema=schema)


def _schema(export: Export, hub: bool) -> "pa.Schema":
    import pyarrow as pa

    fields: list[Any] = (
        [pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
        if hub
        else [pa.field("file", pa.string()), pa.field("bytes", pa.binary())]
    )
    fields += [pa.field("label", pa.int64())]
    fields += [pa.field(name, pa.string()) for name in ("class_id",)]
    fields += [pa.field("position", pa.int64())]
    fields += [pa.field(name, pa.string()) for name in ("image_id", "sha256", "stratum")]
    fields += [pa.field("filled", pa.bool_())]
    fields += [pa.field(name, pa.int64()) for name in ("selected", "shown")]
    fields += [pa.field(name, pa.string()) for name in ("licence", "owner", "page_url")]
    metadata = {"replicate.set": export.full_name, "replicate.digest": export.digest}
    if hub:
        metadata["huggingface"] = json.dumps({"info": {"features": features(export)}})
    return pa.schema(fields, metadata=metadata)


def features(export: Export) -> dict[str, Any]:
    """The columns as `datasets` describes them."""
    text, number = (
        {"dtype": "string", "_type": "Value"},
        {"dtype": "int64", "_type": "Value"},
    )
    return {
        "image": {"_type": "Image"},
        "label": {"names": class_names(export), "_type": "ClassLabel"},
        "class_id": text,
        "position": number,
        "image_id": text,
        "sha256": text,
        "stratum": text,
        "filled": {"dtype": "bool", "_type": "Value"},
        "selected": number,
        "shown": number,
        "licence": text,
        "owner": text,
        "page_url": text,
    }


def class_names(export: Export) -> list[str]:
    """A name for each class that no other has: its own, with its id where two share one."""
    names = [item.name for item in export.classes]
    return [
        f"{item.name} ({item.class_id})" if names.count(item.name) > 1 else item.name
        for item in export.classes
    ]


def _byte_columns(hub: bool) -> list[str]:
    return ["image.bytes" if hub else "bytes"]


def _leaf_columns(schema: "pa.Schema", hub: bool) -> list[str]:
    names = [name for name in schema.names if name not in ("image", "bytes")]
    return [*names, "image.path"] if hub else names
