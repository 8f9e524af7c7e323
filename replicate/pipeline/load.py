"""Reading a pipeline file, with errors that name the line, the key and the nearest valid name."""

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from replicate.base.digests import digest_value
from replicate.base.errors import MissingError, PipelineError
from replicate.pipeline.lines import key_lines
from replicate.pipeline.model import Pipeline

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline file that was read and found valid.

    Attributes:
        pipeline: Its values, with defaults filled in.
        text: The file as it is.
        path: Where it is; None when it came as text.
        given: Dotted names of the keys that the file itself gives.
    """

    pipeline: Pipeline
    text: str
    path: Path | None
    given: frozenset[str]


def load_pipeline(path: Path) -> LoadedPipeline:
    """Read and check a pipeline file.

    Raises:
        MissingError: There is no such file.
        PipelineError: It is not TOML, or a key or value is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingError(
            f"There is no pipeline file {path}.",
            "Write one: replicate init DIR --from digits",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"The pipeline file {path} cannot be read: {error}") from error
    return parse_pipeline(text, path)


def parse_pipeline(text: str, path: Path | None = None) -> LoadedPipeline:
    """Check the text of a pipeline file; `path` is named in errors."""
    where = str(path) if path else "the pipeline file"
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PipelineError(
            f"{where} is not valid TOML: {error}.",
            "Mend that line, then: replicate config show",
        ) from error
    lines = key_lines(text)
    try:
        pipeline = Pipeline.model_validate(values)
    except ValidationError as error:
        raise PipelineError(
            _explain(error, where, lines), "Mend the file, then: replicate config show"
        ) from error
    given = frozenset(".".join(str(part) for part in key) for key in lines)
    return LoadedPipeline(pipeline, text, path, given)


def pipeline_digest(pipeline: Pipeline) -> str:
    """The digest of all values of a pipeline, defaults included; comments do not matter."""
    return digest_value(pipeline.model_dump(mode="json", by_alias=True))


def _explain(error: ValidationError, where: str, lines: dict[Path_, int]) -> str:
    return "\n".join(_one(item, where, lines) for item in error.errors()[:8])


def _one(item: Any, where: str, lines: dict[Path_, int]) -> str:
    location: Path_ = tuple(part for part in item["loc"])
    line = _line(location, lines)
    place = f"{where}, line {line}" if line else where
    key = _dotted(location)
    if item["type"] == "extra_forbidden":
        return f"{place}: there is no key {key!r}.{_nearest(location)}"
    if item["type"] == "missing":
        return f"{place}: {key!r} is missing."
    message = str(item["msg"]).removeprefix("Value error, ")
    shown = "" if item["type"] == "value_error" else f" (found {item['input']!r})"
    nearest = _nearest_value(item)
    return f"{place}: {key}: {message}{shown}.{nearest}" if key else f"{place}: {message}."


def _line(location: Path_, lines: dict[Path_, int]) -> int | None:
    for end in range(len(location), 0, -1):
        if location[:end] in lines:
            return lines[location[:end]]
    return None


def _dotted(location: Path_) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else ("." if text else "") + part
    return text


def _fields(location: Path_) -> list[str]:
    model: type[BaseModel] | None = Pipeline
    for part in location[:-1]:
        if isinstance(part, int) or model is None:
            continue
        model = _table_of(model, part)
    if model is None:
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _table_of(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            found = _models_in(field.annotation)
            return found[0] if found else None
    return None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inside: list[type[BaseModel]] = []
    for part in getattr(annotation, "__args__", ()):
        inside += _models_in(part)
    return inside


def _nearest(location: Path_) -> str:
    names = _fields(location)
    close = difflib.get_close_matches(str(location[-1]), names, n=1, cutoff=0.5)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Valid keys here: {', '.join(names)}." if names else ""


def _nearest_value(item: Any) -> str:
    if item["type"] != "literal_error" or not isinstance(item["input"], str):
        return ""
    options = [part.strip(" '") for part in item["ctx"]["expected"].replace(" or ", ",").split(",")]
    close = difflib.get_close_matches(item["input"], options, n=1, cutoff=0.3)
    return f" Did you mean {close[0]!r}?" if close else ""
