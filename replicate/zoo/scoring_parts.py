"""The predictions of one unit, a model and a shard: a file that is whole or not there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from replicate.zoo.arrays import read_arrays, write_arrays
from replicate.zoo.prediction_files import Scored


def write_part(path: Path, scored: Scored, failed: Mapping[int, str]) -> None:
    """Write the predictions of one unit.

    Args:
        path: Where to.
        scored: The predictions.
        failed: Place in the shard → why the image could not be read.
    """
    columns = [np.array(c) for c in (scored.classes, scored.scores, scored.log_sum_exp)]
    for at in failed:
        columns[0][at], columns[1][at], columns[2][at] = -1, np.nan, np.nan
    reasons = np.frombuffer(json.dumps(dict(failed)).encode(), np.uint8)
    arrays: dict[str, Any] = dict(zip(("classes", "scores", "log_sum_exp"), columns, strict=True))
    arrays["failed"] = reasons
    if scored.logits is not None:
        arrays["logits"] = scored.logits
    write_arrays(path, arrays)


def read_part(path: Path) -> tuple[Scored, dict[int, str]]:
    """The predictions of one unit, and the images that could not be read.

    Raises:
        FileNotFoundError: It is not there.
    """
    arrays = read_arrays(path)
    reasons = {int(at): str(why) for at, why in json.loads(arrays["failed"].tobytes()).items()}
    scored = Scored(
        arrays["classes"], arrays["scores"], arrays["log_sum_exp"], arrays.get("logits")
    )
    return scored, reasons
