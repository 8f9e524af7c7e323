"""Small studies for tests of stages: the digits pipeline, made smaller still."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from replicate.base.files import write_text
from replicate.base.resources import data_dir
from replicate.stages.common import Context, Options, no_progress
from replicate.study import Study, open_study


class OneFlickr:
    """A world in which only Flickr is there, or nothing at all."""

    def __init__(self, endpoint: str | None) -> None:
        self._endpoint = endpoint

    def flickr_endpoint(self) -> str:
        assert self._endpoint is not None, "nothing was to be asked of Flickr"
        return self._endpoint


def tiny_study(root: Path, change: Callable[[str], str] = str, **values: Any) -> Study:
    """The small digits study with other numbers.

    Args:
        root: Where.
        change: Changes the text of the pipeline file.
        **values: Keys of the pipeline file and their new numbers.
    """
    text = (data_dir("pipelines") / "digits" / "pipeline-small.toml").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        key = line.partition("=")[0].strip()
        lines.append(f"{key} = {values[key]}" if key in values else line)
    write_text(root / "pipeline.toml", change("\n".join(lines) + "\n"))
    return open_study(root)


def context(study: Study, endpoint: str | None = None, progress=no_progress, **options) -> Context:
    """A context whose world holds only a Flickr."""
    world: Any = OneFlickr(endpoint)
    return Context(study, world, Options(**options), progress)
