"""Features beside hashes: whose rows are whose, where they are cut, what both say together."""

from collections import Counter

import numpy as np
import pytest

from replicate.base.errors import UsageError
from replicate.duplicates.cuts import Cuts, FeatureCuts
from replicate.duplicates.embedding import embedded, measured_cuts, with_features
from replicate.duplicates.hash_files import HashSet
from replicate.duplicates.leaks import leaks
from replicate.duplicates.neighbours import Embedded
from replicate.duplicates.proposing import propose
from replicate.duplicates.sides import Side

ROWS = np.eye(4, 6, dtype=np.float32)


def side_of(paths: list[str], hashes: list[int]) -> Side:
    made = HashSet(paths, np.array(hashes, np.uint64), "phash", 64, "pillow", {})
    return Side(made, np.zeros(len(paths), bool), Counter())


def test_rows_are_named_as_images_or_as_the_end_of_their_paths() -> None:
    side = side_of(["/data/train/a/1.jpg", "/data/train/b/1.jpg", "/data/train/2.jpg"], [0, 1, 2])
    found = embedded(side, ["b/1.jpg", "x.jpg", "a/1.jpg"], ROWS[:3])
    assert found.row.tolist() == [2, 0, -1]
    assert embedded(side, None, ROWS[:3]).row.tolist() == [0, 1, 2]
    for names, words in ((["1.jpg"], "several images"), (["y"], "No row of features"), (None, "4")):
        with pytest.raises(UsageError, match=words):
            embedded(side, names, ROWS)


def test_cuts_are_measured_between_different_images() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 8)).astype(np.float32)
    rows[1] = rows[0] * 2  # a copy, by its hash as well
    hashes = [0, 1, *(int(x) for x in random.integers(0, 2**63, 58))]
    side = side_of([str(i) for i in range(60)], hashes)
    cuts = measured_cuts(side, Embedded(rows, np.arange(60)), 10, 1, lambda place: place == 7)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    told = [i for i in range(2, 60) if 7 not in (i, cosines[i].argmax())]
    nearest = np.sort(cosines.max(axis=1)[told])
    assert cuts.sure == pytest.approx(1 - 0.75 * (1 - nearest[-1]), abs=1e-5)
    assert cuts.unsure == pytest.approx(nearest[-1 - len(told) // 10], abs=1e-5)
    with pytest.raises(UsageError, match="no two different"):
        measured_cuts(side_of(["a", "b"], [0, 1]), Embedded(rows[:2], np.arange(2)), 10, 1, bool)


def test_pairs_of_both_channels_stand_together_and_say_what_found_them() -> None:
    reference = side_of(["r0", "r1", "r2"], [0, 2**32 - 1, 2**63])
    candidates = side_of(["c0", "c1"], [1, 2**40])
    features = (
        Embedded(np.float32([[1, 0], [0, 1], [1, 1]]), np.arange(3)),
        Embedded(np.float32([[1, 0.1], [0.6, 1]]), np.arange(2)),
    )
    proposed = propose(reference, candidates, 10, transforms=False)
    cuts = FeatureCuts(sure=0.99, unsure=0.9)
    both = with_features(proposed, reference, candidates, features, cuts)
    found = leaks(both, reference, candidates, None, Cuts(), lambda *_: None, features=cuts)
    told = {(one.reference, one.candidate): one for one in found}
    assert {pair: one.found_by for pair, one in told.items()} == {
        ("r0", "c0"): "hash and features",
        ("r0", "c1"): "hash",
        ("r2", "c0"): "hash",
        ("r2", "c1"): "hash and features",
    }
    assert told["r0", "c0"].verdict == "sure" and told["r0", "c0"].similarity > 0.99
    assert told["r2", "c1"].verdict == "unsure"
    assert told["r0", "c1"].verdict == "unconfirmed"
    assert [one.verdict for one in found] == ["sure", "unsure", "unconfirmed", "unconfirmed"]
    near = propose(reference, candidates, 0, transforms=False)
    alone = with_features(near, reference, candidates, features, cuts)
    found = leaks(alone, reference, candidates, None, Cuts(), lambda *_: None, features=cuts)
    assert [(one.reference, one.candidate, one.found_by, one.distance) for one in found] == [
        ("r0", "c0", "features", 1),
        ("r2", "c1", "features", 2),
    ]


@pytest.mark.parametrize(
    ("pixels", "cosine", "poor", "verdict"),
    [
        ("different", 0.97, False, "sure"),
        ("different", 0.97, True, "unsure"),
        ("different", 0.92, False, "unsure"),
        ("different", 0.5, False, "different"),
        ("sure", 0.1, False, "sure"),
        ("unsure", 0.1, False, "unsure"),
        ("unconfirmed", float("nan"), False, "unconfirmed"),
    ],
)
def test_features_confirm_and_rule_nothing_out(
    pixels: str, cosine: float, poor: bool, verdict: str
) -> None:
    assert FeatureCuts(0.95, 0.9).told(pixels, cosine, poor) == verdict


def test_cuts_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(UsageError, match="make no sense"):
        FeatureCuts(0.5, 0.9)
