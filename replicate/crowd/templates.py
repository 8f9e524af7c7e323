"""Page templates and the words that they say: found, filled in, and checked.

A study's own files come first: those beside its pipeline file, then those of `mturk_templates/`.
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)
from markupsafe import Markup, escape

from replicate.base.digests import sha256_bytes
from replicate.base.errors import MissingError, UsageError
from replicate.base.resources import data_dir

ENGLISH = "en"
_LINK = re.compile(r"https?://[^\s<>\"']+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_NEEDS = (
    (r"<form\b[^>]*\baction\s*=\s*[\"'][^\"'>]*/mturk/externalSubmit[\"']", "a form with "
     'action="/mturk/externalSubmit"'),
    (r"<form\b[^>]*\bdata-class-id\s*=", 'data-class-id="{{ class_id }}" on the form'),
    (r"<input\b[^>]*\bname\s*=\s*[\"']assignmentId[\"']", "a hidden field assignmentId"),
    (r"<input\b[^>]*\bname\s*=\s*[\"']answer[\"']", "a hidden field answer"),
)  # fmt: skip


def fill(template: str, values: Mapping[str, Any], language: str, folder: Path | None) -> str:
    """A template filled in; everything is escaped.

    Args:
        template: A file name.
        values: What the template may use, besides ``language`` and ``words``.
        language: Which words: those of ``words.<language>.toml``.
        folder: The study's folder, or None for `mturk_templates/` alone.

    Raises:
        MissingError: There is no such template, or none of its parts.
        UsageError: It uses a name that pages do not have, or is no template.
    """
    words = load_words(language, folder)
    try:
        page = _environment(folder).get_template(template)
        return page.render(values, language=language, words=words)
    except TemplateNotFound as error:
        raise _no_template(str(error.name), folder) from error
    except TemplateSyntaxError as error:
        raise UsageError(
            f"The page template {error.name or template!r} is wrong in line {error.lineno}: "
            f"{error.message}",
            "Mend it; mturk_templates/README.md says what a page consists of.",
        ) from error
    except UndefinedError as error:
        raise UsageError(
            f"The page template {template!r} uses a name that pages do not have: {error}.",
            f"Pages have: {', '.join(sorted({*values, 'language', 'words'}))}.",
        ) from error


def own_digest(template: str, language: str, folder: Path | None) -> str:
    """What a study's own template and words consist of; empty where it uses the packed ones.

    Raises:
        MissingError: There is no such template, neither in the folder nor in the packed ones.
    """
    parts = []
    for name in (template, f"words.{language}.toml"):
        own = None if folder is None else folder / name
        if own is not None and own.is_file():
            parts.append(sha256_bytes(own.read_bytes()))
        elif name == template and not (data_dir("mturk_templates") / name).is_file():
            raise _no_template(name, folder)
    return " ".join(parts)


def load_words(language: str, folder: Path | None) -> dict[str, Any]:
    """The words of a language: a study's own file, or a packed one; the rest is English.

    Raises:
        MissingError: There is no such file.
        UsageError: It is not TOML, or has a key or a value that pages do not know.
    """
    name = f"words.{language}.toml"
    for place in (folder, data_dir("mturk_templates")):
        if place is not None and (place / name).is_file():
            return _words(place / name, (place / name).stat().st_mtime_ns)
    raise MissingError(
        f"There is no file {name} for [label] language = {language!r}.",
        "Copy mturk_templates/words.en.toml beside the pipeline file under that name, and "
        "translate its values.",
    )


def check_page(html: str, template: str, slots: Collection[str]) -> None:
    """Refuse a page that workers could not answer, or whose answer nobody could read.

    Args:
        html: The page, filled in.
        template: Its template's name.
        slots: The ids of its slots.

    Raises:
        UsageError: It lacks the form, one of its fields, or an image.
    """
    lacks = [what for pattern, what in _NEEDS if not re.search(pattern, html, re.IGNORECASE)]
    shown = [
        found[1]
        for image in _IMAGE.findall(html)
        if (found := re.search(r"\bdata-slot\s*=\s*[\"']([^\"']*)[\"']", image))
        and "replicate-image:" in image
    ]
    if sorted(shown) != sorted(slots):
        lacks.append('one <img data-slot="{{ slot.id }}" src="{{ slot.src }}"> for each slot')
    if lacks:
        raise UsageError(
            f"The page template {template!r} lacks {'; '.join(lacks)}.",
            "mturk_templates/README.md says what a page has to have; "
            "mturk_templates/select-images.html.j2 is one.",
        )


def linked(text: str) -> Markup:
    """Plain text for a page: escaped, with web addresses and mail addresses as links.

    >>> linked("<b> https://a.org/x.")
    Markup('&lt;b&gt; <a href="https://a.org/x" target="_blank" rel="noopener noreferrer">https://a.org/x</a>.')
    """
    parts, end = [], 0
    for found in _LINK.finditer(text):
        shown = found[0].rstrip(".,;:!?)")
        target = shown if "://" in shown else f"mailto:{shown}"
        parts.append(escape(text[end : found.start()]))
        parts.append(
            Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>').format(
                target, shown
            )
        )
        end = found.start() + len(shown)
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def paragraphs(text: str) -> list[Markup]:
    """The paragraphs of a plain text, which empty lines part."""
    return [linked(part.strip()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def _no_template(name: str, folder: Path | None) -> MissingError:
    packed = sorted(path.name for path in data_dir("mturk_templates").glob("*.html.j2"))
    beside = "" if folder is None else f", neither in {folder} nor among the packed ones"
    return MissingError(
        f"There is no page template {name!r}{beside}.",
        f"Name one in [label] template: a file beside the pipeline file, or {', '.join(packed)}.",
    )


@lru_cache(maxsize=16)
def _words(path: Path, _changed: int) -> dict[str, Any]:
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    english = data_dir("mturk_templates") / f"words.{ENGLISH}.toml"
    return _completed(own, tomllib.loads(english.read_text(encoding="utf-8")), path, "")


def _completed(
    own: dict[str, Any], english: dict[str, Any], path: Path, table: str
) -> dict[str, Any]:
    whole = dict(english)
    for key, value in own.items():
        known = english.get(key)
        if known is None or type(value) is not type(known):
            raise UsageError(
                f"{path} has {table}{key} = {value!r}, which pages do not know.",
                "mturk_templates/words.en.toml has all keys.",
            )
        whole[key] = (
            _completed(value, known, path, f"{key}.")
            if table == "" and isinstance(value, dict)
            else value
        )
    return whole


@lru_cache(maxsize=8)
def _environment(folder: Path | None) -> Environment:
    places = [place for place in (folder, data_dir("mturk_templates")) if place is not None]
    environment = Environment(
        loader=FileSystemLoader(places),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["linked"] = linked
    environment.filters["paragraphs"] = paragraphs
    return environment
