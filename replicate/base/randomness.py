"""Named random streams: every random choice comes from one seed and the names of its purpose.

A stream depends only on the seed and its names, never on what other streams were used before,
nor on ``PYTHONHASHSEED``; so stages can be killed, resumed and reordered without changing a
result.
"""

import hashlib
import hmac
from typing import TYPE_CHECKING

_WORTH_COMPILING = 200_000  # numbers; fewer are made before a compiler would be loaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


def _digest(seed: int, names: tuple[str | int, ...]) -> bytes:
    text = "\x1f".join([str(int(seed)), *(str(name) for name in names)])
    return hashlib.sha256(text.encode()).digest()


def stream(seed: int, *names: str | int) -> "np.random.Generator":
    """A random generator for one purpose.

    Args:
        seed: The study's seed.
        *names: What the stream is for, such as ``"sample", "matched", class_id``.

    >>> stream(1, "a").integers(1000) == stream(1, "a").integers(1000)
    np.True_
    """
    # Imported late: servers use this module for its tokens alone, and start without numpy.
    import numpy as np

    words = np.frombuffer(_digest(seed, names), dtype=">u4").astype(np.uint32)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(w) for w in words])))


def uniform(seed: int, *names: str | int) -> float:
    """One number in [0, 1) for one purpose; the cheap way to order or to decide by content.

    >>> uniform(1, "a") == uniform(1, "a") != uniform(2, "a")
    True
    """
    return int.from_bytes(_digest(seed, names)[:7], "big") / float(1 << 56)


def uniforms(
    seed: int,
    names: "Sequence[str | int]",
    columns: "Sequence[npt.NDArray[np.str_]]",
    places: "Sequence[npt.NDArray[np.int64]]",
) -> "Floats":
    """`uniform(seed, *names, text of the first column, text of the second …)` for many rows.

    Where there are hundreds of thousands, they are made in compiled loops.

    Args:
        seed: The study's seed.
        names: What the numbers are for.
        columns: The different texts of each column, two columns or more.
        places: For each column, which of its texts each row has, shape (rows,).

    Returns:
        Shape (rows,).

    >>> import numpy as np
    >>> texts, rows = np.array(["a", "b"]), np.array([0, 1])
    >>> uniforms(1, ["sample"], [texts, texts], [rows, rows])[1] == uniform(1, "sample", "b", "b")
    np.True_
    """
    import numpy as np

    start = "\x1f".join([str(int(seed)), *map(str, names), ""]).encode()
    if len(places[0]) >= _WORTH_COMPILING:
        from replicate.base.sha256_lanes import first_words

        words = first_words(start, columns, places)
    else:
        texts = [column[place].tolist() for column, place in zip(columns, places, strict=True)]
        sha256 = hashlib.sha256
        digests = b"".join(
            [sha256(start + "\x1f".join(row).encode()).digest() for row in zip(*texts, strict=True)]
        )
        words = np.frombuffer(digests, dtype=">u8").reshape(-1, 4)[:, 0]
    found: Floats = (words >> np.uint64(8)).astype(np.float64)
    found /= float(1 << 56)
    return found


def token(key: bytes, *names: str | int, length: int = 32) -> str:
    """A keyed hash (HMAC-SHA256) of names, as hexadecimal text; unguessable without the key.

    Args:
        key: The secret.
        *names: What is named.
        length: How many hexadecimal digits, at most 64.
    """
    text = "\x1f".join(str(name) for name in names)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:length]
