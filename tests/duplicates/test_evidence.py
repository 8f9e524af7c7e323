"""The longer hash and the pixels confirm what the short hash proposes."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity
from support.photos import photo_tiles

from replicate.base.errors import ItemError, UsageError
from replicate.base.images import grey
from replicate.duplicates import evidence
from replicate.duplicates.cuts import Cuts
from replicate.duplicates.evidence import Look, Looks, Scale, apart, compare, look
from replicate.duplicates.hashing import phash_image
from replicate.duplicates.transforms import TRANSFORMS


def _look(image: Image.Image) -> Look:
    return look(grey(image))


def _verdict(first: Look, second: Look) -> str:
    return str(Cuts().verdicts(compare([first], [second]))[0])


def _again(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.resize((150, 150)).save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def test_the_measures_are_those_of_scikit_image_and_imagehash() -> None:
    first, second = photo_tiles()[0], _again(photo_tiles()[0], 40)
    seen = compare([_look(first)], [_look(second)])
    for side, squared in ((256, seen.squared), (32, seen.squared32)):
        one, two = (
            np.asarray(image.convert("L").resize((side, side), Image.Resampling.LANCZOS))
            for image in (first, second)
        )
        assert squared[0] == pytest.approx(np.mean((one / 255 - two / 255) ** 2))
        if side == 256:
            similar = structural_similarity(one, two)
            assert seen.ssim[0] == pytest.approx(similar, abs=1e-6)
            assert seen.dssim[0] == pytest.approx((1 - similar) / 2, abs=1e-6)
    bits = np.bitwise_count(phash_image(first, 256) ^ phash_image(second, 256)).sum()
    assert seen.distance256[0] == bits
    assert Cuts().verdicts(seen).tolist() == ["sure"]


def test_many_pairs_are_compared_as_one_is() -> None:
    looks = [_look(tile) for tile in photo_tiles()[:12]]
    together = compare(looks[:-1], looks[1:])
    for place in range(11):
        alone = compare([looks[place]], [looks[place + 1]])
        for name, values in vars(alone).items():
            assert getattr(together, name)[place] == values[0], name
    assert len(compare([], [])) == 0


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_turned_image_lies_on_its_original(name: str) -> None:
    original = photo_tiles()[1]
    turned = original.transpose(getattr(Image.Transpose, name.upper()))
    back = {"rotate_90": "rotate_270", "rotate_270": "rotate_90"}.get(name, name)
    assert _verdict(_look(original), _look(turned).turned(back)) == "sure"
    assert _verdict(_look(original), _look(turned)) != "sure"


def test_different_photos_are_never_sure_and_mostly_different() -> None:
    looks = [_look(tile) for tile in photo_tiles()[:200:10]]
    verdicts = [_verdict(looks[i], looks[j]) for i in range(len(looks)) for j in range(i)]
    assert "sure" not in verdicts
    assert verdicts.count("different") > 0.9 * len(verdicts)


def test_flat_images_are_unsure_unless_their_pixels_are_equal() -> None:
    noise = np.random.default_rng(0)
    sky = [
        Image.fromarray((120 + noise.integers(0, 2, (200, 200))).astype(np.uint8)) for _ in range(2)
    ]
    assert compare([_look(sky[0])], [_look(sky[1])]).low_structure.all()
    assert _verdict(_look(sky[0]), _look(sky[1])) == "unsure"
    assert _verdict(_look(sky[0]), _look(sky[0])) == "sure"


def test_tiny_images_are_compared_at_their_own_size() -> None:
    scale = Scale.of({(8, 8)})
    assert scale.tiny and not Scale.of({(8, 8), (40, 40)}).tiny
    assert Scale.of({(64, 64)}) == Scale((64, 64), (32, 32))
    assert Scale.of({(900, 900)}) == Scale.of({(8, 9)}) == Scale()
    pixels = np.random.default_rng(1).integers(0, 256, (2, 8, 8), dtype=np.uint8)
    looks = [look(one, scale) for one in pixels]
    assert looks[0].grey is looks[0].small is not None
    assert look(np.kron(pixels[0], np.ones((2, 2), np.uint8)), scale).grey.shape == (8, 8)
    seen = compare([looks[0]], [looks[1]])
    assert seen.squared == seen.squared32
    assert apart([looks[0]], [looks[1]]) == seen.moved
    one, two = (phash_image(Image.fromarray(some), 256) for some in pixels)
    assert seen.distance256[0] == np.bitwise_count(one ^ two).sum()


def test_images_are_read_once_and_failures_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def read(name: str) -> np.ndarray:
        asked.append(name)
        if name == "bad":
            raise ItemError("truncated")
        return np.full((9, 9), 7, dtype=np.uint8)

    monkeypatch.setattr(evidence, "_ROOM", 140_000)
    looks = Looks(read)
    for name in ("a", "b", "a", "bad", "bad", "c", "a", "b"):
        looks.get(name)
    assert asked == ["a", "b", "bad", "c", "b"]
    assert looks.failed == {"bad": "truncated"}


def test_cuts_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(UsageError, match="make no sense"):
        Cuts(sure_bits=100)
