"""The bootstrap of a large zoo beside gathering images and fitting, with equal results."""

import resource
from time import process_time

import numpy as np
from support.zoos import right_answers

from replicate.analysis.bootstrap import Resamples, replication_bootstrap, resampled_lines
from replicate.analysis.fits import line_fit
from replicate.analysis.resampling import plain_design, resampled_means
from replicate.analysis.similarity import similarity
from replicate.base.randomness import stream

MODELS, OLD, NEW, RESAMPLES, NAIVE = 200, 50_000, 10_000, 10_000, 10


def _naive_indices(n: int, name: str) -> np.ndarray:
    """Which images the first resamples draw: the same words, one number at a time."""
    words = (n + 1) // 2
    raw = stream(1, "bootstrap-images", name, 0).bit_generator.random_raw(NAIVE * words)
    halves = np.stack([raw & np.uint64(0xFFFFFFFF), raw >> np.uint64(32)], axis=1)
    draws = halves.reshape(NAIVE, 2 * words)[:, :n]
    return ((draws * np.uint64(n)) >> np.uint64(32)).astype(np.int64)


def test_ten_thousand_resamples_of_two_hundred_models(benchmark):
    rng = np.random.default_rng(0)
    accuracy = np.linspace(0.6, 0.9, MODELS)
    sets = {
        "old": right_answers(rng, accuracy, OLD),
        "new": right_answers(rng, accuracy - 0.1, NEW),
    }
    resampled_means(sets["new"][:100], plain_design(100), 20, 1, "warm")
    result = {}

    def fast():
        sides = []
        for name, items in sets.items():
            similarity(items)
            drawn = resampled_means(items, plain_design(len(items)), RESAMPLES, 1, name)
            sides.append(Resamples(items.mean(axis=0), drawn, len(items)))
        result["sides"] = sides
        result["lines"] = replication_bootstrap(sides[0], sides[1], 1, "bench").lines

    # Processor time: another's load on the machine must not decide.
    begin = process_time()
    benchmark.pedantic(fast, rounds=1)
    seconds = process_time() - begin
    begin = process_time()
    slopes = []
    rows = [_naive_indices(len(items), name) for name, items in sets.items()]
    for k in range(NAIVE):
        x, y = (items[rows[i][k]].mean(axis=0) for i, items in enumerate(sets.values()))
        slopes.append(line_fit(x, y).slope)
    naive = (process_time() - begin) * RESAMPLES / NAIVE
    ones = np.ones((NAIVE, MODELS))
    x, y = (side.accuracy[:NAIVE] for side in result["sides"])
    assert np.allclose(resampled_lines(x, y, ones)[0], slopes, atol=1e-6)
    benchmark.extra_info.update(
        cpu=round(seconds, 1), naive=round(naive, 1), times=round(naive / seconds, 1)
    )
    benchmark.extra_info["gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    assert seconds < naive / 8  # and the fast way uses both cores
    assert seconds < 2 * 10  # ten seconds on two cores
    assert benchmark.extra_info["gigabytes"] < 2
