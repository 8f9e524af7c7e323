"""Tables of counts and votes: what is taken, what is left out and why, and what they say."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from replicate.base.errors import UsageError
from replicate.base.tables import read_table, write_table
from replicate.crowd.frequency import check_table
from replicate.crowd.summary import summarise, with_intervals

HEAD = "image_id,class_id,shown,selected\n"


@pytest.fixture
def read(tmp_path):
    def read(text: str, name: str = "table.csv") -> pd.DataFrame:
        path = tmp_path / name
        path.write_text(text)
        return read_table(path)

    return read


def test_frequencies_have_wilsons_intervals_and_no_votes_no_number(read):
    found = check_table(read(HEAD + "a,01,10,7\nb,01,4,0\nc,01,0,0\n"))
    assert not found.left_out
    rows = with_intervals(found.counts)
    assert rows["class_id"].tolist() == ["01"] * 3  # ids are texts
    assert rows["frequency"].tolist()[:2] == [0.7, 0.0]
    assert rows.loc[2, ["frequency", "low", "high"]].isna().all()
    assert (rows["low"][0], rows["high"][0]) == pytest.approx(
        proportion_confint(7, 10, method="wilson")
    )
    of_all = summarise(found.counts)
    assert (of_all.n_images, of_all.n_without, of_all.mean.n_votes) == (3, 1, 14)
    assert of_all.mean.mean == pytest.approx(0.35)  # never 0.7 / 3
    assert of_all.mean.n_workers is None and of_all.mean.both is None
    assert of_all.histogram == (1, 0, 0, 0, 0, 0, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,1,10,11", "selected_above_shown"),
        ("x,1,-1,-2", "negative"),
        ("x,1,10,-2", "negative"),
        ("x,1,10,nan", "missing_value"),
        ("x,1,,3", "missing_value"),
        (",1,10,3", "missing_value"),
        ("x,1,10,2.5", "not_whole"),
        ("x,1,ten,3", "not_whole"),
        ("x,1,inf,3", "not_whole"),
        ("x,1,10,3\nx,1,10,3", "duplicate"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_with_its_reason(read, row, reason):
    found = check_table(read(HEAD + f"a,1,10,7\n{row}\nb,1,10,8\n"))
    assert found.counts["image_id"].tolist() == ["a", "b"]
    assert {item.reason for item in found.left_out} == {reason}
    assert found.left_out[0].row == 2
    assert "(image_id" in found.left_out[0].message


def test_a_table_of_nothing_good_is_refused(read):
    with pytest.raises(UsageError, match="No row of the table can be used; row 1"):
        check_table(read(HEAD + "a,1,3,4\n"))
    with pytest.raises(UsageError, match="No row"):
        check_table(read("image_id,class_id,worker,vote,status\na,1,w,yes,Rejected\n"))
    with pytest.raises(UsageError, match="no column 'selected'; its columns are: image_id"):
        check_table(read("image_id,class_id,shown\na,1,3\n"))
    with pytest.raises(UsageError, match="has no rows"):
        read(HEAD)
    with pytest.raises(UsageError, match="is empty"):
        read("")
    with pytest.raises(UsageError, match="no table by its name"):
        read("", "table.txt")
    with pytest.raises(UsageError, match="cannot be read as a jsonl table"):
        read("{]", "table.jsonl")


VOTES = """image_id,class_id,worker_id,role,value
a,1,w1,candidate,yes
a,1,w2,candidate,no
a,1,w2,repeat,yes
a,1,w3,candidate,TRUE
b,1,w1,positive,1
b,1,w2,positive,broken
b,1,w3,positive,0
b,1,w3,positive,1
b,1,w4,positive,maybe
c,1,w1,candidate,not_shown
"""


def test_single_votes_are_counted_once_a_worker(read):
    found = check_table(read(VOTES))
    counts = {row.image_id: (row.selected, row.shown) for row in found.counts.itertuples()}
    assert counts == {"a": (2, 3), "b": (1, 2), "c": (0, 0)}
    assert [(item.row, item.reason) for item in found.left_out] == [
        (8, "duplicate"),
        (9, "unknown_vote"),
    ]
    assert len(found.votes) == 5
    mean = summarise(found.counts, found.votes).mean
    assert (mean.n_workers, mean.n_images, mean.n_votes) == (3, 2, 5)
    assert mean.both is not None


def test_votes_on_several_pages_count_each_but_are_worth_less(read):
    lines = [f"p{n},a,1,w{n % 2},{'yes' if n < 3 else 'no'}" for n in range(8)]
    found = check_table(read("\n".join(["assignment_id,image_id,class_id,worker,vote", *lines])))
    assert found.counts[["shown", "selected"]].to_numpy().tolist() == [[8, 3]]
    rows = with_intervals(found.counts, found.votes)
    assert rows["frequency"].tolist() == [3 / 8]
    # Two workers with four votes each are worth two votes.
    assert (rows["low"][0], rows["high"][0]) == pytest.approx(
        proportion_confint(0.75, 2, method="wilson")
    )


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_tables_come_back_as_they_were_written(tmp_path, ending):
    table = pd.DataFrame(
        {
            "image_id": ["é", "007"],
            "class_id": ["n1", "n2"],
            "shown": [3, 0],
            "frequency": [1 / 3, np.nan],
        }
    )
    path = tmp_path / f"table.{ending}"
    write_table(table, path)
    back = read_table(path)
    assert back["image_id"].tolist() == ["é", "007"]
    assert back["shown"].tolist() == ["3", "0"]
    assert float(back["frequency"][0]) == 1 / 3 and back["frequency"][1] == ""


def test_the_mean_over_images_is_students_on_the_logit_scale(read):
    rng = np.random.default_rng(1)
    shown = rng.integers(5, 12, 80)
    counts = pd.DataFrame(
        {
            "image_id": [str(n) for n in range(80)],
            "class_id": "1",
            "shown": shown,
            "selected": rng.binomial(shown, rng.beta(3, 1, 80)),
        }
    )
    found = summarise(counts).mean
    frequency = counts["selected"] / counts["shown"]
    assert found.mean == pytest.approx(frequency.mean())
    low, high = stats.t.interval(0.95, 79, frequency.mean(), stats.sem(frequency))
    assert (found.images.low, found.images.high) == pytest.approx((low, high), abs=0.005)
