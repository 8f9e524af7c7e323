"""A provider that writes files for other labelling tools, and reads the filled-in ones.

One run of publish writes one folder, ``batch-001`` and so on, and never touches it again. A HIT's
record is written before its tasks; so one that was cut off is completed when the folder is
opened next, and none is written twice.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from replicate.base.blobs import open_blobs
from replicate.base.digests import digest_value, sha256_bytes
from replicate.base.errors import MissingError, ProviderError
from replicate.base.files import read_json, write_json
from replicate.base.randomness import token
from replicate.crowd.exchange_files import BatchFolder, is_ours
from replicate.crowd.filled import SUFFIXES, FilledRow, read_filled
from replicate.crowd.providers import (
    HitProgress,
    HitRequest,
    HitTerms,
    LeftOut,
    RawAssignment,
    mode_text,
)
from replicate.crowd.submissions import VERSION

_ANSWERS = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/"
    "QuestionFormAnswers.xsd"
)
_Marks = dict[str, FilledRow]  # one worker's rows of one HIT, by slot


class FilesProvider:
    """Labelling with files: tasks go out, votes come in.

    Args:
        root: The folder of batches; made when it is needed.
        displays: The folder of display copies, or their place on S3.
        key: What assignment ids are made with, so that they tell nobody's name.
        where: What the folder is called in the mode; its name by default.

    Attributes:
        name: ``files``.
        mode: ``files at FOLDER: people fill them in``.
        simulated: False.
    """

    name = "files"
    simulated = False

    def __init__(
        self, root: Path, displays: Path | str, key: bytes, where: str | None = None
    ) -> None:
        self.root = root
        self.mode = mode_text(self.name, where or root.name, "people fill them in")
        self._displays = open_blobs(displays)
        self._key = key
        self._folder: BatchFolder | None = None
        self._seen: tuple[Any, ...] = ()
        self._filled: dict[str, dict[str, _Marks]] = {}
        self._left: list[LeftOut] = []
        self._hit_of: dict[str, str] = {}  # of the assignments that were given out

    @cached_property
    def _records(self) -> dict[str, dict[str, Any]]:
        """What is known of each HIT, by id; tasks that a run left unwritten are written now."""
        records = {path.stem: read_json(path) for path in sorted(self._hits.glob("*.json"))}
        by_batch: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for record in records.values():
            by_batch[record["batch"]].append(record)
        for batch, members in by_batch.items():
            BatchFolder(self.root / batch, self._displays).settle(
                sorted(members, key=lambda record: int(record["position"]))
            )
        return records

    @property
    def _hits(self) -> Path:
        return self.root / "hits"

    def check(self) -> None:
        """See that the folder can be written."""
        try:
            self._hits.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProviderError(
                f"The folder {self.root} cannot be written: {error.strerror}."
            ) from error
        _ = self._records

    def hit_type(self, terms: HitTerms) -> str:
        """A digest of the terms that a HIT type has."""
        values = terms.as_json()
        del values["assignments"], values["lifetime"]
        return digest_value(values)[:16]

    def publish(self, request: HitRequest, hit_type: str, terms: HitTerms) -> str:
        """Write a HIT's tasks into this run's batch; a repeated key writes nothing."""
        hit_id = sha256_bytes(request.key.encode())[:16]
        if hit_id in self._records:
            return hit_id
        if request.sheet is None:
            raise MissingError("Files can only be written of pages whose content is known.")
        if self._folder is None:
            taken = {record["batch"] for record in self._records.values()}
            number = 1 + max((int(name.rpartition("-")[2]) for name in taken), default=0)
            self._folder = BatchFolder(self.root / f"batch-{number:03d}", self._displays)
        batch = self._folder.path.name
        record = {
            "hit": hit_id,
            "batch": batch,
            "position": sum(each["batch"] == batch for each in self._records.values()),
            "type": hit_type,
            "wanted": terms.assignments,
            "sheet": asdict(request.sheet),
            "taken": None,
            "approved": [],
        }
        self._keep(record)
        self._folder.add(record)
        return hit_id

    def progress(self, hit_id: str) -> HitProgress:
        """How many people have filled in a HIT, and how many are in the middle of it."""
        record = self._record(hit_id)
        people = self._people(hit_id)
        slots = _slots(record)
        complete = sum(slots.keys() <= marks.keys() for marks in people.values())
        open_ = max(0, record["wanted"] - complete)
        over = record["taken"] is not None or not open_
        return HitProgress(
            status="Reviewable" if over else "Assignable",
            wanted=record["wanted"],
            pending=0 if over else min(open_, len(people) - complete),
            available=max(0, open_ - (len(people) - complete)),
        )

    def assignments(self, hit_id: str) -> Iterator[RawAssignment]:
        """Every HIT that somebody has filled in to its last image; half a page is none."""
        record = self._record(hit_id)
        slots = _slots(record)
        for worker, marks in sorted(self._people(hit_id).items()):
            if not slots.keys() <= marks.keys():
                continue
            assignment_id = token(self._key, "assignment", hit_id, worker)
            if record["taken"] is not None and assignment_id not in record["taken"]:
                continue  # it came when the HIT was over
            self._hit_of[assignment_id] = hit_id
            yield RawAssignment(
                assignment_id=assignment_id,
                hit_id=hit_id,
                worker_id=worker,
                status="Approved" if assignment_id in record["approved"] else "Submitted",
                answer=_document(json.dumps(_answer(slots, marks))),
                accepted=None,
                submitted=None,
            )

    def left_out(self) -> Sequence[LeftOut]:
        """The rows of filled-in files that cannot be used, until somebody mends them."""
        self._look()
        return self._left

    def approve(self, assignment_id: str) -> None:
        """Note that a page is paid for."""
        if assignment_id not in self._hit_of:
            for each in self._records:
                list(self.assignments(each))
        if assignment_id not in self._hit_of:
            raise ProviderError(f"There is no filled-in page {assignment_id} in {self.root}.")
        record = self._record(self._hit_of[assignment_id])
        if assignment_id not in record["approved"]:
            self._keep({**record, "approved": [*record["approved"], assignment_id]})

    def expire(self, hit_id: str) -> None:
        """Take no more pages of a HIT than are filled in now."""
        taken = [item.assignment_id for item in self.assignments(hit_id)]
        self._keep({**self._record(hit_id), "taken": taken})

    def _keep(self, record: dict[str, Any]) -> None:
        write_json(self._hits / f"{record['hit']}.json", record)
        self._records[record["hit"]] = record

    def _record(self, hit_id: str) -> dict[str, Any]:
        try:
            return self._records[hit_id]
        except KeyError:
            raise ProviderError(f"There is no HIT {hit_id} in {self.root}.") from None

    def _people(self, hit_id: str) -> dict[str, _Marks]:
        self._look()
        return self._filled.get(hit_id, {})

    def _look(self) -> None:
        """Read the filled-in files, if there are new or changed ones."""
        paths = sorted(
            path
            for path in self.root.glob("batch-*/*")
            if path.suffix.lower() in SUFFIXES and not is_ours(path.name)
        )
        stats = [path.stat() for path in paths]
        seen = tuple((str(p), s.st_mtime_ns, s.st_size) for p, s in zip(paths, stats, strict=True))
        if seen == self._seen:
            return
        self._seen = seen
        self._filled, self._left = {}, []
        rows: list[FilledRow] = []
        for path in paths:
            found, left = read_filled(path, f"{path.parent.name}/{path.name}")
            rows += found
            self._left += left
        self._sort(rows)

    def _sort(self, rows: list[FilledRow]) -> None:
        """Rows by HIT and worker; whoever gives one image two votes gives this page none."""
        spoilt: set[tuple[str, str]] = set()
        for row in rows:
            record = self._records.get(row.hit)
            if record is None:
                self._left.append(LeftOut("unknown_hit", f"{row.where}: {row.hit[:40]!r}"))
                continue
            if row.slot not in _slots(record):
                self._left.append(LeftOut("unknown_slot", f"{row.where}: {row.slot[:40]!r}"))
                continue
            marks = self._filled.setdefault(row.hit, {}).setdefault(row.worker, {})
            before = marks.setdefault(row.slot, row)
            if before.vote != row.vote:
                spoilt.add((row.hit, row.worker))
                where = f"{row.where}: {row.vote}, but {before.vote} in {before.where}"
                self._left.append(LeftOut("two_votes", where))
        for hit_id, worker in spoilt:
            del self._filled[hit_id][worker]


def _slots(record: dict[str, Any]) -> dict[str, str]:
    return dict(record["sheet"]["images"])


def _answer(slots: dict[str, str], marks: _Marks) -> dict[str, Any]:
    """The answer that our own page would have sent; times as if it was gone through in order."""
    chosen = {slot: marks[slot].vote for slot in slots}
    times: dict[str, int] = {}
    clock = 0.0
    for slot in slots:
        seconds = marks[slot].seconds
        if seconds is not None:
            clock += 1000 * seconds
            times[slot] = round(clock)
    selected = [slot for slot, vote in chosen.items() if vote == "yes"]
    return {
        "version": VERSION,
        "selected": selected,
        "broken": [slot for slot, vote in chosen.items() if vote == "broken"],
        "none": not selected,
        "order": list(slots),
        "times": times,
    }


def _document(answer: str) -> str:
    """An answer as the protocol's QuestionFormAnswers."""
    field = f"<QuestionIdentifier>answer</QuestionIdentifier><FreeText>{escape(answer)}</FreeText>"
    return f'<QuestionFormAnswers xmlns="{_ANSWERS}"><Answer>{field}</Answer></QuestionFormAnswers>'
