"""Agreement against a loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.analysis.workers import leave_one_out_agreement
from replicate.base.errors import UsageError

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.booleans()), max_size=60)


@given(ROWS)
def test_agreement_is_what_a_loop_counts(rows):
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    found = leave_one_out_agreement(*columns)
    agreed, compared = [0] * len(found.agreed), [0] * len(found.compared)
    for image, worker, vote in rows:
        others = [v for i, w, v in rows if i == image and w != worker]
        if 2 * sum(others) != len(others):
            compared[worker] += 1
            agreed[worker] += vote == (2 * sum(others) > len(others))
    assert (found.agreed.tolist(), found.compared.tolist()) == (agreed, compared)


def test_lists_must_fit():
    with pytest.raises(UsageError):
        leave_one_out_agreement([0, 1], [0], [True])
