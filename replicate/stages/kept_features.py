"""The features that the stage `dedup` keeps below the study folder, by prepared bytes."""

from pathlib import Path

from replicate.study import Study

_FOLDER = "features"


def features_folder(study: Study) -> Path:
    """Where they are: a folder for each model and preprocessing."""
    return study.root / _FOLDER


def kept_features(folder: Path) -> dict[str, tuple[Path, int]]:
    """What is in a folder: digest of the prepared bytes to the file and the row."""
    from replicate.zoo.feature_files import read_features

    kept: dict[str, tuple[Path, int]] = {}
    for path in sorted(folder.glob("images/*.arrow")):
        for row, name in enumerate(read_features(path).names or ()):
            kept[name] = (path, row)
    return kept


class KeptFeatures:
    """Features to delete from, as files of images are."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def delete(self, digest: str) -> bool:
        """Delete the files that hold an image's features; the others' are made again when needed.

        Args:
            digest: Of the image's prepared bytes.

        Returns:
            Whether there were any.
        """
        found = False
        for folder in sorted(features_folder(self._study).glob("*")):
            while (place := kept_features(folder).get(digest)) is not None:
                place[0].unlink()
                found = True
        return found
