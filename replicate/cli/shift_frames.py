"""What `replicate shifts frames` does: prediction files judged by groups of frames."""

import csv
import io
from pathlib import Path
from typing import Any

from replicate.base.errors import ItemError, MissingError
from replicate.base.files import write_text

ANCHORS = "anchors"


def judge(predictions: Path, table: Path, k: int, output: Path) -> dict[str, Any]:
    """Judge every model of a folder, and write a table of scores for `replicate analyze`.

    Args:
        predictions: A folder of prediction files of all frames.
        table: The frames.
        k: Frames before and after an anchor that count.
        output: The table to write: model, test_set, item, score, group (the video).

    Returns:
        The document of ``--json``.

    Raises:
        MissingError: The folder has no prediction files.
        UsageError: The table is wrong, or names other frames.
    """
    from replicate.zoo.frames import across_time, read_groups

    files = sorted(predictions.glob("*.arrow"))
    if not files:
        raise MissingError(
            f"There are no prediction files in {predictions}.",
            "Score the frames: replicate score folder --models … --data FRAMES --output …",
        )
    groups = read_groups(table, k)
    video = dict(zip(groups.anchors, groups.videos, strict=True))
    name, rows = f"pm-{k}", []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "test_set", "item", "score", "group"])
    for path in files:
        try:
            found = across_time(path, groups)
            row = {"anchors": _share(found.anchor), "pm_k": _share(found.all_right)}
        except ItemError as error:
            rows.append({"model": path.name, "ok": False, "reason": error.whole})
            continue
        rows.append(
            {"model": found.model, "ok": True, "reason": None, "n": len(found.items), **row}
        )
        for set_name, values in ((ANCHORS, found.anchor), (name, found.all_right)):
            writer.writerows(
                [found.model, set_name, item, int(right), video[item]]
                for item, right in zip(found.items, values, strict=True)
            )
    write_text(output, text.getvalue())
    return {
        "set": name, "k": k, "anchors": len(groups.anchors), "videos": len(set(groups.videos)),
        "table": str(output), "models": rows,
    }  # fmt: skip


def _share(right: Any) -> dict[str, Any]:
    from replicate.analysis.intervals import clopper_pearson

    n, correct = len(right), int(right.sum())
    if n == 0:
        raise ItemError("no_images", "no anchor has all of its frames read and labelled")
    ends = clopper_pearson(correct, n)
    return {"correct": correct, "accuracy": correct / n, "ci": [ends.low, ends.high]}
