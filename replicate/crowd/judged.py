"""Tables of images with votes and with how models did on them, ready for adjusting a gap."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from replicate.analysis.adjust import Judged
from replicate.base.errors import UsageError
from replicate.crowd.frequency import LeftOut, check_table

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "correct:"
MEAN = "correct"
FEWEST = 2  # votes without which an image says nothing of its true frequency
WANTED = 5  # votes that the recommended estimator wants
_MOST = 0.95


@dataclass(frozen=True)
class JudgedTable:
    """The good rows of a table.

    Attributes:
        rows: image_id, class_id, shown, selected, and a number for each correctness column.
        models: The models that have a column of their own.
        left_out: The rows that were taken out.
    """

    rows: "pd.DataFrame"
    models: tuple[str, ...]
    left_out: tuple[LeftOut, ...]

    def enough(self) -> bool:
        """Whether nearly every image has as many votes as are wanted."""
        return bool((self.rows["shown"] >= WANTED).mean() >= _MOST)

    def at_least(self, votes: int) -> "JudgedTable":
        """The table without images of fewer votes."""
        few = self.rows["shown"] < votes
        if not few.any():
            return self
        out = tuple(
            LeftOut(int(row), "too_few_votes", f"image {image} has fewer than {votes} votes")
            for row, image in zip(self.rows.index[few], self.rows["image_id"][few], strict=True)
        )
        return JudgedTable(self.rows[~few], self.models, (*self.left_out, *out))

    def judged(self, model: str | None = None) -> Judged:
        """The images with the mean over models, or with one model.

        Raises:
            UsageError: There are fewer than two images.
        """
        column = MEAN if model is None else PREFIX + model
        classes = np.unique(self.rows["class_id"].to_numpy(dtype=str), return_inverse=True)[1]
        return Judged(
            self.rows["selected"].to_numpy(dtype=np.int64),
            self.rows["shown"].to_numpy(dtype=np.int64),
            self.rows[column].to_numpy(dtype=np.float64),
            classes.astype(np.int64),
        )


def judged_table(frame: "pd.DataFrame", name: str) -> JudgedTable:
    """Take a table apart into good rows and bad ones.

    Args:
        frame: Every cell as text: image_id, class_id, shown, selected, and ``correct`` (the mean
            over models, in [0, 1]) or one column ``correct:MODEL`` a model, or both.
        name: What the table is called, for messages.

    Raises:
        UsageError: A column is missing, or no row is good.
    """
    import pandas as pd

    models = [str(column) for column in frame.columns if str(column).startswith(PREFIX)]
    columns = [*([MEAN] if MEAN in frame.columns else []), *models]
    if not columns:
        raise UsageError(
            f"{name} has no column that says how models did.",
            f"Add a column {MEAN} (the mean over models), or one column {PREFIX}MODEL a model.",
        )
    checked = check_table(frame)
    numbers = frame[columns].apply(pd.to_numeric, errors="coerce")
    wrong = ~numbers.ge(0).all(axis=1) | ~numbers.le(1).all(axis=1)
    keys = ["image_id", "class_id"]
    rows = checked.counts.merge(
        pd.concat([frame[keys], numbers, wrong.rename("wrong")], axis=1).assign(
            place=range(1, len(frame) + 1)
        ),
        on=keys,
    ).set_index("place")
    bad = tuple(
        LeftOut(int(place), "no_share", f"correctness of {image} does not lie in [0, 1]")
        for place, image in rows.loc[rows["wrong"], "image_id"].items()
    )
    rows = rows[~rows["wrong"]].drop(columns="wrong")
    if MEAN not in columns:
        rows[MEAN] = rows[models].mean(axis=1)
    table = JudgedTable(
        rows, tuple(model.removeprefix(PREFIX) for model in models), (*checked.left_out, *bad)
    ).at_least(FEWEST)
    if len(table.rows) < 2:
        raise UsageError(
            f"{name} has fewer than two images with {FEWEST} votes and correctness in [0, 1].",
            "Nothing can be adjusted without votes: collect some first.",
        )
    return table
