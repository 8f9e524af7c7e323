"""Votes that were gathered elsewhere: what one is, and how files of them are read.

Reading is liberal, reporting is exact: every row that cannot be used is counted by reason and
named, and nothing in a file raises an error.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from replicate.base.errors import MissingError, UsageError
from replicate.crowd.answers import Vote
from replicate.crowd.filled import WORDS, read_records, value_of

COUNTED = ("Submitted", "Approved")


@dataclass(frozen=True)
class ImportedVote:
    """One person's vote on one image.

    Attributes:
        image: The image, by the name that the file gives it.
        class_id: The class that was asked for.
        worker: The worker, as the file names them; to be hashed before it is kept.
        vote: yes, no or broken.
        hit: The page's id; empty where the file names none.
        assignment: The submission's id; empty where the file names none.
        status: Submitted or Approved.
        seconds: How long the page took, where that is known.
        submitted: When it was sent, where that is known.
    """

    image: str
    class_id: str
    worker: str
    vote: Vote
    hit: str = ""
    assignment: str = ""
    status: str = "Approved"
    seconds: float | None = None
    submitted: datetime | None = None


@dataclass
class Imported:
    """What some files held.

    Attributes:
        rows: Rows (assignments, or votes) that were read.
        used: Rows that were used.
        left_out: Rows that were not, by reason.
        examples: Where the first of each reason is.
        votes: The votes, in the files' order.
    """

    rows: int = 0
    used: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    votes: list[ImportedVote] = field(default_factory=list)

    def leave_out(self, reason: str, where: str) -> None:
        """Count something that cannot be used."""
        self.left_out[reason] += 1
        self.examples.setdefault(reason, where)

    def use(self, votes: Iterable[ImportedVote]) -> None:
        """Take the votes of one row."""
        self.used += 1
        self.votes += votes


@dataclass(frozen=True)
class Columns:
    """What a user says about the columns of a file.

    Attributes:
        columns: Column names, by what they hold: image, class, worker, vote, hit, assignment,
            status, seconds, answer.
        class_id: The class of every row; by default a column says it.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    class_id: str | None = None


NAMES: dict[str, tuple[str, ...]] = {
    "image": ("image_id", "image", "image_url", "url", "file", "filename", "img"),
    "class": ("class_id", "class", "wnid", "synset", "category", "label_asked"),
    "worker": ("worker", "worker_id", "workerid", "annotator", "completed_by"),
    "vote": ("vote", "choice", "answer", "selected", "label"),
    "hit": ("hit", "hit_id", "hitid"),
    "assignment": ("assignment", "assignment_id", "assignmentid"),
    "status": ("status", "assignmentstatus"),
    "seconds": ("seconds", "lead_time", "worktimeinseconds"),
    "answer": (),
}
Reader = Callable[[Path, Imported, Columns], None]


def read_table(path: Path, into: Imported, mapping: Columns) -> None:
    """A plain table, or an export of Label Studio: one vote a row.

    Args:
        path: A CSV, TSV, JSON or JSON lines file.
        into: Where its votes go.
        mapping: What the user says about its columns.
    """
    records, left = read_records(path, path.name)
    for item in left:
        into.rows += 1
        into.leave_out(item.reason, item.where)
    for where, record in records:
        into.rows += 1
        values = {name: value_of(record, _names_of(name, mapping)) for name in NAMES}
        class_id = mapping.class_id or values["class"]
        status = values["status"] or "Approved"
        vote = WORDS.get(values["vote"].lower())
        reasons = {
            "no_image": not values["image"],
            "no_class": not class_id,
            "no_worker": not values["worker"],
            "no_vote": not values["vote"],
            "unknown_vote": vote is None,
            "rejected": status == "Rejected",
            "unknown_status": status not in COUNTED,
        }
        reason = next((name for name, true in reasons.items() if true), None)
        if reason is not None or vote is None:
            into.leave_out(reason or "unknown_vote", where)
            continue
        into.use(
            [
                ImportedVote(
                    image=values["image"],
                    class_id=class_id,
                    worker=values["worker"],
                    vote=vote,
                    hit=values["hit"],
                    assignment=values["assignment"],
                    status=status,
                    seconds=seconds_of(values["seconds"]),
                )
            ]
        )


def _names_of(name: str, mapping: Columns) -> Sequence[str]:
    given = mapping.columns.get(name)
    return (given.lower(),) if given else NAMES[name]


def seconds_of(value: Any) -> float | None:
    """A number of seconds, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < 1e9 else None


def read_imports(paths: Sequence[Path], kind: str, mapping: Columns | None = None) -> Imported:
    """Read files of votes.

    Args:
        paths: The files.
        kind: ``mturk-csv``, ``boto3-json``, ``label-studio`` or ``csv``.
        mapping: What the user says about their columns.

    Raises:
        UsageError: There is no such format, or nothing of the name that a mapping gives.
        MissingError: A file is not there.
    """
    from replicate.crowd.import_mturk import read_batch_csv, read_boto3_json

    readers: dict[str, Reader] = {
        "mturk-csv": read_batch_csv,
        "boto3-json": read_boto3_json,
        "label-studio": read_table,
        "csv": read_table,
    }
    if kind not in readers:
        raise UsageError(f"There is no format {kind!r}.", f"Name one of: {', '.join(readers)}.")
    wrong = sorted(set((mapping or Columns()).columns) - set(NAMES))
    if wrong:
        raise UsageError(f"A row has no {wrong[0]!r}.", f"Map one of: {', '.join(NAMES)}.")
    found = Imported()
    for path in paths:
        if not path.is_file():
            raise MissingError(f"There is no file {path}.", "Check its name.")
        readers[kind](path, found, mapping or Columns())
    return _once(found)


def _once(found: Imported) -> Imported:
    """Files that overlap give each vote once; two different votes of one submission give none."""
    seen: dict[tuple[str, ...], ImportedVote] = {}
    spoilt: set[tuple[str, ...]] = set()
    for vote in found.votes:
        key = (vote.image, vote.class_id, vote.worker, vote.hit, vote.assignment)
        before = seen.setdefault(key, vote)
        if before is not vote:
            reason = "repeated" if before.vote == vote.vote else "two_votes"
            found.leave_out(reason, f"image {vote.image}")
            found.used -= not vote.assignment
            spoilt |= {key} if reason == "two_votes" else set()
    found.votes = [vote for key, vote in seen.items() if key not in spoilt]
    return found
