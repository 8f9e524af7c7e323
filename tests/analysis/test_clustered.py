"""Clustered intervals: coverage by simulation, and against plain formulas where they are simple."""

import numpy as np
import pytest
from scipy import special, stats

from replicate.analysis.clustered import effective_counts, mean_of_counts, mean_of_votes
from replicate.analysis.intervals import wilson
from replicate.base.errors import UsageError


class Crowd:
    """Images that are easy or hard, workers who are generous or strict, and busy or not."""

    def __init__(self, images=150, each=8, workers=30, of_workers=0.8, busy=0.7) -> None:
        self.shape = images, each, workers
        self.of_workers, self.busy = of_workers, busy
        spread = np.hypot(1.5, of_workers)
        points, weights = special.roots_hermitenorm(60)
        weights /= weights.sum()
        # The mean over all images and all workers, and over all workers for a given image.
        self.truth = float(special.expit(1 + spread * points) @ weights)
        self._given = lambda easy: special.expit(1 + easy[:, None] + of_workers * points) @ weights

    def draw(self, rng):
        """(image, worker, vote) of each vote, and the mean over all workers on these images."""
        images, each, workers = self.shape
        easy, lean = rng.normal(0, 1.5, images), rng.normal(0, self.of_workers, workers)
        rate = np.log(rng.gamma(1 / self.busy, 1, workers) + 1e-3)
        keys = rate + rng.gumbel(size=(images, workers))
        worker = np.argpartition(-keys, each, axis=1)[:, :each].ravel()
        image = np.repeat(np.arange(images), each)
        yes = rng.random(image.size) < special.expit(1 + easy[image] + lean[worker])
        return image, worker, yes, float(self._given(easy).mean())


def coverage(crowd, rounds, seed):
    """How often the intervals hold what they are for; `naive` takes all votes as independent."""
    rng = np.random.default_rng(seed)
    held = dict.fromkeys(("both", "workers", "images", "naive"), 0)
    for _ in range(rounds):
        image, worker, yes, fixed = crowd.draw(rng)
        found = mean_of_votes(image, worker, yes)
        held["both"] += found.both.contains(crowd.truth)
        held["workers"] += found.workers.contains(fixed)
        held["images"] += found.images.contains(crowd.truth)
        held["naive"] += wilson(int(yes.sum()), yes.size).contains(crowd.truth)
    return {name: count / rounds for name, count in held.items()}


@pytest.mark.parametrize("shape", [{}, {"workers": 14}, {"each": 3}], ids=str)
def test_intervals_over_workers_cover_where_naive_ones_do_not(shape):
    found = coverage(Crowd(**shape), 2000, 1)
    assert 0.93 <= found["both"] <= 0.97
    assert 0.93 <= found["workers"] <= 0.97
    # One that knows of the images alone is too short, and one that knows of nothing still more.
    assert found["naive"] < found["images"] < 0.86
    assert found["naive"] < 0.78


def test_where_workers_are_alike_it_is_the_interval_over_images():
    found = coverage(Crowd(of_workers=0.0), 2000, 2)
    assert 0.93 <= found["images"] <= 0.97 and 0.93 <= found["both"] <= 0.97
    assert found["naive"] < 0.8


def test_the_variance_over_both_is_the_formula_by_loops():
    rng = np.random.default_rng(3)
    image, worker, yes, _ = Crowd(images=12, each=3, workers=7).draw(rng)
    found = mean_of_votes(image, worker, yes)
    n = {i: (image == i).sum() for i in range(12)}
    mean = np.mean([yes[image == i].mean() for i in range(12)])
    u = [(y - mean) / (12 * n[i]) for i, y in zip(image, yes, strict=True)]
    share = {
        j: sum(1 / (12 * n[i]) for i, w in zip(image, worker, strict=True) if w == j)
        for j in range(7)
    }
    of_images = sum((yes[image == i].mean() - mean) ** 2 for i in range(12)) / 11 / 12
    sums = {j: sum(x for x, w in zip(u, worker, strict=True) if w == j) for j in range(7)}
    of_workers = max(sum((sums[j] / (1 - share[j])) ** 2 for j in sums) - sum(x**2 for x in u), 0)
    df_workers = sum(h**2 for h in share.values()) ** 2 / sum(h**4 for h in share.values()) - 1
    variance = of_images + of_workers
    df = variance**2 / (of_workers**2 / df_workers + of_images**2 / 11)
    half = stats.t.ppf(0.975, df) * np.sqrt(variance) / (mean * (1 - mean))
    assert special.logit(found.both.high) - special.logit(found.mean) == pytest.approx(half)
    assert special.logit(found.mean) - special.logit(found.both.low) == pytest.approx(half)
    assert found.mean == pytest.approx(mean)


def test_votes_that_are_all_alike_still_have_an_interval():
    found = mean_of_votes([0, 0, 1, 1, 2, 2], [0, 1] * 3, [1] * 6)
    assert (found.mean, found.both) == (1.0, wilson(2, 2))
    assert found.images == wilson(3, 3)
    assert mean_of_counts([0, 0], [5, 5]).images == wilson(0, 2)


def test_what_cannot_be_told_is_none():
    assert mean_of_votes([], [], []).both is None
    assert np.isnan(mean_of_counts([0], [0]).mean)
    one_worker = mean_of_votes([0, 1, 2], [5, 5, 5], [1, 0, 1])
    assert one_worker.workers is None and one_worker.both is None
    assert one_worker.interval == one_worker.images is not None
    one_image = mean_of_votes([3, 3], [0, 1], [1, 0])
    assert one_image.images is None and one_image.both is None
    assert one_image.workers is not None
    with pytest.raises(UsageError):
        mean_of_votes([0, 1], [0], [1])
    with pytest.raises(UsageError):
        mean_of_counts([1, 2], [2, 3], level=1.0)


def test_effective_counts_are_the_counts_where_nobody_votes_twice():
    rng = np.random.default_rng(4)
    image, worker, yes, _ = Crowd(images=20, each=5, workers=9).draw(rng)
    selected, shown = effective_counts(image, worker, yes, 21)
    assert shown.tolist() == [5.0] * 20 + [0.0]
    assert selected[:20].tolist() == [float(yes[image == i].sum()) for i in range(20)]
    doubled = effective_counts(np.tile(image, 2), np.tile(worker, 2), np.tile(yes, 2), 21)
    assert np.array_equal(doubled[0], selected) and np.array_equal(doubled[1], shown)
