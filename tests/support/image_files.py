"""Image files of every kind that strangers make: whole ones, odd ones, bombs."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 24, 16


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image's file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scene(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """A picture whose four corners differ: red, green, blue, white."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    half, middle = height // 2, width // 2
    pixels[:half, :middle, 0] = 255
    pixels[:half, middle:, 1] = 255
    pixels[half:, :middle, 2] = 255
    pixels[half:, middle:] = 255
    return Image.fromarray(pixels)


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours of the corners, in reading order, each rounded to 0, 128 or 255."""
    picture = image.convert("RGB")
    right, bottom = picture.width - 2, picture.height - 2
    found = []
    for place in ((1, 1), (right, 1), (1, bottom), (right, bottom)):
        pixel = picture.getpixel(place)
        assert isinstance(pixel, tuple)
        found.append(tuple(min(255, 128 * round(value / 127.5)) for value in pixel))
    return found


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
UPRIGHT = [RED, GREEN, BLUE, WHITE]


def whole_files() -> dict[str, bytes]:
    """Files that show `scene` in colour, by kind."""
    rgb = scene()
    clear = rgb.convert("RGBA")
    clear.paste((0, 0, 0, 0), (WIDTH // 2, HEIGHT // 2, WIDTH, HEIGHT))  # white, laid over white
    keyed = rgb.copy()
    keyed.paste((1, 2, 3), (WIDTH // 2, HEIGHT // 2, WIDTH, HEIGHT))
    palette = keyed.quantize(4)
    lowest = palette.getpixel((WIDTH - 1, HEIGHT - 1))
    return {
        "jpeg": saved(rgb, "JPEG", quality=95, subsampling=0),
        "jpeg-progressive": saved(rgb, "JPEG", quality=95, subsampling=0, progressive=True),
        "jpeg-cmyk-adobe": saved(rgb.convert("CMYK"), "JPEG", quality=95),
        "mpo": saved(rgb, "MPO", quality=95, subsampling=0, append_images=[rgb], save_all=True),
        "png": saved(rgb, "PNG"),
        "png-alpha": saved(clear, "PNG"),
        "png-colour-key": saved(keyed, "PNG", transparency=(1, 2, 3)),
        "png-palette": saved(rgb.quantize(4), "PNG"),
        "png-palette-clear": saved(palette, "PNG", transparency=lowest),
        "png-palette-alpha": saved(
            palette, "PNG", transparency=bytes(0 if i == lowest else 255 for i in range(4))
        ),
        "png-16-bit-colour": png16(np.asarray(rgb).astype(np.uint16) * 257),
        "gif": saved(rgb.quantize(4), "GIF"),
        "gif-clear": saved(palette, "GIF", transparency=lowest),
        "webp": saved(rgb, "WEBP", lossless=True),
        "webp-lossy": saved(scene(64, 64), "WEBP", quality=95),
        "webp-alpha": saved(clear, "WEBP", lossless=True, exact=True),
        "tiff": saved(rgb, "TIFF"),
        "tiff-lzw": saved(rgb, "TIFF", compression="tiff_lzw"),
        "tiff-cmyk": saved(rgb.convert("CMYK"), "TIFF"),
        "tiff-alpha": saved(clear, "TIFF"),
        "bmp": saved(rgb, "BMP"),
        "ppm": saved(rgb, "PPM"),
        "jpeg2000": saved(rgb, "JPEG2000", irreversible=False),
    }


def grey_files() -> dict[str, bytes]:
    """Files that show black on the left and white on the right, by kind."""
    pixels = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    pixels[:, WIDTH // 2 :] = 255
    grey = Image.fromarray(pixels)
    keyed = Image.fromarray(np.where(pixels == 255, 7, pixels).astype(np.uint8))
    layers = Image.merge("LA", (Image.new("L", grey.size), Image.fromarray(255 - pixels)))
    wide = pixels.astype(np.uint16) * 257
    return {
        "jpeg-grey": saved(grey, "JPEG", quality=95),
        "png-grey": saved(grey, "PNG"),
        "png-1-bit": saved(grey.convert("1"), "PNG"),
        "png-grey-key": saved(keyed, "PNG", transparency=7),
        "png-grey-alpha": saved(layers, "PNG"),
        "png-16-bit": saved(Image.fromarray(wide), "PNG"),
        "png-16-bit-dark-key": png16(np.where(wide > 0, 9, wide), transparent=9),
        "tiff-1-bit": saved(grey.convert("1"), "TIFF", compression="group4"),
        "tiff-16-bit": saved(Image.fromarray(wide), "TIFF"),
        "tiff-16-bit-big-endian": saved(Image.fromarray(wide.astype(">u2")), "TIFF"),
        "bmp-1-bit": saved(grey.convert("1"), "BMP"),
        "pbm": saved(grey.convert("1"), "PPM"),
        "gif-grey": saved(grey, "GIF"),
    }


def several_frames() -> dict[str, bytes]:
    """Files of more than one frame or page, by kind."""
    frames = [scene(), scene().transpose(Image.Transpose.ROTATE_180)]
    more: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    return {
        "gif": saved(frames[0].quantize(4), "GIF", **more),
        "apng": saved(frames[0], "PNG", **more),
        "webp": saved(frames[0], "WEBP", **more),
        "tiff": saved(frames[0], "TIFF", **more),
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(values: np.ndarray, transparent: int | None = None) -> bytes:
    """A PNG of 16 bits a channel; Pillow cannot write colour ones.

    Args:
        values: Shape (h, w) or (h, w, 3).
        transparent: The grey value that is transparent.
    """
    height, width = values.shape[:2]
    rows = values.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 16, 0 if values.ndim == 2 else 2, 0, 0, 0)
    key = b"" if transparent is None else _chunk(b"tRNS", struct.pack(">H", transparent))
    parts = [_chunk(b"IHDR", head), key, _chunk(b"IDAT", zlib.compress(raw)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bombs(side: int = 16_383) -> dict[str, bytes]:
    """Small files that claim `side` × `side` pixels, by kind."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    png = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(bytes(1 << 20), 9))
    jpeg = bytearray(saved(scene(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    gif = bytearray(saved(scene().quantize(4), "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    bmp = bytearray(saved(scene(), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    lossy = bytearray(saved(scene(), "WEBP", quality=50))
    lossy[26:30] = struct.pack("<HH", side, side)
    lossless = bytearray(saved(scene(), "WEBP", lossless=True))
    lossless[21:25] = struct.pack("<I", (side - 1) | (side - 1) << 14)
    exif = Image.Exif()
    exif[0x0112] = 1
    extended = bytearray(saved(scene(), "WEBP", exif=exif))
    extended[24:30] = (side - 1).to_bytes(3, "little") * 2
    tiff = bytearray(saved(scene(), "TIFF"))
    start = struct.unpack_from("<I", tiff, 4)[0]
    for entry in range(struct.unpack_from("<H", tiff, start)[0]):
        place = start + 2 + 12 * entry
        if struct.unpack_from("<H", tiff, place)[0] in (256, 257):
            struct.pack_into("<HIHH", tiff, place + 2, 3, 1, side, 0)
    jp2 = bytearray(saved(scene(), "JPEG2000"))
    header = jp2.index(b"ihdr")
    jp2[header + 4 : header + 12] = struct.pack(">II", side, side)
    size = jp2.index(b"\xff\x51")
    jp2[size + 6 : size + 14] = struct.pack(">II", side, side)
    return {
        "png": b"\x89PNG\r\n\x1a\n" + png + _chunk(b"IEND", b""),
        "jpeg": bytes(jpeg),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
        "webp-lossy": bytes(lossy),
        "webp-lossless": bytes(lossless),
        "webp-extended": bytes(extended),
        "tiff": bytes(tiff),
        "jpeg2000": bytes(jp2),
        "ppm": b"P6\n%d %d\n255\n" % (side, side) + bytes(100),
    }
