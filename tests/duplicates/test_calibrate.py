"""Calibration on real digits with near-duplicates planted in them."""

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from replicate.base.errors import UsageError
from replicate.duplicates.calibrate import Calibration, calibrate, nearest_others, plant
from replicate.duplicates.cuts import SURE
from replicate.duplicates.evidence import Looks, Scale, apart, look
from replicate.duplicates.hash_files import HashSet
from replicate.duplicates.hashing import current_info, phash_greys
from replicate.duplicates.sides import Side

RADIUS = 16


def photo_and_back(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A digit enlarged, dimmed or lit, saved as JPEG, and brought back to its own size."""
    factor = int(random.integers(4, 9))
    image = Image.fromarray(pixels).resize((8 * factor, 8 * factor), Image.Resampling.BICUBIC)
    lit = np.clip(np.asarray(image) * random.uniform(0.8, 1.2), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(lit).save(buffer, "JPEG", quality=int(random.integers(60, 96)))
    return np.asarray(Image.open(buffer).resize((8, 8), Image.Resampling.BOX))


class Digits:
    """Some digits as a side, and the looks of them; images are named by their places."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        names = [str(place) for place in range(len(pixels))]
        info = current_info()
        hashes = HashSet(names, phash_greys(pixels), "phash", 64, info.decoder, info.versions)
        self.side = Side(hashes, np.ones(len(pixels), bool), Counter())
        self.looks = Looks(lambda name: pixels[int(name)], Scale.of({(8, 8)}))

    def edited(self, edit=photo_and_back):
        return lambda name, random: edit(self.pixels[int(name)], random)

    def planted(self, seed: int, sample: int = 50, edit=photo_and_back):
        random = np.random.default_rng(seed)
        return plant(self.side, self.looks, self.edited(edit), random, radius=RADIUS, sample=sample)

    def calibrated(
        self, seed: int, sample: int = 50, edit=photo_and_back, **options
    ) -> Calibration:
        planted = self.planted(seed, sample, edit)
        return calibrate(planted, self.side, self.looks, np.random.default_rng(seed), **options)


def test_planted_copies_that_were_turned_are_laid_back(digits: np.ndarray) -> None:
    some = Digits(digits[:40])
    edit = some.edited(lambda pixels, _: np.rot90(pixels))
    planted = [
        plant(some.side, some.looks, edit, np.random.default_rng(1), radius=2, transforms=on)
        for on in (False, True)
    ]
    assert planted[0].proposed.mean() < 0.2
    assert planted[1].proposed.mean() > 0.9
    assert np.median(planted[1].evidence.moved) == 0.0


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return np.rint(load_digits().images * 255 / 16).astype(np.uint8)


def test_real_digits_all_planted_found_and_few_others_dropped(digits: np.ndarray) -> None:
    reference = Digits(digits[:900])
    found = reference.calibrated(3, 200)
    assert found.recall == found.hash_recall == 1.0
    assert found.false_rate <= 0.01
    assert found.needed < found.cuts.sure_moved <= 3 * found.needed
    assert found.cuts.by_moved_alone
    random = np.random.default_rng(9)
    fresh = [look(photo_and_back(one, random), reference.looks.scale) for one in digits[500:900]]
    own = [reference.looks.get(str(place)) for place in range(500, 900)]
    assert (apart(own, fresh) <= found.cuts.sure_moved).mean() >= 0.995
    others = Digits(digits[900:])
    near = nearest_others(others.side, np.arange(897), others.looks, reference.planted(3))
    assert (found.cuts.verdicts(near) == SURE).mean() <= 0.05


def test_the_hash_alone_would_not_do(digits: np.ndarray) -> None:
    """Without pixels most different digits would go: what this stage is for."""
    one = Digits(digits[:900])
    near = nearest_others(one.side, np.arange(300), one.looks, one.planted(1))
    assert np.isfinite(near.moved).mean() > 0.4


def test_edits_that_cannot_be_told_from_others_cost_recall_not_good_images(
    digits: np.ndarray,
) -> None:
    def ruin(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
        noise = random.normal(0, 60, pixels.shape)
        return np.clip(pixels + noise, 0, 255).astype(np.uint8)

    found = Digits(digits[:300]).calibrated(1, edit=ruin)
    assert found.needed > found.cuts.sure_moved
    assert found.recall < 1.0
    assert found.false_rate <= 0.01
    assert found.cuts.different_moved == found.needed


def test_what_cannot_be_prepared_again_is_not_found(digits: np.ndarray) -> None:
    def half(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray | None:
        return photo_and_back(pixels, random) if random.random() < 0.5 else None

    found = Digits(digits[:200]).calibrated(1, 100, edit=half)
    assert 0.3 < found.hash_recall < 0.7
    assert found.recall <= found.hash_recall
    assert found.needed_radius == 64


def test_an_image_is_not_held_against_itself_but_against_its_copies(digits: np.ndarray) -> None:
    doubled = Digits(np.concatenate([digits[:100], digits[:100]]))
    near = nearest_others(doubled.side, np.arange(9), doubled.looks, doubled.planted(1))
    assert near.moved.tolist() == [0.0] * 9


def test_a_set_of_more_alike_images_gets_a_smaller_threshold(digits: np.ndarray) -> None:
    """Images in nearly equal pairs, no copies: the reference threshold would drop half."""
    reference = Digits(digits[:400])
    found = reference.calibrated(2)
    alike = digits[400:600].copy()
    twins = np.clip(alike.astype(int) + 24 * (np.indices(alike.shape).sum(axis=0) % 2), 0, 255)
    both = Digits(np.concatenate([alike, twins.astype(np.uint8)]))
    tight = calibrate(
        reference.planted(2), both.side, both.looks, np.random.default_rng(2), within=found.cuts
    )
    assert tight.cuts.sure_moved < found.cuts.sure_moved
    assert tight.cuts.different_moved == found.cuts.different_moved
    assert tight.false_rate <= 0.01
    assert tight.needed == found.needed


def test_copies_in_a_set_do_not_spoil_its_threshold(digits: np.ndarray) -> None:
    planted = Digits(digits[:400]).planted(2)
    clean = digits[400:800]
    copied = np.concatenate([clean, clean[:40]])
    sure = [
        calibrate(planted, one.side, one.looks, np.random.default_rng(2)).cuts.sure_moved
        for one in (Digits(copied), Digits(clean))
    ]
    assert sure[0] > 0.8 * sure[1]


def test_the_same_seed_measures_the_same(digits: np.ndarray) -> None:
    one = Digits(digits[:200])
    first, again, other = (one.calibrated(seed, 30) for seed in (5, 5, 6))
    assert first == again
    assert first.as_dict() != other.as_dict()


def test_bad_input_is_refused(digits: np.ndarray) -> None:
    with pytest.raises(UsageError, match="there are none"):
        Digits(digits[:0]).planted(1)
    with pytest.raises(UsageError, match="not in"):
        Digits(digits[:9]).calibrated(1, max_false=1.0)
