"""pm-k: a video's frame counts as right only if a model is right on all frames around it.

Source: Shankar, Dave, Roelofs, Ramanan, Recht and Schmidt (2019), "Do Image Classifiers Generalize
Across Time?": accuracy on anchor frames beside accuracy on the worst of the frames at most k before
or after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError
from replicate.base.tables import read_table
from replicate.zoo.prediction_files import read

_TRUE = frozenset({"1", "1.0", "true", "yes", "y"})


@dataclass(frozen=True)
class Groups:
    """Anchor frames and the frames around them.

    Attributes:
        anchors: The anchors' items.
        videos: Each anchor's video.
        members: For each anchor its own item and those of the frames around it.
    """

    anchors: tuple[str, ...]
    videos: tuple[str, ...]
    members: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class AcrossTime:
    """One model on anchors alone and on all frames around them.

    Attributes:
        model: The model.
        items: The anchors that count: every frame around them was read and has a label.
        anchor: Whether each is right, shape (n,).
        all_right: Whether it and all frames around it are, shape (n,).
    """

    model: str
    items: tuple[str, ...]
    anchor: npt.NDArray[np.bool_]
    all_right: npt.NDArray[np.bool_]


def read_groups(table: Path, k: int) -> Groups:
    """Groups of frames from a table.

    Args:
        table: Columns ``item`` (the image's name, as predictions have it), ``video``, ``frame`` (a
            whole number), and perhaps ``anchor`` (1 or 0; without it every frame is one). Frames
            that show something else are left out of it.
        k: How many frames before and after an anchor count, at least 0.

    Raises:
        UsageError: Columns are missing, a frame is no number, or an item is named twice.
    """
    frame = read_table(table)
    names = {str(name).strip().lower(): name for name in frame.columns}
    missing = [name for name in ("item", "video", "frame") if name not in names]
    if missing:
        raise UsageError(
            f"{table} has no column {missing[0]}.",
            "Columns: item, video, frame, and perhaps anchor (1 or 0).",
        )
    items = [str(item).strip() for item in frame[names["item"]]]
    videos = [str(video).strip() for video in frame[names["video"]]]
    try:
        numbers = [int(float(str(number))) for number in frame[names["frame"]]]
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{table} has a frame that is no number: {error}.") from error
    if len(set(items)) < len(items):
        raise UsageError(f"{table} names an item twice.", "Name each frame's image once.")
    flags = [True] * len(items)
    if "anchor" in names:
        flags = [str(flag).strip().lower() in _TRUE for flag in frame[names["anchor"]]]
    if not any(flags):
        raise UsageError(f"{table} has no anchor.", "Mark anchors by 1 in the column anchor.")
    by_video: dict[str, list[tuple[int, str]]] = {}
    for item, video, number in zip(items, videos, numbers, strict=True):
        by_video.setdefault(video, []).append((number, item))
    anchors = [at for at, flag in enumerate(flags) if flag]
    members = tuple(
        tuple(item for number, item in by_video[videos[at]] if abs(number - numbers[at]) <= k)
        for at in anchors
    )
    return Groups(tuple(items[at] for at in anchors), tuple(videos[at] for at in anchors), members)


def across_time(path: Path, groups: Groups) -> AcrossTime:
    """One model's prediction file, judged by groups of frames.

    Raises:
        UsageError: The table names frames that the set does not have.
        ItemError: The file is no prediction file.
    """
    found = read(path)
    place = {item: at for at, item in enumerate(found.items)}
    wanted: Sequence[str] = [item for group in groups.members for item in group]
    lost = [item for item in wanted if item not in place]
    if lost:
        raise UsageError(
            f"{path} has no prediction for {len(lost)} frames of the table, such as {lost[0]}.",
            "Write items as the predictions have them: paths below the folder that was scored.",
        )
    right = found.scored.classes[:, 0] == found.labels
    known = found.readable & (found.labels >= 0)
    kept = [
        at for at, group in enumerate(groups.members) if all(known[place[item]] for item in group)
    ]
    anchor = [bool(right[place[groups.anchors[at]]]) for at in kept]
    every = [all(bool(right[place[item]]) for item in groups.members[at]) for at in kept]
    return AcrossTime(
        str(found.header["model"]),
        tuple(groups.anchors[at] for at in kept),
        np.array(anchor, np.bool_),
        np.array(every, np.bool_),
    )
