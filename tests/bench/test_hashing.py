"""The vectorised hash of small images beside imagehash, one by one (run with --benchmark-only)."""

from time import perf_counter

import imagehash
import numpy as np
from PIL import Image

from replicate.base.randomness import stream
from replicate.duplicates.hashing import phash_stack


def test_a_stack_of_small_images_hashes_twice_as_fast_as_one_by_one(benchmark):
    pixels = stream(1, "bench").integers(0, 256, size=(500, 8, 8)).astype(np.uint8)
    begin = perf_counter()
    for image in pixels:
        imagehash.phash(Image.fromarray(image))
    one_by_one = perf_counter() - begin
    benchmark.pedantic(phash_stack, args=(pixels, 64), rounds=3, warmup_rounds=1)
    assert benchmark.stats.stats.min < one_by_one / 2
