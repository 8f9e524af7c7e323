"""The hashes that dedup needs of images, each made only once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import delete, insert, select

from replicate.base.digests import canonical_json
from replicate.duplicates.hash_files import HashSet
from replicate.duplicates.hashing import current_info, empty_hashes, frequencies, phash_low
from replicate.duplicates.transforms import TRANSFORMS, turned_hashes
from replicate.stages.common import Context
from replicate.store.tables import Hash

Pixels = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

_BATCH = 1000  # images hashed between two transactions
_HELD = 100  # images read at a time


def stored_hashes(
    context: Context,
    names: Sequence[str],
    digests: Sequence[str],
    read: Callable[[str], Pixels],
    turned: bool = False,
) -> HashSet:
    """The hashes of images, in their order; what is not stored yet is made and stored.

    Args:
        context: The stage's context; `[dedup] bits` says how long a hash is.
        names: What the images are called in the result.
        digests: Digests of the bytes that are hashed; they may repeat.
        read: Gives an image's grey values by that digest.
        turned: Whether the hashes of flips and quarter turns are wanted too.
    """
    bits = context.study.pipeline.dedup.bits
    info = current_info(bits)
    kinds = {f"phash-{bits}": 1} | ({f"phash-{bits}-turned": len(TRANSFORMS)} if turned else {})
    known = {kind: _known(context, kind, canonical_json(info.as_dict())) for kind in kinds}
    unique = list(dict.fromkeys(digests))
    missing = [digest for digest in unique if any(digest not in some for some in known.values())]
    for start in range(0, len(missing), _BATCH):
        context.progress("hashing", len(unique) - len(missing) + start, len(unique))
        batch = missing[start : start + _BATCH]
        made = _made(batch, read, bits, turned)
        _store(context, made, canonical_json(info.as_dict()))
        for kind, values in made.items():
            known[kind].update(values)
    words = [_words(known[kind], digests, bits, count) for kind, count in kinds.items()]
    return HashSet(
        names,
        words[0].reshape(empty_hashes(len(digests), bits).shape),
        info.algorithm,
        bits,
        info.decoder,
        info.versions,
        turned=words[1] if turned else None,
    )


def _known(context: Context, kind: str, versions: str) -> dict[str, str]:
    wanted = select(Hash.prepared_id, Hash.value).where(
        Hash.algorithm == kind, Hash.versions == versions
    )
    with context.study.session() as session:
        return dict(session.execute(wanted).tuples().all())


def _made(
    digests: Sequence[str], read: Callable[[str], Pixels], bits: int, turned: bool
) -> dict[str, dict[str, str]]:
    """By kind of hash: digest to the hash as text."""
    made: dict[str, dict[str, str]] = {f"phash-{bits}": {}}
    if turned:
        made[f"phash-{bits}-turned"] = {}
    for some in _parts(digests):
        low = frequencies([read(digest) for digest in some], bits)
        made[f"phash-{bits}"] |= dict(zip(some, map(_hexadecimal, phash_low(low)), strict=True))
        if turned:
            values = map(_hexadecimal, turned_hashes(low))
            made[f"phash-{bits}-turned"] |= dict(zip(some, values, strict=True))
    return made


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _HELD):
        yield items[start : start + _HELD]


def _store(context: Context, made: dict[str, dict[str, str]], versions: str) -> None:
    with context.study.session() as session:
        for kind, values in made.items():
            # Hashes of other versions are of no more use: they are never compared with these.
            session.execute(
                delete(Hash).where(Hash.algorithm == kind, Hash.prepared_id.in_(list(values)))
            )
            rows = [
                {"prepared_id": digest, "algorithm": kind, "value": value, "versions": versions}
                for digest, value in values.items()
            ]
            session.execute(insert(Hash), rows)


def _hexadecimal(words: Any) -> str:
    return "".join(f"{int(word):016x}" for word in np.atleast_1d(words).ravel())


def _words(known: dict[str, str], digests: Sequence[str], bits: int, count: int) -> Words:
    """Shape (n, count) for 64 bits, (n, count, 4) for 256."""
    width = bits // 64
    shape = (len(digests), count) if width == 1 else (len(digests), count, width)
    text = "".join(known[digest] for digest in digests)
    return np.frombuffer(bytes.fromhex(text), dtype=">u8").astype(np.uint64).reshape(shape)
