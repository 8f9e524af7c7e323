"""Exports with pixels as files: an ImageFolder, and WebDataset shards.

Images are read one by one, so memory does not grow with the set; every image's bytes are checked
against the digest that the frozen set names before they are written.
"""

import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

from replicate.base.digests import canonical_json, sha256_bytes
from replicate.base.errors import MissingError, ReplicateError
from replicate.reporting.export_data import Column, Export, ExportImage, Table
from replicate.reporting.export_folder import Folder, suffix_of

Progress = Callable[[str, int, int], None]

IMAGE_COLUMNS = (
    Column("position", "Place in the frozen set, from 0; the set's order."),
    Column("file", "The file in this folder; for shards: shard, then the image's key in it."),
    Column("sha256", "SHA-256 of the published bytes."),
    Column("image_id", "SHA-256 of the file as it was gathered; the image's name everywhere else."),
    Column("class_id", "The class's id, or its wnid."),
    Column("label", "The class's place in classes.csv, from 0."),
    Column("stratum", "The stratum that it was drawn from; empty for strategies without strata."),
    Column("filled", "Whether it fills a gap of another stratum."),
    Column("selected", "How many people selected it for its class; empty: no votes."),
    Column("shown", "How many people judged it for its class."),
)
CLASS_COLUMNS = (
    Column("label", "The class's place in the study's class list, from 0."),
    Column("class_id", "Its id, or its wnid."),
    Column("name", "What people were asked for."),
    Column("synonyms", "Its other names, separated by semicolons."),
    Column("gloss", "A definition; may be empty."),
    Column("folder", "Its folder in an ImageFolder; the folders sort in the order of the labels."),
    Column("images", "How many images of it are here."),
)


def folder_names(class_ids: Sequence[str]) -> list[str]:
    """The folder of each class, such that folders sort as text in the order of the classes.

    Readers such as torchvision number classes by the text order of their folders. Wnids sort
    rightly and stay as they are; ids that do not (10 sorts before 2) get their place in front.

    >>> folder_names(["n01440764", "n01443537"])
    ['n01440764', 'n01443537']
    >>> folder_names(["2", "10"])
    ['0-2', '1-10']
    """
    names = [quote(class_id, safe=" ()+,;=@_") for class_id in class_ids]
    plain = all(not name.startswith(".") for name in names)
    if names == sorted(names) and plain:
        return names
    width = len(str(len(names) - 1))
    return [f"{position:0{width}d}-{name}" for position, name in enumerate(names)]


def published(export: Export, progress: Progress) -> Iterator[tuple[ExportImage, bytes]]:
    """Every image that is published and its bytes, in the set's order.

    Raises:
        MissingError: A file is gone.
        ReplicateError: A file has other content than the set was frozen with.
    """
    total = len(export.images)
    for done, image in enumerate(export.images):
        progress("writing images", done, total)
        try:
            data = export.read(image.published_id)
        except FileNotFoundError as error:
            raise MissingError(
                f"A file of the set {export.full_name} is gone: image {image.image_id}, "
                f"{export.which_bytes} bytes {image.published_id}.",
                "Make it again: replicate prepare --retry failed",
            ) from error
        if sha256_bytes(data) != image.published_id:
            raise ReplicateError(
                f"A file of the set {export.full_name} was changed: the {export.which_bytes} bytes "
                f"of image {image.image_id} no longer have the digest {image.published_id}.",
                "Put the right file back from a copy of the study; see which: replicate verify "
                f"sets/{export.full_name}.json",
            )
        yield image, data
    progress("writing images", total, total)


def image_row(image: ExportImage, file: str) -> list[object]:
    """A row of ``images.csv``."""
    return [
        image.position, file, image.published_id, image.image_id, image.class_id, image.label,
        image.stratum, image.filled, image.selected, image.shown,
    ]  # fmt: skip


def image_table(rows: Sequence[Sequence[object]]) -> Table:
    """The table of images."""
    return Table("images", "One image of the set, in the set's order.", IMAGE_COLUMNS, rows)


def class_table(export: Export) -> Table:
    """The class map."""
    counts = dict.fromkeys((item.class_id for item in export.classes), 0)
    for image in export.images:
        counts[image.class_id] += 1
    rows = [
        [
            item.index, item.class_id, item.name, "; ".join(item.synonyms), item.gloss,
            item.folder, counts[item.class_id],
        ]
        for item in export.classes
    ]  # fmt: skip
    return Table("classes", "One class, in the order of the labels.", CLASS_COLUMNS, rows)


def write_image_folder(folder: Folder, export: Export, progress: Progress) -> Table:
    """One folder a class, one file an image; files of a class sort in the set's order.

    Returns:
        The table of images.
    """
    folders = {item.class_id: item.folder for item in export.classes}
    width = _width(export)
    rows = []
    for image, data in published(export, progress):
        name = f"{image.position:0{width}d}-{image.image_id[:12]}{suffix_of(data)}"
        path = f"{folders[image.class_id]}/{name}"
        folder.add(path, data)
        rows.append(image_row(image, path))
    return image_table(rows)


def write_shards(folder: Folder, export: Export, shard_size: int, progress: Progress) -> Table:
    """Tar files of so many images each, as WebDataset reads them; the same bytes every time.

    A sample is the image, ``cls`` (its label as text) and ``json`` (its other columns).

    Returns:
        The table of images.
    """
    rows = []
    width = _width(export)
    images = published(export, progress)
    n_shards = -(-len(export.images) // shard_size)
    for number in range(n_shards):
        name = f"{export.full_name}-{number:06d}.tar"
        with folder.open(name) as handle, _tar(handle) as tar:
            for _ in range(min(shard_size, len(export.images) - number * shard_size)):
                image, data = next(images)
                key = f"{image.position:0{width}d}"
                row = image_row(image, f"{name}/{key}")
                about = {
                    column.name: value
                    for column, value in zip(IMAGE_COLUMNS, row, strict=True)
                    if column.name != "file"
                }
                _member(tar, key + suffix_of(data), data)
                _member(tar, f"{key}.cls", str(image.label).encode())
                _member(tar, f"{key}.json", canonical_json(about).encode())
                rows.append(row)
    return image_table(rows)


def _width(export: Export) -> int:
    last = max((image.position for image in export.images), default=0)
    return max(5, len(str(last)))


def _tar(handle: object) -> tarfile.TarFile:
    return tarfile.open(fileobj=handle, mode="w|", format=tarfile.USTAR_FORMAT)  # type: ignore[call-overload,no-any-return]


def _member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    # Owner, time and mode are the same everywhere: tarfile's own zeros, and a plain file.
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(data))
