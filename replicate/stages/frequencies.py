"""The selection frequencies of a study, by group of images, with the rules on work or without."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.orm import Session

from replicate.base.errors import MissingError
from replicate.crowd.summary import Summary, summarise, with_intervals
from replicate.store.queries import members_of_test_set, newest_revision, pool, set_members
from replicate.store.rules import Outcome, outcome
from replicate.study import Study

if TYPE_CHECKING:
    import pandas as pd

_COUNTED = "SELECT image_id, class_id, worker_id AS worker, value FROM counted_votes"
_USABLE = (
    "SELECT image_id, class_id, worker_id AS worker, value FROM usable_votes WHERE role <> 'repeat'"
)


@dataclass(frozen=True)
class StudyFrequencies:
    """What people selected in a study.

    Attributes:
        table: One row an (image, class) that was voted on, sorted: image_id, class_id, group
            (``original``, ``candidates``, or ``control`` for images of another class), shown,
            selected, frequency, low, high.
        groups: The original, the candidate pool, and the new test sets, by name.
        rules: What the rules on work leave out; in `table` and `groups` unless it was asked to
            do without.
        simulated: Whether any of the workers is simulated.
    """

    table: "pd.DataFrame"
    groups: dict[str, Summary]
    rules: Outcome
    simulated: bool


def study_frequencies(study: Study, *, rules: bool = True, level: float = 0.95) -> StudyFrequencies:
    """Every image's selection frequency, and the means of the groups.

    Args:
        study: The study.
        rules: Leave out the votes of workers whom the rules flag.
        level: The confidence level of all intervals, in (0, 1).

    Raises:
        MissingError: There are no votes yet.
    """
    import pandas as pd

    with study.session() as session:
        rows = session.execute(text(_COUNTED if rules else _USABLE)).all()
        members = _members(session, study)
        found = outcome(session)
        simulated = session.execute(
            text("SELECT COUNT(*) FROM assignments WHERE simulated")
        ).scalar_one()
    if not rows:
        raise MissingError(
            found.sentence() or "There are no votes yet.",
            "Show them without the rules: replicate freq --no-rules"
            if found.flagged
            else "Run the stage before first: replicate collect",
        )
    votes = pd.DataFrame(rows, columns=["image_id", "class_id", "worker", "value"])
    votes = votes.assign(yes=votes["value"] == "yes").drop(columns="value")
    counts = (
        votes.groupby(["image_id", "class_id"], sort=True)["yes"]
        .agg(shown="size", selected="sum")
        .reset_index()
    )
    index = pd.MultiIndex.from_frame(counts[["image_id", "class_id"]])
    group = pd.Series("control", index=counts.index)
    for name in ("candidates", "original"):
        group[index.isin(members[name])] = name
    counts.insert(2, "group", group)
    of_vote = pd.MultiIndex.from_frame(votes[["image_id", "class_id"]])
    groups = {
        name: summarise(
            counts[index.isin(pairs)].reset_index(drop=True), votes[of_vote.isin(pairs)], level
        )
        for name, pairs in members.items()
        if pairs
    }
    return StudyFrequencies(with_intervals(counts, votes, level), groups, found, bool(simulated))


def _members(session: Session, study: Study) -> dict[str, list[tuple[str, str]]]:
    """The (image, class) of the original, of the pool, and of each new set's newest revision."""
    groups = {"original": set_members(session, "original"), "candidates": pool(session)}
    for block in study.pipeline.sample:
        row = newest_revision(session, block.name)
        if row is not None:
            groups[block.name] = members_of_test_set(session, row.name, row.revision)
    return {
        name: [(member.image_id, member.class_id) for member in members]
        for name, members in groups.items()
    }
