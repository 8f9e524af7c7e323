"""Named random streams: every random choice comes from one seed and the names of its purpose.

A stream depends only on the seed and its names, never on what other streams were used before,
nor on ``PYTHONHASHSEED``; so stages can be killed, resumed and reordered without changing a
result.
"""

import hashlib
import hmac
from typing import TYPE_CHECKING

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


def uniforms(seed: int, names: "Sequence[str | int]", items: "Sequence[str]") -> "Floats":
    """`uniform(seed, *names, item)` for each of many items, in less than half the time.

    Args:
        seed: The study's seed.
        names: What the numbers are for.
        items: What they are of.

    Returns:
        Shape (items,).

    >>> uniforms(1, ("sample", "t"), ["a", "b"])[1] == uniform(1, "sample", "t", "b")
    np.True_
    """
    import numpy as np

    start = "\x1f".join([str(int(seed)), *map(str, names), ""]).encode()
    sha256 = hashlib.sha256
    digests = b"".join([sha256(start + item.encode()).digest() for item in items])
    words = np.frombuffer(digests, dtype=">u8").reshape(-1, 4)[:, 0] >> np.uint64(8)
    found: npt.NDArray[np.float64] = words.astype(np.float64) / float(1 << 56)
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
