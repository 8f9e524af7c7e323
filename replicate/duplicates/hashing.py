"""Perceptual hashes as integers, and the record of how they were made.

A hash is kept as one unsigned 64-bit word, or four for 256 bits. The first bit of imagehash's
row-major array is the highest bit of the first word. (``imagehash.ImageHash`` itself is no key
for a dictionary: its ``__hash__`` keeps about 11 bits.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.errors import UsageError
from replicate.base.resample import resize_stack

Words = npt.NDArray[np.uint64]
UNKNOWN = "unknown"  # the decoder of bare arrays of hashes: the user answers for them
_BITS = (64, 256)
_FREQUENCY_FACTOR = 4  # imagehash's: the image is resized to four times the side of the hash
_TINY = 64  # up to this side, resizing a whole stack is cheaper than one call for each image
_BATCH = 2048


@dataclass(frozen=True)
class HashInfo:
    """How hashes were made: hashes made in different ways must not be compared.

    Attributes:
        algorithm: ``phash``.
        bits: 64 or 256.
        decoder: What turned files into pixels.
        versions: The version of every library that a hash depends on, by name.
    """

    algorithm: str
    bits: int
    decoder: str
    versions: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON-serialisable values; ``from_dict`` turns it back."""
        return {
            "algorithm": self.algorithm,
            "bits": self.bits,
            "decoder": self.decoder,
            "versions": dict(sorted(self.versions.items())),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "HashInfo":
        """The record that ``as_dict`` described."""
        return cls(
            algorithm=str(values["algorithm"]),
            bits=int(values["bits"]),
            decoder=str(values["decoder"]),
            versions={str(k): str(v) for k, v in values["versions"].items()},
        )


def current_info(bits: int = 64) -> HashInfo:
    """The record of a pHash made here and now.

    Raises:
        UsageError: The hash length is neither 64 nor 256 bits.
    """
    check_bits(bits)
    versions = {name: version(name) for name in ("imagehash", "numpy", "pillow", "scipy")}
    return HashInfo("phash", bits, "pillow", versions)


def require_comparable(first: HashInfo, second: HashInfo) -> None:
    """Refuse to compare hashes that were made in different ways.

    Bare arrays do not say by which decoder and libraries they were made; for them the algorithm
    and the length alone must agree.

    Raises:
        UsageError: They differ; the message names every difference.
    """
    one, two = first.as_dict(), second.as_dict()
    known = UNKNOWN not in (first.decoder, second.decoder)
    differences = [
        f"{name}: {one[name]} and {two[name]}"
        for name in ("algorithm", "bits", *(["decoder"] if known else []))
        if one[name] != two[name]
    ]
    for library in sorted({*first.versions, *second.versions}) if known else ():
        left, right = first.versions.get(library), second.versions.get(library)
        if left != right:
            differences.append(f"{library}: {left or 'unknown'} and {right or 'unknown'}")
    if differences:
        raise UsageError(
            f"These hashes were made in different ways ({'; '.join(differences)}).",
            "Hash both sets again with one installation.",
        )


def check_bits(bits: int) -> None:
    """Refuse a hash length that is neither 64 nor 256 bits.

    Raises:
        UsageError: It is another one.
    """
    if bits not in _BITS:
        raise UsageError(
            f"A hash of {bits} bits is not known.", "The hash lengths are 64 and 256 bits."
        )


def pack_bits(flags: npt.NDArray[np.bool_]) -> Words:
    """Pack rows of bits into words, the first bit highest.

    Args:
        flags: Shape (n, 64) or (n, 256).

    Returns:
        Shape (n,) for 64 bits, (n, 4) for 256.

    >>> flags = np.zeros((1, 64), dtype=bool); flags[0, 0] = True
    >>> hex(pack_bits(flags)[0])
    '0x8000000000000000'
    """
    check_bits(flags.shape[1])
    words = np.packbits(flags, axis=1).view(">u8").astype(np.uint64)
    return words[:, 0] if flags.shape[1] == 64 else words


def empty_hashes(n: int, bits: int = 64) -> Words:
    """Room for n hashes: shape (n,) for 64 bits, (n, 4) for 256."""
    check_bits(bits)
    return np.zeros(n if bits == 64 else (n, bits // 64), dtype=np.uint64)


def phash_image(image: Image.Image, bits: int = 64) -> Words:
    """The pHash of one image, made by imagehash.

    Returns:
        Shape (1,) for 64 bits, (1, 4) for 256.

    Raises:
        UsageError: The hash length is neither 64 nor 256 bits.
    """
    import imagehash

    check_bits(bits)
    side = int(bits**0.5)
    return pack_bits(np.asarray(imagehash.phash(image, hash_size=side).hash).reshape(1, bits))


def phash_stack(pixels: npt.NDArray[np.uint8], bits: int = 64) -> Words:
    """The pHashes of many grey images of one size, identical to imagehash's.

    Small images are hashed together; large ones one by one through imagehash.

    Args:
        pixels: Grey values, shape (n, height, width).
        bits: 64 or 256.

    Returns:
        Shape (n,) for 64 bits, (n, 4) for 256.
    """
    check_bits(bits)
    n, height, width = pixels.shape
    hashes = empty_hashes(n, bits)
    size = int(bits**0.5) * _FREQUENCY_FACTOR
    if max(height, width) > _TINY:
        for i in range(n):
            hashes[i] = phash_image(Image.fromarray(pixels[i]), bits)[0]
        return hashes
    for start in range(0, n, _BATCH):
        chunk = slice(start, start + _BATCH)
        hashes[chunk] = _phash_small(resize_stack(pixels[chunk], (size, size)), int(bits**0.5))
    return hashes


def _phash_small(resized: npt.NDArray[np.uint8], side: int) -> Words:
    """What imagehash does after the resize, on a stack: DCT, low frequencies, median."""
    import scipy.fftpack

    low = scipy.fftpack.dct(resized, axis=1)[:, :side, :]
    low = scipy.fftpack.dct(low, axis=2)[:, :, :side].reshape(len(resized), -1)
    return pack_bits(low > np.median(low, axis=1, keepdims=True))


def phash_greys(images: Sequence[npt.NDArray[np.uint8]], bits: int = 64) -> Words:
    """The pHashes of grey images of any sizes, in their order.

    Args:
        images: Grey values, each of shape (height, width).
        bits: 64 or 256.

    Returns:
        Shape (n,) for 64 bits, (n, 4) for 256.
    """
    hashes = empty_hashes(len(images), bits)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(index)
    for places in by_shape.values():
        for start in range(0, len(places), _BATCH):
            some = places[start : start + _BATCH]
            hashes[some] = phash_stack(np.stack([images[i] for i in some]), bits)
    return hashes
