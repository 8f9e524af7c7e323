"""Tables of images with votes and with how models did on them, ready for adjusting a gap."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from replicate.analysis.adjust import Judged
from replicate.analysis.adjust_workers import SingleVotes
from replicate.base.errors import UsageError
from replicate.base.tables import need_columns
from replicate.crowd.frequency import Checked, LeftOut, check_table, holds_votes

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "correct:"
MEAN = "correct"
FEWEST = 2  # votes without which an image says nothing of its true frequency
WANTED = 5  # votes that the recommended estimator wants
KEYS = ["image_id", "class_id"]
_MOST = 0.95


@dataclass(frozen=True)
class JudgedTable:
    """The good rows of a table.

    Attributes:
        rows: image_id, class_id, shown, selected, and a number for each correctness column.
        models: The models that have a column of their own.
        left_out: The rows that were taken out.
        votes: One row a vote, with image_id, class_id, worker and yes, if single votes are known.
    """

    rows: "pd.DataFrame"
    models: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    votes: "pd.DataFrame | None" = None

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
        return replace(self, rows=self.rows[~few], left_out=(*self.left_out, *out))

    def judged(self, model: str | None = None, workers: "dict[str, int] | None" = None) -> Judged:
        """The images with the mean over models, or with one model.

        Args:
            model: The model; None: the mean over models.
            workers: Where single votes are known: a number of each worker, for both tables the
                same; workers who are not in it yet are added.

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
            None if workers is None or self.votes is None else self._single(workers),
        )

    def _single(self, workers: dict[str, int]) -> SingleVotes:
        import pandas as pd

        images = pd.MultiIndex.from_frame(self.rows[KEYS])
        votes = self.votes if self.votes is not None else pd.DataFrame(columns=[*KEYS, "worker"])
        place = images.get_indexer(pd.MultiIndex.from_frame(votes[KEYS]))
        votes, place = votes[place >= 0], place[place >= 0]
        names = votes["worker"].tolist()
        for name in sorted(set(names)):
            workers.setdefault(name, len(workers))
        return SingleVotes(
            place.astype(np.int64),
            np.array([workers[name] for name in names], dtype=np.int64),
            votes["yes"].to_numpy(dtype=bool),
        )


def judged_table(
    frame: "pd.DataFrame", name: str, votes: "pd.DataFrame | None" = None
) -> JudgedTable:
    """Take a table apart into good rows and bad ones.

    Args:
        frame: Every cell as text: image_id, class_id, and ``correct`` (the mean over models, in
            [0, 1]) or one column ``correct:MODEL`` a model, or both; with shown and selected, one
            row an image, or with worker and vote, one row a vote.
        name: What the table is called, for messages.
        votes: Another table, with the single votes; then the first needs no counts.

    Raises:
        UsageError: A column is missing, or no row is good.
    """
    models = [str(column) for column in frame.columns if str(column).startswith(PREFIX)]
    columns = [*([MEAN] if MEAN in frame.columns else []), *models]
    if not columns:
        raise UsageError(
            f"{name} has no column that says how models did.",
            f"Add a column {MEAN} (the mean over models), or one column {PREFIX}MODEL a model.",
        )
    need_columns(frame, KEYS, name)
    checked = check_table(frame if votes is None else votes)
    answers = _answers(frame, columns, one_a_vote=votes is None and holds_votes(frame))
    rows = checked.counts.merge(answers, on=KEYS).set_index("place")
    bad = tuple(
        LeftOut(int(place), reason, f"{_WRONG[reason]} (image {image})")
        for place, image, reason in zip(
            *(rows.reset_index()[name].tolist() for name in ("place", "image_id", "wrong")),
            strict=True,
        )
        if reason
    )
    if votes is not None:
        bad += _without_partner(checked, answers)
    if votes is not None and not len(rows):
        raise UsageError(
            f"The votes given for {name} are on none of its images, but on others such as "
            f"{checked.counts['image_id'].iloc[0]!r}; it has {frame['image_id'].iloc[0]!r}.",
            "Look whether --votes-original and --votes-new are swapped, and whether image_id and "
            "class_id are the same in both tables.",
        )
    rows = rows[rows["wrong"] == ""].drop(columns="wrong")
    if MEAN not in columns:
        rows[MEAN] = rows[models].mean(axis=1)
    table = JudgedTable(
        rows,
        tuple(model.removeprefix(PREFIX) for model in models),
        (*checked.left_out, *bad),
        checked.votes,
    ).at_least(FEWEST)
    if len(table.rows) < 2:
        raise UsageError(
            f"{name} has fewer than two images with {FEWEST} votes and correctness in [0, 1].",
            "Nothing can be adjusted without votes: collect some first.",
        )
    return table


_WRONG = {
    "no_share": "correctness does not lie in [0, 1]",
    "duplicate": "it comes twice, with different correctness",
}


def _answers(frame: "pd.DataFrame", columns: list[str], one_a_vote: bool) -> "pd.DataFrame":
    """One row an image: its place in the table from 1, its correctness, and what is wrong."""
    import pandas as pd

    numbers = frame[columns].apply(pd.to_numeric, errors="coerce")
    wrong = ~numbers.ge(0).all(axis=1) | ~numbers.le(1).all(axis=1)
    rows = pd.concat([frame[KEYS], numbers], axis=1).assign(
        place=range(1, len(frame) + 1), wrong=wrong.map({True: "no_share", False: ""})
    )
    same = rows.drop_duplicates([*KEYS, *columns]) if one_a_vote else rows
    twice = same.duplicated(KEYS, keep=False)
    found: pd.DataFrame = same.assign(wrong=same["wrong"].mask(twice, "duplicate"))
    return found.drop_duplicates(KEYS)


def _without_partner(checked: Checked, answers: "pd.DataFrame") -> tuple[LeftOut, ...]:
    """Images with correctness and no votes, and images with votes and no correctness."""
    voted = dict.fromkeys(zip(*(checked.counts[key].tolist() for key in KEYS), strict=True))
    place = dict(
        zip(
            zip(*(answers[key].tolist() for key in KEYS), strict=True),
            answers["place"].tolist(),
            strict=True,
        )
    )
    silent = [
        LeftOut(int(row), "no_votes", f"image {image[0]} has no votes")
        for image, row in place.items()
        if image not in voted
    ]
    unknown = [
        LeftOut(0, "unknown_image", f"image {image[0]} has votes and is not in the table")
        for image in voted
        if image not in place
    ]
    return (*silent, *unknown)
