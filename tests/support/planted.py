"""What was planted in the photos of the local Flickr."""

import csv
from pathlib import Path

from replicate.sandbox.photos import TruthRow


def read_truth(folder: Path) -> list[TruthRow]:
    """The rows of a folder's ``truth.csv``."""
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as handle:
        return [TruthRow(**row) for row in csv.DictReader(handle)]
