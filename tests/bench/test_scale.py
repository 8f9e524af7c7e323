"""A thousand classes: 500,000 candidates, 5,000,000 votes, against loops over images.

Run with `pytest -n0 -s tests/bench/test_scale.py -o addopts=--import-mode=importlib
--benchmark-only`. The loops are those of ImageNetV2's code (mturk_data.py, dataset_sampling.py),
written anew: votes page by page and image by image into nested dictionaries, histograms and draws
class by class. They draw by the same random numbers, so that both must choose the same images;
they run over a tenth of the classes, and their time is taken times ten.
"""

import hashlib
from time import process_time

import numpy as np
import pytest

from replicate.base.randomness import uniform
from replicate.sampling.frequencies import counted
from replicate.sampling.strata import PAPER_EDGES
from replicate.sampling.strategies import Request, draw

pytestmark = pytest.mark.timeout(1800)

CLASSES, CANDIDATES, ORIGINALS, VOTES, PAGE = 1000, 500, 50, 10, 50
PER_CLASS, SEED, PART = 10, 7, 10


def planted(kind, each, hard):
    """Names and single votes in columns, sorted by class, then image."""
    rng = np.random.default_rng(hard)
    names = [hashlib.sha256(f"{kind}{i}".encode()).hexdigest() for i in range(CLASSES * each)]
    images = np.sort(np.array(names).reshape(CLASSES, each), axis=1).ravel()
    classes = np.repeat([f"n{c:08}" for c in range(CLASSES)], each)
    s = rng.beta(1.6 if hard else 3.0, 0.8, len(images))
    item = np.repeat(np.arange(len(images)), VOTES)
    return images, classes, item, rng.random(len(item)) < s[item]


def pages(images, classes, item, yes):
    """The same votes as the reference holds them: pages of images, each with assignments, each
    with a list of the images that were selected."""
    selected = yes.reshape(-1, VOTES)
    for first in range(0, len(images), PAGE):
        shown = images[first : first + PAGE].tolist()
        answers = [
            [image.encode().decode() for image, hit in zip(shown, column, strict=True) if hit]
            for column in selected[first : first + PAGE].T.tolist()
        ]
        assignments = [{"AssignmentStatus": "Approved", "Answer": answer} for answer in answers]
        yield {"wnid": str(classes[first]), "images": shown, "assignments": assignments}


def loops(pool_pages, original_pages):
    """The reference's way, image by image."""
    fraction, number, images_of = {}, {}, {}
    for kind, hits in (("pool", pool_pages), ("original", original_pages)):
        hits_of = {}
        for hit in hits:
            for image in hit["images"]:
                hits_of.setdefault(image, []).append(hit)
        for image, own in hits_of.items():
            fraction[image], number[image] = {}, {}
            for hit in own:
                wnid = hit["wnid"]
                if wnid not in fraction[image]:
                    fraction[image][wnid], number[image][wnid] = 0, 0
                    images_of.setdefault((kind, wnid), []).append(image)
                for assignment in hit["assignments"]:
                    if assignment["AssignmentStatus"] in ("Submitted", "Approved"):
                        number[image][wnid] += 1
                        if image in assignment["Answer"]:
                            fraction[image][wnid] += 1
    chosen = []
    for kind, wnid in sorted(images_of):
        if kind != "pool":
            continue
        histogram = [0] * (len(PAPER_EDGES) + 1)
        for image in images_of["original", wnid]:
            if number[image][wnid] >= VOTES:
                histogram[place_of(fraction[image][wnid] / number[image][wnid])] += 1
        total = sum(histogram)
        shares = [PER_CLASS * n // total for n in histogram]
        rest = [PER_CLASS * n % total for n in histogram]
        for place in sorted(range(len(rest)), key=lambda i: (rest[i], i), reverse=True)[
            : PER_CLASS - sum(shares)
        ]:
            shares[place] += 1
        bins = [[] for _ in histogram]
        for image in images_of["pool", wnid]:
            if number[image][wnid] >= VOTES:
                bins[place_of(fraction[image][wnid] / number[image][wnid])].append(image)
        for images, share in zip(bins, shares, strict=True):
            key = {image: uniform(SEED, "sample", "m", wnid, image) for image in images}
            chosen += [(image, wnid) for image in sorted(images, key=key.get)[:share]]
    return set(chosen)


def place_of(frequency):
    for place, edge in enumerate(PAPER_EDGES):
        if frequency < edge:
            return place
    return len(PAPER_EDGES)


def at_scale() -> None:
    pool, original = planted("p", CANDIDATES, True), planted("o", ORIGINALS, False)
    names = np.unique(pool[1]).tolist()
    request = Request("m", "matched-frequency", PER_CLASS, SEED)
    start = process_time()
    counts, old = counted(*pool), counted(*original)
    counted_at = process_time()
    found = draw(request, counts, old, names)
    ours = process_time() - start
    print(f"\nfrequencies {counted_at - start:.2f} s, the set {ours + start - counted_at:.2f} s")
    assert len(found.chosen) == CLASSES * PER_CLASS
    part = set(names[: CLASSES // PART])
    theirs = []
    for images, classes, item, yes in (pool, original):
        n = len(images) // PART
        theirs.append(list(pages(images[:n], classes[:n], item, yes[: n * VOTES])))
    start = process_time()
    drawn = loops(*theirs)
    slow = PART * (process_time() - start)
    assert drawn == {(c.image_id, c.class_id) for c in found.chosen if c.class_id in part}
    print(f"matched-frequency: {ours:.2f} s; loops {slow:.1f} s (a tenth, times ten), "
          f"{slow / ours:.0f} times as long")  # fmt: skip
    start = process_time()
    true = draw(Request("e", "matched-estimated", PER_CLASS, SEED), counts, old, names)
    estimated = process_time() - start
    print(f"matched-estimated: {estimated:.1f} s")
    assert len(true.chosen) == CLASSES * PER_CLASS
    assert ours <= 3 and estimated <= 60


def test_a_thousand_classes(benchmark):
    benchmark.pedantic(at_scale)
