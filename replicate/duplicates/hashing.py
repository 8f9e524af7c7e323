"""Perceptual hashes as integers, and the record of how they were made.

A hash is kept as one unsigned 64-bit word, or four for 256 bits. The first bit of imagehash's
row-major array is the highest bit of the first word. (``imagehash.ImageHash`` itself is no key
for a dictionary: its ``__hash__`` keeps about 11 bits.)
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from replicate.base.errors import UsageError
from replicate.base.resample import resize, resize_stack

Words = npt.NDArray[np.uint64]
Low = npt.NDArray[np.float64]  # low frequencies of the DCT
UNKNOWN = "unknown"  # the decoder of bare arrays of hashes: the user answers for them
# By algorithm: what turns files into pixels, and the libraries that a hash depends on further.
# `pillow` is what Pillow decodes, upright, over white (`replicate.base.images.decode`); `jpeg-luma`
# is a JPEG's own brightness, and for other files the same as `pillow`.
_MAKING: dict[str, tuple[str, tuple[str, ...]]] = {
    "phash": ("pillow", ("scipy",)),
    "phash-fast": ("jpeg-luma", ("scipy", "simplejpeg")),
    "dhash": ("pillow", ()),
    "whash": ("pillow", ("pywavelets",)),
    "average": ("pillow", ()),
}
ALGORITHMS = tuple(_MAKING)
_BITS = (64, 256)
_FREQUENCY_FACTOR = 4  # imagehash's: the image is resized to four times the side of the hash
_TINY = 64  # up to this side, resizing a whole stack is cheaper than one call for each image
_BATCH = 2048


@dataclass(frozen=True)
class HashInfo:
    """How hashes were made: hashes made in different ways must not be compared.

    Attributes:
        algorithm: One of `ALGORITHMS`.
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


def current_info(bits: int = 64, algorithm: str = "phash") -> HashInfo:
    """The record of a hash made here and now.

    Raises:
        UsageError: There is no such algorithm or length.
    """
    check_bits(bits)
    if algorithm not in ALGORITHMS:
        raise UsageError(f"There is no hash {algorithm!r}.", f"Hashes: {', '.join(ALGORITHMS)}.")
    decoder, libraries = _MAKING[algorithm]
    versions = {name: _version(name) for name in ("imagehash", "pillow", *libraries)}
    return HashInfo(algorithm, bits, decoder, versions)


@functools.cache
def _version(name: str) -> str:
    return version(name)


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
    # Other algorithms depend on other libraries: there the versions say nothing.
    alike = known and first.algorithm == second.algorithm
    for library in sorted({*first.versions, *second.versions}) if alike else ():
        left, right = first.versions.get(library), second.versions.get(library)
        if left != right:
            differences.append(f"{library}: {left or 'unknown'} and {right or 'unknown'}")
    if differences:
        raise UsageError(
            f"These hashes were made in different ways ({'; '.join(differences)}).",
            "Hash both sets again with one installation, and the same --hash and --bits.",
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


def image_hash(image: Image.Image, bits: int = 64, algorithm: str = "phash") -> Words:
    """The hash of one image, made by imagehash.

    Args:
        image: Of any mode.
        bits: 64 or 256.
        algorithm: ``phash``, ``dhash``, ``whash`` or ``average``.

    Returns:
        Shape (1,) for 64 bits, (1, 4) for 256.

    Raises:
        UsageError: There is no such algorithm or length.
    """
    import imagehash

    check_bits(bits)
    name = "average_hash" if algorithm == "average" else algorithm
    if algorithm not in ALGORITHMS or not hasattr(imagehash, name):
        raise UsageError(f"imagehash makes no {algorithm!r}.", "It makes phash, dhash and whash.")
    made = getattr(imagehash, name)(image, hash_size=int(bits**0.5))
    return pack_bits(np.asarray(made.hash).reshape(1, bits))


def phash_image(image: Image.Image, bits: int = 64) -> Words:
    """`image_hash` with ``phash``."""
    return image_hash(image, bits)


def frequencies(images: Sequence[npt.NDArray[np.uint8]], bits: int = 64) -> Low:
    """The low frequencies that pHashes are made of, of grey images of any sizes.

    Small images of one size are resized together, others one by one.

    Args:
        images: Grey values, each of shape (height, width).
        bits: Of the hash, 64 or 256.

    Returns:
        Shape (n, 8, 8) for 64 bits, (n, 16, 16) for 256, in their order.
    """
    check_bits(bits)
    side = int(bits**0.5)
    size = side * _FREQUENCY_FACTOR
    low = np.zeros((len(images), side, side))
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(index)
    for shape, places in by_shape.items():
        for start in range(0, len(places), _BATCH):
            some = places[start : start + _BATCH]
            if max(shape) <= _TINY:
                small = resize_stack(np.stack([images[i] for i in some]), (size, size))
            else:
                small = np.stack([resize(images[i], (size, size)) for i in some])
            low[some] = low_frequencies(small, side)
    return low


def resized(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A grey image of another width and height, as Pillow's Lanczos filter makes it.

    Small images need no compiler.
    """
    if max(image.shape) <= _TINY:
        small: npt.NDArray[np.uint8] = resize_stack(image[None], size)[0]
        return small
    return resize(image, size)


def phash_greys(images: Sequence[npt.NDArray[np.uint8]], bits: int = 64) -> Words:
    """The pHashes of grey images of any sizes, in their order, identical to imagehash's.

    Args:
        images: Grey values, each of shape (height, width).
        bits: 64 or 256.

    Returns:
        Shape (n,) for 64 bits, (n, 4) for 256.
    """
    return phash_low(frequencies(images, bits))


def low_frequencies(resized: npt.NDArray[np.uint8], side: int) -> Low:
    """What imagehash does after the resize, on a stack: the DCT's low frequencies.

    Args:
        resized: Grey values, shape (n, m, m), m ≥ side.
        side: 8 for a hash of 64 bits, 16 for 256.

    Returns:
        Shape (n, side, side), vertical frequencies down.
    """
    import scipy.fftpack

    low = scipy.fftpack.dct(resized, axis=1)[:, :side, :]
    made: Low = scipy.fftpack.dct(low, axis=2)[:, :, :side]
    return made


def phash_low(low: Low) -> Words:
    """The pHashes that low frequencies give: 1 where a frequency is above the median.

    Args:
        low: Shape (n, side, side), side 8 or 16.

    Returns:
        Shape (n,) for side 8, (n, 4) for 16.
    """
    flat = low.reshape(len(low), low.shape[1] * low.shape[2])
    return pack_bits(flat > np.median(flat, axis=1, keepdims=True))


def structure(low: Low, resized_side: int) -> npt.NDArray[np.float32]:
    """How much there is to tell images by: the median strength of their 63 low frequencies.

    Half of a hash's bits are signs of frequencies weaker than this. In photos it is mostly above
    1, in skies and walls below 0.2, where an encoder's noise decides the bits, and 0 in flat
    images.

    Args:
        low: Shape (n, side, side), side 8 or more.
        resized_side: Side of the images that the frequencies are of, in pixels.

    Returns:
        Shape (n,), in grey levels.
    """
    strength = np.abs(low[:, :8, :8].reshape(len(low), -1)[:, 1:]) / resized_side**2
    return np.median(strength, axis=1).astype(np.float32)


def image_structure(image: npt.NDArray[np.uint8]) -> float:
    """`structure` of one grey image."""
    side = 8 * _FREQUENCY_FACTOR
    return float(structure(low_frequencies(resized(image, (side, side))[None], 8), side)[0])
