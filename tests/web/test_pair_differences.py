"""The difference of a pair, as reviewers see it."""

import io

from PIL import Image, ImageChops
from support.photos import photo_tiles

from replicate.web.review_pairs import difference


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_turned_image_is_turned_back_before_it_is_compared() -> None:
    tile = photo_tiles()[0].crop((0, 0, 120, 80))
    turned = _png(tile.transpose(Image.Transpose.ROTATE_90))
    plain = Image.open(io.BytesIO(difference(_png(tile), turned)))
    back = Image.open(io.BytesIO(difference(_png(tile), turned, "rotate_270")))
    assert ImageChops.difference(back, Image.new("RGB", tile.size)).getbbox() is None
    assert plain.getbbox() is not None and plain.size == tile.size
