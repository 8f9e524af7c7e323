import numpy as np
import pytest
from scipy import stats

from replicate.base.digests import sha256_bytes
from replicate.base.errors import UsageError
from replicate.base.images import encode_png
from replicate.sandbox.eyes import Eyes, make_workers, reduce
from replicate.sandbox.gallery import digits_gallery
from replicate.sources.digits import counts_to_grey, packed, rows
from replicate.sources.display import display_copy

SEED = 3


@pytest.fixture(scope="module")
def eyes():
    return Eyes(SEED, make_workers(SEED, 24), *digits_gallery())


def _display(pixels):
    data = display_copy(encode_png(pixels), 96)
    return sha256_bytes(data), data


def _originals(count):
    images, labels = packed("optdigits")
    chosen = np.random.default_rng(0).permutation(rows("original"))[:count]
    return counts_to_grey(images[chosen]), labels[chosen]


def _frequencies(eyes, pictures, classes):
    careful = [worker.number for worker in make_workers(SEED, 24) if not worker.careless]
    found = []
    for pixels, wanted in zip(pictures, classes, strict=True):
        digest, data = _display(pixels)
        eyes.look(digest, data)
        votes = [eyes.votes(number, [digest], str(wanted))[0] for number in careful]
        found.append(votes.count("yes") / len(votes))
    return np.array(found)


def test_frequencies_look_like_peoples(eyes):
    pictures, labels = _originals(200)
    right = _frequencies(eyes, pictures, labels)
    wrong = _frequencies(eyes, pictures, (labels + 3) % 10)
    assert 0.75 < right.mean() < 0.9
    assert 0.1 < (right < 0.7).mean() < 0.4  # a spread, not all or nothing
    assert 0.01 < wrong.mean() < 0.15
    assert (wrong > 0.7).mean() < 0.02


def test_a_vote_depends_on_seed_worker_content_and_class_alone(eyes):
    pictures, _ = _originals(40)
    shown = [_display(pixels) for pixels in pictures]
    again = Eyes(SEED, make_workers(SEED, 24), *digits_gallery())
    other = Eyes(SEED + 1, make_workers(SEED + 1, 24), *digits_gallery())
    for each in (eyes, again, other):
        for digest, data in shown if each is eyes else reversed(shown):
            each.look(digest, data)
    digests = [digest for digest, _ in shown]
    mine = eyes.votes(5, digests, "3")
    assert mine == [again.votes(5, [digest], "3")[0] for digest in digests]
    many = [(n, c) for n in range(24) for c in "0123456789"]
    assert [eyes.votes(n, digests, c) for n, c in many] != [
        other.votes(n, digests, c) for n, c in many
    ]


def test_a_picture_that_comes_twice_is_judged_anew_and_mostly_alike(eyes):
    pictures, _ = _originals(200)
    digests = []
    for digest, data in map(_display, pictures):
        eyes.look(digest, data)
        digests.append(digest)
    alike = {}
    for worker in make_workers(SEED, 24):
        once = eyes.votes(worker.number, digests, "3")
        both = eyes.votes(worker.number, digests * 2, "3")
        assert both[:200] == once
        alike[worker.careless] = alike.get(worker.careless, [])
        alike[worker.careless].append(
            np.mean([a == b for a, b in zip(once, both[200:], strict=True)])
        )
    assert 0.85 < np.mean(alike[False]) < 1
    assert max(alike[True]) < min(alike[False])


def test_the_very_picture_is_not_remembered():
    # Two pictures in memory: the one that is judged, called 1, and another, called 7.
    rng = np.random.default_rng(1)
    gallery = rng.integers(0, 256, (400, 8, 8), dtype=np.uint8)
    gallery[:200] = gallery[0]
    labels = np.repeat([1, 7], 200)
    eyes = Eyes(SEED, make_workers(SEED, 6), gallery, labels)
    digest, data = _display(gallery[0])
    eyes.look(digest, data)
    assert eyes._belief(digest, "1").max() == 0.0
    assert eyes._belief(digest, "7").min() > 0.999


def test_careful_workers_agree_with_their_own_rates():
    # With one class in memory belief is 1 for it and 0 for any other: what is left are the rates.
    rng = np.random.default_rng(2)
    gallery = rng.integers(0, 256, (300, 8, 8), dtype=np.uint8)
    workers = make_workers(SEED, 4)
    eyes = Eyes(SEED, workers, gallery, np.full(300, 4))
    digests = []
    for pixels in rng.integers(0, 256, (1500, 8, 8), dtype=np.uint8):
        data = encode_png(pixels)
        digests.append(sha256_bytes(data))
        eyes.look(digests[-1], data)
    for worker in workers:
        yes = worker.lapse / 2 + (1 - worker.lapse) * worker.sensitivity
        wrong = worker.lapse / 2 + (1 - worker.lapse) * (1 - worker.specificity)
        for class_id, chance in (("4", yes), ("5", wrong)):
            count = eyes.votes(worker.number, digests, class_id).count("yes")
            assert stats.binomtest(count, len(digests), chance).pvalue > 1e-4


def test_one_worker_in_two_dozen_is_careless_and_the_seed_says_who():
    crews = [make_workers(seed, 24) for seed in range(8)]
    assert all(sum(worker.careless for worker in crew) == 1 for crew in crews)
    assert len({next(w.number for w in crew if w.careless) for crew in crews}) > 1
    assert not any(worker.careless for worker in make_workers(1, 5))
    with pytest.raises(UsageError):
        make_workers(1, 0)


def test_enlarged_pictures_are_seen_as_they_were():
    for pixels in _originals(20)[0]:
        seen = reduce(display_copy(encode_png(pixels), 96))
        assert np.abs(seen - pixels / 255).max() < 0.12
        blocks = encode_png(np.kron(pixels, np.ones((5, 5), np.uint8)))
        assert np.allclose(reduce(blocks), pixels / 255, atol=1e-6)


def test_what_cannot_be_decoded_is_broken_and_other_classes_are_no(eyes):
    eyes.look("x", b"no image")
    digest, data = _display(_originals(1)[0][0])
    eyes.look(digest, data)
    assert eyes.votes(0, ["x", digest], "n01443537") == ["broken", "no"]


def test_a_gallery_of_another_shape_is_refused():
    with pytest.raises(UsageError, match="shape"):
        Eyes(1, make_workers(1, 2), np.zeros((3, 9, 8), np.uint8), np.zeros(3, int))
