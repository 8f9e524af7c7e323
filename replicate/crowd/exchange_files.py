"""The files of one batch that goes out to another labelling tool.

``tasks.csv`` and ``tasks.jsonl`` list one image a line, ``label-studio.json`` is the same for
Label Studio's import, and ``images/`` holds the display copies. All images are alike in date and
naming, so that nothing tells which of them are controls.
"""

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from replicate.base.blobs import Blobs
from replicate.base.errors import MissingError
from replicate.base.files import write_text

COLUMNS = ("hit", "slot", "class_id", "round", "question", "image", "worker", "vote", "seconds")
TASKS, LINES, STUDIO = "tasks.csv", "tasks.jsonl", "label-studio.json"
_END = "\n]\n"
_SAME_DATE = 946_684_800  # 1 January 2000: every image's date
_CONFIG = """<View>
  <Header value="$question"/>
  <Image name="image" value="$image"/>
  <Choices name="vote" toName="image" choice="single" showInLine="true" required="true">
    <Choice value="yes" hotkey="1"/>
    <Choice value="no" hotkey="2"/>
    <Choice value="broken" hotkey="3"/>
  </Choices>
</View>
"""
_README = """# A batch of images to be labelled

Each line of `tasks.csv` (the same in `tasks.jsonl`) is one image of one page (`hit`, `slot`), the
question about it, and the image's file.

Fill in `worker` (who answers: a pseudonym will do), `vote` (`yes`, `no`, or `broken` for an image
that cannot be made out) and, if it is known, `seconds`. Save a copy in this folder under another
name, such as `votes-ada.csv`; every `.csv`, `.tsv`, `.jsonl` and `.json` file here that is not
ours is read. At least the columns hit, slot, worker and vote must be there. A page counts for a
worker once all of its images have a vote.

Label Studio: make a project with the labelling interface of `label-studio.xml`, serve this
batch's parent folder as local files (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT), import
`label-studio.json`, and put the export (JSON, JSON-MIN or CSV) into this folder.

Then: replicate collect
"""


def is_ours(name: str) -> bool:
    """Whether a file of a batch folder was written by us."""
    return name in (TASKS, LINES, STUDIO) or name.startswith(".")


class BatchFolder:
    """One batch's folder.

    Args:
        path: The folder.
        displays: Where the display copies are.
    """

    def __init__(self, path: Path, displays: Blobs) -> None:
        self.path = path
        self._displays = displays

    def settle(self, records: Sequence[dict[str, Any]]) -> None:
        """Make the files hold exactly these HITs, after a run that was cut off.

        Args:
            records: The batch's HITs, in order.
        """
        rows = [row for record in records for row in self._rows(record)]
        tasks = self.path / TASKS
        text = _csv(rows, head=True)
        whole = all((self.path / name).exists() for name in (LINES, STUDIO, "README.md"))
        if whole and tasks.exists() and tasks.read_text(encoding="utf-8") == text:
            ends = (self.path / STUDIO).read_text(encoding="utf-8")
            lines = (self.path / LINES).read_text(encoding="utf-8")
            if lines == _lines(rows) and ends == _studio(rows):
                return
        for record in records:
            self._copy_images(record)
        self._begin()
        write_text(self.path / LINES, _lines(rows))
        write_text(self.path / STUDIO, _studio(rows))
        write_text(tasks, text)

    def add(self, record: dict[str, Any]) -> None:
        """Write one more HIT's tasks at the end of the files."""
        self._copy_images(record)
        rows = list(self._rows(record))
        tasks = self.path / TASKS
        if not tasks.exists():
            self.settle([record])
            return
        with (self.path / LINES).open("a", encoding="utf-8") as lines:
            lines.write(_lines(rows))
        with (self.path / STUDIO).open("r+", encoding="utf-8") as studio:
            studio.seek(studio.seek(0, os.SEEK_END) - len(_END))
            studio.write(",\n" + _studio_items(rows) + _END)
        with tasks.open("a", encoding="utf-8", newline="") as table:
            table.write(_csv(rows, head=False))

    def _begin(self) -> None:
        write_text(self.path / "README.md", _README)
        write_text(self.path / "label-studio.xml", _CONFIG)

    def _rows(self, record: dict[str, Any]) -> Iterator[dict[str, str]]:
        sheet = record["sheet"]
        for slot, digest in sheet["images"]:
            yield {
                "hit": record["hit"],
                "slot": slot,
                "class_id": sheet["class_id"],
                "round": str(sheet["round"]),
                "question": sheet["question"],
                "image": f"images/{record['hit']}/{slot}{self._suffix(digest)}",
                "worker": "",
                "vote": "",
                "seconds": "",
            }

    def _suffix(self, digest: str) -> str:
        try:
            return ".png" if self._displays.get(digest).startswith(b"\x89PNG") else ".jpg"
        except FileNotFoundError:
            raise MissingError(
                f"The display copy {digest} is not there.", "Make it: replicate prepare"
            ) from None

    def _copy_images(self, record: dict[str, Any]) -> None:
        for row, (_, digest) in zip(self._rows(record), record["sheet"]["images"], strict=True):
            target = self.path / row["image"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._displays.get(digest))
            os.utime(target, (_SAME_DATE, _SAME_DATE))


def _csv(rows: Sequence[dict[str, str]], head: bool) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    if head:
        writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _lines(rows: Sequence[dict[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _studio(rows: Sequence[dict[str, str]]) -> str:
    return "[\n" + _studio_items(rows) + _END


def _studio_items(rows: Sequence[dict[str, str]]) -> str:
    return ",\n".join(json.dumps({"data": _studio_data(row)}, ensure_ascii=False) for row in rows)


def _studio_data(row: dict[str, str]) -> dict[str, str]:
    kept = {name: row[name] for name in ("hit", "slot", "class_id", "round", "question")}
    return {**kept, "image": f"/data/local-files/?d={row['image']}"}
