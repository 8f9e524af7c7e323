import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from replicate.base.errors import UsageError
from replicate.crowd.frequency import selection_frequencies
from replicate.crowd.quality import WorkerRecord, judge


def test_what_follows_from_a_workers_counts():
    record = WorkerRecord(
        "w", positive=30, positive_right=27, negative=30, negative_right=28,
        repeats=8, consistent=6, compared=50, agreed=40, sensitivity=0.9, specificity=0.8,
    )  # fmt: skip
    assert (record.controls, record.right, record.accuracy) == (60, 55, 55 / 60)
    low, high = proportion_confint(55, 60, method="wilson")
    assert record.accuracy_interval.low == pytest.approx(low)
    assert record.accuracy_interval.high == pytest.approx(high)
    assert (record.consistency, record.agreement) == (0.75, 0.8)
    assert record.informedness == pytest.approx(0.7)


def test_no_items_are_no_number():
    record = WorkerRecord("w")
    assert record.accuracy_interval is None
    for value in (record.accuracy, record.consistency, record.agreement, record.informedness):
        assert math.isnan(value)


def test_the_judgement_does_not_depend_on_the_order_of_the_votes():
    rng = np.random.default_rng(1)
    images = [(str(rng.integers(40)), str(rng.integers(2))) for _ in range(900)]
    workers = [str(rng.integers(12)) for _ in range(900)]
    yes = (rng.random(900) < 0.6).tolist()
    turned = rng.permutation(900)
    first = judge(images, workers, yes)
    again = judge(*([column[i] for i in turned] for column in (images, workers, yes)))
    assert first.workers == again.workers
    assert [each.worker for each in first.workers] == sorted(set(workers))
    assert sum(each.n_votes for each in first.workers) == 900
    # The same votes as an image or a class each: only the pair counts.
    assert len(first.model.probability) == len(set(images))


def _table(rows):
    return pd.DataFrame(rows, columns=["image_id", "class_id", "worker", "status", "vote"])


def test_what_counts_in_a_frequency():
    table = _table(
        [
            ("a", "3", "w1", "Submitted", "yes"),
            ("a", "3", "w2", "Approved", "no"),
            ("a", "3", "w3", "Rejected", "yes"),
            ("a", "3", "w4", "Approved", "yes"),
            ("a", "3", "w5", "Approved", "broken"),
            ("a", "5", "w1", "Approved", "no"),
            ("b", "3", "w5", "Approved", "not_shown"),
        ]
    )
    found = selection_frequencies(table, flagged=["w4"])
    rows = found.set_index(["image_id", "class_id"])
    assert tuple(rows.loc[("a", "3"), ["selected", "shown", "frequency"]]) == (1, 2, 0.5)
    assert tuple(rows.loc[("a", "5"), ["selected", "shown", "frequency"]]) == (0, 1, 0.0)
    assert rows.loc[("b", "3"), "shown"] == 0
    assert np.isnan(rows.loc[("b", "3"), "frequency"])


def test_against_a_loop():
    rng = np.random.default_rng(5)
    rows = [
        (
            f"i{rng.integers(20)}",
            f"c{rng.integers(2)}",
            f"w{rng.integers(6)}",
            ("Submitted", "Approved", "Rejected")[rng.integers(3)],
            ("yes", "no", "broken", "not_shown")[rng.integers(4)],
        )
        for _ in range(800)
    ]
    found = selection_frequencies(_table(rows), flagged={"w0"})
    for row in found.itertuples():
        mine = [
            r for r in rows
            if (r[0], r[1]) == (row.image_id, row.class_id)
            and r[2] != "w0" and r[3] != "Rejected" and r[4] in ("yes", "no")
        ]  # fmt: skip
        assert row.shown == len(mine)
        assert row.selected == sum(r[4] == "yes" for r in mine)


def test_an_empty_table_and_a_missing_column():
    assert len(selection_frequencies(_table([]))) == 0
    with pytest.raises(UsageError, match="no column 'status'"):
        selection_frequencies(_table([]).drop(columns="status"))
