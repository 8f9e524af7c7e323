"""Features of a set of images, as Arrow files: one a model and set, whole or not there."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError
from replicate.base.files import atomic_path
from replicate.zoo.embedding import embedder
from replicate.zoo.feature_files import read_features
from replicate.zoo.image_sets import Images
from replicate.zoo.loaded import LoadedModel
from replicate.zoo.machine import prepare_torch, usable_threads
from replicate.zoo.prediction_files import Key, path_of
from replicate.zoo.tensors import standardised
from replicate.zoo.view_cache import cut_views, remove_leftovers

BATCH = 32
_SHARD = 2000


def features_path(output: Path, model: LoadedModel, images: Images) -> Path:
    """Where a model's features of a set are kept, or would be."""
    way = model.description.preprocessing
    key = Key(model.weights_digest, way, "fp32", "features", images.digest)
    return path_of(output / images.name, model.name, key)


def make_features(model: LoadedModel, images: Images, output: Path) -> tuple[Path, int]:
    """Make a model's features of a set, unless they are there.

    Images that cannot be read have features that are not numbers, and keep their place.

    Args:
        model: The model.
        images: The set.
        output: The folder of features.

    Returns:
        The file, and how many images could not be read (0 if the file was there).

    Raises:
        ItemError: The model has no features, or fails.
    """
    path = features_path(output, model, images)
    if path.is_file():
        return path, 0
    network, work = embedder(model), output / ".work" / images.name
    parts: list[npt.NDArray[np.float32]] = []
    broken = 0
    remove_leftovers(work)
    for start in range(0, len(images.items), _SHARD):
        shard = range(start, min(start + _SHARD, len(images.items)))
        view = model.description.view
        with cut_views(images.read, shard, [view], work, usable_threads() + 1) as cache:
            parts.append(_embedded(model, network, cache.views[view]))
            for at in cache.failed:
                parts[-1][at] = np.nan
            broken += len(cache.failed)
    _write(path, images.items, np.concatenate(parts))
    return path, broken


def _embedded(
    model: LoadedModel, network: object, views: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    import torch

    prepare_torch()
    mean, std = model.description.mean, model.description.std
    parts = []
    try:
        with torch.inference_mode():
            for at in range(0, len(views), BATCH):
                batch = standardised(np.asarray(views[at : at + BATCH]), mean, std)
                parts.append(network(batch).float().numpy().copy())  # type: ignore[operator]
    except RuntimeError as error:
        raise ItemError("model_failed", f"{model.name}: {error}") from error
    return np.concatenate(parts)


def _write(path: Path, items: tuple[str, ...], values: npt.NDArray[np.float32]) -> None:
    import pyarrow as pa
    from pyarrow import feather

    flat = pa.array(np.ascontiguousarray(values).reshape(-1), pa.float32())
    lists = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    table = pa.table({"item": pa.array(items, pa.string()), "features": lists})
    with atomic_path(path) as temporary:
        feather.write_feather(table, temporary, compression="uncompressed")


def read_rows(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Features of the images that could be read, and which these are.

    Returns:
        Shape (readable, width), and shape (n,).
    """
    values = read_features(path).values
    readable = np.asarray(np.isfinite(values).all(axis=1))
    return values[readable].astype(np.float64), readable
