"""What an image file says of itself in its first bytes, read without a decoder."""

from collections.abc import Callable

_PNM = frozenset(b"P%d" % kind for kind in range(1, 7))


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(marks)


_KINDS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("JPEG", _starts(b"\xff\xd8\xff")),
    ("PNG", _starts(b"\x89PNG\r\n\x1a\n")),
    ("GIF", _starts(b"GIF87a", b"GIF89a")),
    ("WEBP", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP"),
    ("BMP", _starts(b"BM")),
    ("TIFF", _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ("JPEG2000", _starts(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    ("AVIF", lambda data: data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis")),
    ("PPM", lambda data: data[:2] in _PNM and data[2:3].isspace()),
)


def image_format(data: bytes) -> str | None:
    """Pillow's name of the format that a file begins like; None: it is none that we read.

    Of the formats that Pillow knows, those are left out that draw on other programs (EPS runs
    Ghostscript) or that no camera, scanner or web page makes.

    Args:
        data: The file's bytes.

    >>> image_format(b"GIF89a..."), image_format(b"<html>")
    ('GIF', None)
    """
    return next((name for name, begins in _KINDS if begins(data)), None)


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a WebP file claims, in pixels; None if its header is broken.

    Pillow only tells them once its decoder has set aside memory for the whole picture.
    See "WebP Container Specification" and RFC 6386, section 9.1.

    Args:
        data: The file's bytes.
    """
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return (
            1 + int.from_bytes(body[4:7], "little"),
            1 + int.from_bytes(body[7:10], "little"),
        )
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return (
            int.from_bytes(body[6:8], "little") & 0x3FFF,
            int.from_bytes(body[8:10], "little") & 0x3FFF,
        )
    return None
