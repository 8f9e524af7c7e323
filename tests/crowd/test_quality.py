import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from replicate.base.errors import UsageError
from replicate.crowd.frequency import selection_frequencies
from replicate.crowd.quality import QualityRule, worker_quality


def _votes(worker, right_yes, wrong_yes, right_no, wrong_no):
    return [
        *[(worker, "positive", "yes")] * right_yes,
        *[(worker, "positive", "no")] * wrong_yes,
        *[(worker, "negative", "no")] * right_no,
        *[(worker, "negative", "yes")] * wrong_no,
    ]


def test_counts_and_interval():
    (record,) = worker_quality(_votes("w", 27, 3, 28, 2), QualityRule(0.6, 20))
    assert (record.positive, record.positive_right) == (30, 27)
    assert (record.negative, record.negative_right) == (30, 28)
    low, high = proportion_confint(55, 60, method="wilson")
    assert math.isclose(record.low, low, rel_tol=1e-9)
    assert math.isclose(record.high, high, rel_tol=1e-9)
    assert not record.flagged


def test_who_selects_everything_is_flagged_but_only_with_enough_controls():
    votes = _votes("spammer", 15, 0, 0, 15) + _votes("newcomer", 9, 0, 0, 10)
    flagged = {r.worker: r.flagged for r in worker_quality(votes, QualityRule(0.6, 20))}
    assert flagged == {"spammer": True, "newcomer": False}


def test_broken_not_shown_and_candidates_do_not_count():
    votes = [("w", "positive", "broken"), ("w", "negative", "not_shown"), ("w", "candidate", "yes")]
    (record,) = worker_quality(votes)
    assert (record.positive, record.negative) == (0, 0)
    assert math.isnan(record.accuracy)
    assert not record.flagged


def test_a_rule_that_makes_no_sense_is_refused():
    for values in ((1.1, 20), (-0.1, 20), (0.5, 0)):
        with pytest.raises(UsageError):
            QualityRule(*values)


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
