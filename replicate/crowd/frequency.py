"""Selection frequencies of tables: of counts, or of single votes with their workers.

A study's own frequencies are a view in its database; `selection_frequencies` is the same
definition for tables that come from elsewhere, and what the view is tested against.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replicate.base.errors import UsageError
from replicate.base.tables import need_columns

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("image_id", "class_id", "worker", "status", "vote")
COUNTED = ("Submitted", "Approved")
OF_COUNTS = ("image_id", "class_id", "shown", "selected")
OF_VOTES = ("image_id", "class_id", "worker", "vote")
MOST_VOTES = 100_000  # on one image: more is a slip, and the estimators count them one by one
_SAME = {"worker_id": "worker", "value": "vote"}  # as a study's own tables call them
_YES = ("yes", "1", "true")
_NO = ("no", "0", "false")
_NEITHER = ("broken", "not_shown")


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
    need_columns(votes, COLUMNS, "The table of votes")
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


@dataclass(frozen=True)
class LeftOut:
    """A row of a table that cannot be used.

    Attributes:
        row: Its number in the table, from 1.
        reason: ``missing_value``, ``not_whole``, ``too_many_votes``, ``negative``,
            ``selected_above_shown``, ``duplicate`` or ``unknown_vote``.
        message: What is wrong, for a person.
    """

    row: int
    reason: str
    message: str


@dataclass(frozen=True)
class Checked:
    """A table of counts or votes after its bad rows were taken out.

    Attributes:
        counts: One row an (image, class), with image_id, class_id, shown and selected.
        votes: One row a vote that counts, with image_id, class_id, worker and yes; None where
            the table holds counts.
        left_out: The rows that were taken out, in order.
    """

    counts: "pd.DataFrame"
    votes: "pd.DataFrame | None"
    left_out: tuple[LeftOut, ...]


def check_table(frame: "pd.DataFrame") -> Checked:
    """Take a table of counts, or one of single votes, apart into good rows and bad ones.

    Counts have the columns image_id, class_id, shown and selected; an (image, class) that comes
    twice is left out each time, for nobody knows which row is right. Votes have image_id,
    class_id, worker and vote (yes, no, 1, 0, true, false; broken and not_shown are no votes);
    of a worker's several votes on one image the first counts, unless a column assignment_id
    says that they were given on different pages. The names worker_id and value are understood,
    and so is selected for a vote, where there is a worker and no column shown;
    where there is a column role, repeats are left aside, and where there is a column status,
    rejected work is.

    Args:
        frame: The table, every cell as text, as `read_table` gives it.

    Raises:
        UsageError: It has neither set of columns, or no good row.
    """
    frame = _named(frame)
    single = "vote" in frame.columns
    need_columns(frame, OF_VOTES if single else OF_COUNTS, "The table")
    found = _check_votes(frame) if single else _check_counts(frame)
    if found.counts.empty:
        why = "".join(f"; row {item.row}: {item.message}" for item in found.left_out[:1])
        raise UsageError(
            f"No row of the table can be used{why}.",
            f"A table has the columns {', '.join(OF_COUNTS)}, or {', '.join(OF_VOTES)}.",
        )
    return found


def _named(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The table with its columns called as `check_table` calls them."""
    frame = frame.rename(columns={old: new for old, new in _SAME.items() if new not in frame})
    if "worker" in frame and "selected" in frame and not {"vote", "shown"} & {*frame.columns}:
        frame = frame.rename(columns={"selected": "vote"})  # one row a vote: it was, or was not
    return frame


def holds_votes(frame: "pd.DataFrame") -> bool:
    """Whether a table has one row a vote, not one an image."""
    return "vote" in _named(frame).columns


def _check_counts(frame: "pd.DataFrame") -> Checked:
    import pandas as pd

    shown = pd.to_numeric(frame["shown"], errors="coerce")
    selected = pd.to_numeric(frame["selected"], errors="coerce")
    finite = shown.abs().lt(2**53) & selected.abs().lt(2**53)
    bad = pd.Series("", index=frame.index)
    tests = (
        ("duplicate", frame.duplicated(["image_id", "class_id"], keep=False)),
        ("selected_above_shown", selected > shown),
        ("negative", (shown < 0) | (selected < 0)),
        ("too_many_votes", shown > MOST_VOTES),
        ("not_whole", ~finite | (shown % 1 != 0) | (selected % 1 != 0)),
        ("missing_value", (frame[list(OF_COUNTS)].isin(["", "nan", "NaN"])).any(axis=1)),
    )
    for reason, wrong in tests:  # the last that applies says most
        bad = bad.mask(wrong, reason)
    good = bad == ""
    counts = frame.loc[good, ["image_id", "class_id"]].assign(
        shown=shown[good].astype("int64"), selected=selected[good].astype("int64")
    )
    return Checked(counts.reset_index(drop=True), None, _left_out(frame, bad, OF_COUNTS))


def _check_votes(frame: "pd.DataFrame") -> Checked:
    import pandas as pd

    if "role" in frame.columns:
        frame = frame[frame["role"] != "repeat"]
    if "status" in frame.columns:
        frame = frame[frame["status"].isin(COUNTED)]
    vote = frame["vote"].str.strip().str.lower()
    page = ["assignment_id"] if "assignment_id" in frame.columns else []
    key = ["image_id", "class_id", "worker", *page]
    bad = pd.Series("", index=frame.index)
    tests = (
        ("duplicate", frame.duplicated(key, keep="first")),
        ("unknown_vote", ~vote.isin([*_YES, *_NO, *_NEITHER])),
        ("missing_value", (frame[list(OF_VOTES)].isin(["", "nan", "NaN"])).any(axis=1)),
    )
    for reason, wrong in tests:
        bad = bad.mask(wrong, reason)
    good = bad == ""
    words = vote[good].map({**dict.fromkeys(_YES, "yes"), **dict.fromkeys(_NO, "no")})
    votes = frame.loc[good, ["image_id", "class_id", "worker"]].assign(
        vote=words.fillna("broken"), status=COUNTED[0]
    )
    counts = selection_frequencies(votes)[list(OF_COUNTS)]
    votes = votes[votes["vote"] != "broken"]
    votes = votes[["image_id", "class_id", "worker"]].assign(yes=votes["vote"] == "yes")
    return Checked(counts, votes.reset_index(drop=True), _left_out(frame, bad, OF_VOTES))


_WHY = {
    "missing_value": "a value is missing",
    "not_whole": "shown and selected are not whole numbers",
    "negative": "a count is negative",
    "too_many_votes": f"one image has more than {MOST_VOTES:,} votes",
    "selected_above_shown": "it was selected more often than it was shown",
    "unknown_vote": "the vote is neither yes nor no",
}


def _left_out(
    frame: "pd.DataFrame", bad: "pd.Series[str]", columns: Collection[str]
) -> tuple[LeftOut, ...]:
    rows = frame.loc[bad != "", list(columns)]
    found = []
    for (place, reason), cells in zip(
        bad[bad != ""].items(), rows.itertuples(index=False), strict=True
    ):
        twice = "its worker voted on it before" if "vote" in columns else "it comes twice"
        values = ", ".join(f"{name} {cell!r}" for name, cell in zip(columns, cells, strict=True))
        found.append(LeftOut(int(str(place)) + 1, reason, f"{_WHY.get(reason, twice)} ({values})"))
    return tuple(found)
