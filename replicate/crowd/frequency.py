"""Selection frequencies from votes, as a pure function of a table.

A study's own frequencies are a view in its database; this is the same definition for tables
that come from elsewhere, and what the view is tested against.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from replicate.base.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("image_id", "class_id", "worker", "status", "vote")
COUNTED = ("Submitted", "Approved")


def selection_frequencies(votes: "pd.DataFrame", flagged: Collection[str] = ()) -> "pd.DataFrame":
    """Selection frequency of each (image, class): selected / shown.

    Only the votes yes and no count, of assignments that are submitted or approved (not rejected
    ones), of workers who are not flagged; pooled over all HITs and roles.

    Args:
        votes: One row a vote, with the columns image_id, class_id, worker, status (Submitted,
            Approved, Rejected) and vote (yes, no, broken, not_shown).
        flagged: Workers who are left out.

    Returns:
        One row for each (image_id, class_id) of the table, sorted, with the integer counts
        ``selected`` and ``shown`` and their quotient ``frequency``: NaN where nothing counts.

    Raises:
        UsageError: A column is missing.
    """
    missing = [name for name in COLUMNS if name not in votes.columns]
    if missing:
        raise UsageError(
            f"The table of votes has no column {missing[0]!r}.",
            f"It needs the columns {', '.join(COLUMNS)}.",
        )
    counts = (
        votes["status"].isin(COUNTED)
        & votes["vote"].isin(["yes", "no"])
        & ~votes["worker"].isin(list(flagged))
    )
    table = votes[["image_id", "class_id"]].assign(
        selected=(counts & (votes["vote"] == "yes")).astype("int64"),
        shown=counts.astype("int64"),
    )
    summed = table.groupby(["image_id", "class_id"], sort=True).sum().reset_index()
    shown = summed["shown"].astype("float64")
    summed["frequency"] = summed["selected"] / shown.where(shown > 0)
    return summed
