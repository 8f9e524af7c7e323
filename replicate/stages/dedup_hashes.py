"""What dedup needs of prepared images: their grey values, and hashes that are made only once."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from sqlalchemy import delete, insert, select

from replicate.base.digests import canonical_json
from replicate.base.images import decode, grey
from replicate.duplicates.hashing import current_info, empty_hashes, phash_greys
from replicate.stages.common import Context
from replicate.store.tables import Hash

Pixels = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

_BATCH = 1000  # images hashed between two transactions
_COMPARED_SIDE = 64  # pixels: images that are not all of one size are compared at this one


def load(context: Context, prepared: Sequence[str]) -> list[Pixels]:
    """Grey values of prepared images, by the digests of their bytes."""
    pixels = []
    for position, digest in enumerate(prepared):
        if position % _BATCH == 0:
            context.progress("reading prepared images", position, len(prepared))
        pixels.append(grey(decode(context.study.prepared.get(digest))))
    return pixels


def stored_hashes(context: Context, digests: Sequence[str], pixels: Sequence[Pixels]) -> Words:
    """The hashes of prepared images, in their order; what is not stored yet is made and stored.

    Args:
        context: The stage's context; `[dedup] bits` says how long a hash is.
        digests: Digests of the prepared bytes; they may repeat.
        pixels: Their grey values.
    """
    bits = context.study.pipeline.dedup.bits
    algorithm = f"phash-{bits}"
    versions = canonical_json(current_info(bits).as_dict())
    with context.study.session() as session:
        known = dict(
            session.execute(
                select(Hash.prepared_id, Hash.value).where(
                    Hash.algorithm == algorithm, Hash.versions == versions
                )
            )
            .tuples()
            .all()
        )
    first_place = {digest: place for place, digest in reversed(list(enumerate(digests)))}
    missing = [digest for digest in first_place if digest not in known]
    for batch in _batches(missing):
        context.progress("hashing", len(known), len(first_place))
        made = phash_greys([pixels[first_place[digest]] for digest in batch], bits)
        values = [_hexadecimal(words) for words in made]
        with context.study.session() as session:
            # Hashes of other versions are of no more use: they are never compared with these.
            session.execute(
                delete(Hash).where(Hash.algorithm == algorithm, Hash.prepared_id.in_(batch))
            )
            session.execute(
                insert(Hash),
                [
                    {
                        "prepared_id": digest,
                        "algorithm": algorithm,
                        "value": value,
                        "versions": versions,
                    }
                    for digest, value in zip(batch, values, strict=True)
                ],
            )
        known.update(zip(batch, values, strict=True))
    hashes = empty_hashes(len(digests), bits)
    for place, digest in enumerate(digests):
        hashes[place] = _words(known[digest])
    return hashes


def _batches(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _hexadecimal(words: Any) -> str:
    return "".join(f"{int(word):016x}" for word in np.atleast_1d(words))


def _words(text: str) -> Any:
    words = [int(text[i : i + 16], 16) for i in range(0, len(text), 16)]
    return words[0] if len(words) == 1 else words


def one_size(pixels: Sequence[Pixels]) -> Pixels:
    """All images as one stack; resized, if they are not of one size."""
    if len({image.shape for image in pixels}) == 1:
        return np.stack(pixels)
    side = (_COMPARED_SIDE, _COMPARED_SIDE)
    return np.stack(
        [
            np.asarray(Pillow.fromarray(image).resize(side, Pillow.Resampling.LANCZOS))
            for image in pixels
        ]
    )
