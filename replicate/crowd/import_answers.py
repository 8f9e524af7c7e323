"""What a foreign page showed, and what a worker's answer on it says about each image."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from replicate.crowd.answers import Vote
from replicate.crowd.filled import WORDS

_TRUE = ("true", "on", "yes", "1", "checked", "selected")
_FALSE = ("false", "off", "no", "0", "", "unchecked")
_TAG = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_ATTRIBUTE = r"""\s{}\s*=\s*(?:"([^"]*)"|'([^']*)')"""
_LISTS = (re.compile(r"[|;\n\t]"), re.compile(r"[|;,\n\t]"))  # an address may hold a comma
_NOTHING = ("", "none", "{}", "[]", "null")


@dataclass(frozen=True)
class Shown:
    """What a page showed.

    Attributes:
        class_id: The class that it asks for; empty when it does not say.
        images: Its images, by what the page calls them.
    """

    class_id: str
    images: Mapping[str, str] = field(default_factory=dict)


def shown_by(question: str) -> Shown:
    """What a saved question's page shows; nothing if that cannot be seen."""
    html = unescape(question) if "&lt;img" in question else question
    found = re.search(_ATTRIBUTE.format("data-class-id"), html)
    images = {}
    for number, tag in enumerate(_TAG.findall(html), 1):
        source = _attribute(tag, "src")
        if source:
            images[_attribute(tag, "data-slot") or f"image_{number}"] = source.removeprefix(
                "replicate-image:"
            )
    return Shown(unescape(found[1] or found[2] or "") if found else "", images)


def _attribute(tag: str, name: str) -> str:
    found = re.search(_ATTRIBUTE.format(name), tag)
    return unescape(found[1] or found[2] or "") if found else ""


def answer_fields(xml: Any) -> dict[str, str] | None:
    """The fields of QuestionFormAnswers; None if it is none."""
    if not isinstance(xml, str) or "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        return None
    try:
        root = ElementTree.fromstring(xml)  # declarations were refused: no entity can expand
    except (ElementTree.ParseError, ValueError):
        return None
    fields: dict[str, str] = {}
    for answer in root.iter():
        if answer.tag.rpartition("}")[2] != "Answer":
            continue
        name, values = "", []
        for child in answer:
            tag, text = child.tag.rpartition("}")[2], (child.text or "").strip()
            if tag == "QuestionIdentifier":
                name = text
            elif tag in ("FreeText", "SelectionIdentifier", "OtherSelectionText"):
                values.append(text)
        fields[name] = "|".join(values)
    return fields


def judge(images: Mapping[str, str], answers: Mapping[str, str]) -> dict[str, Vote] | str:
    """One vote for each image of a page, or the reason why there is none.

    Args:
        images: The page's images, by what it calls them; none when that is not known.
        answers: The answer's fields.

    Returns:
        Votes by image, or ``no_images``, ``no_answer``, ``unclear_answer`` or ``unknown_image``.

    >>> judge({"image_1": "a.jpg", "image_2": "b.jpg"}, {"image_1.on": "true"})
    {'a.jpg': 'yes', 'b.jpg': 'no'}
    >>> judge({"image_1": "a.jpg", "image_2": "b.jpg"}, {"selected": "image_2"})
    {'a.jpg': 'no', 'b.jpg': 'yes'}
    """
    fields = _flat(answers)
    ours = _ours(images, fields)
    if ours is not None:
        return ours
    boxes = _boxes(images, fields)
    if boxes:
        return boxes
    if not images:
        return "no_images"
    if not fields:
        return "no_answer"
    return _listed(images, fields)


def _flat(answers: Mapping[str, str]) -> dict[str, str]:
    """The fields, with JSON values opened: ``{"image_3": {"on": true}}`` is ``image_3.on``."""
    found: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [
        (name, value) for name, value in reversed(list(answers.items()))
    ]
    while stack:
        name, value = stack.pop()
        if isinstance(value, str):
            opened = _json(value)
            if opened is None:
                found[name] = value.strip()
                continue
            value = opened
            name = "" if name.lower() == "taskanswers" else name
        if isinstance(value, dict) and "version" in value and "selected" in value:
            found["answer"] = json.dumps(value)
        elif value in ({}, []):
            found[name] = ""
        elif isinstance(value, dict):
            parts = [(f"{name}.{key}" if name else str(key), part) for key, part in value.items()]
            stack.extend(reversed(parts))
        elif isinstance(value, list):
            if all(isinstance(part, str | int) and not isinstance(part, bool) for part in value):
                found[name] = "|".join(str(part) for part in value)
            else:
                stack.extend((name, part) for part in reversed(value))
        elif value is not None:
            found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def _json(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _ours(images: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, Vote] | str | None:
    """The answer of one of our own pages; None if it is none."""
    value = _json(fields.get("answer", ""))
    if not isinstance(value, dict) or not isinstance(value.get("selected"), list):
        return None
    if not images:
        return "no_images"
    selected, broken = (
        {str(slot) for slot in value.get(name) or () if isinstance(slot, str)}
        for name in ("selected", "broken")
    )
    if not selected | broken <= images.keys():
        return "unknown_image"
    return {
        image: "broken" if slot in broken else "yes" if slot in selected else "no"
        for slot, image in images.items()
    }


def _boxes(images: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, Vote]:
    """Votes of boxes, one field an image; empty if there is no such field."""
    names = dict(images)
    if not names:  # a page that nobody saved: its boxes name the images
        names = {
            name.removesuffix(".on"): name.removesuffix(".on")
            for name, value in fields.items()
            if name.endswith(".on") and value.lower() in (*_TRUE, *_FALSE)
        }
    votes: dict[str, Vote] = {}
    for name, image in names.items():
        for key in (name, f"{name}.on", f"{name}.checked", image, f"{image}.on"):
            value = fields.get(key)
            if value is None:
                continue
            if value.lower() in (*_TRUE, key.lower(), image.lower()):
                votes[image] = "yes"
            elif value.lower() in _FALSE:
                votes[image] = "no"
            elif value.lower() in WORDS:
                votes[image] = WORDS[value.lower()]
    if not votes:
        return {}
    # A browser sends no field for a box that is not ticked.
    return {image: votes.get(image, "no") for image in names.values()}


def _listed(images: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, Vote] | str:
    """Votes from a field that lists what was selected, or that has a word for the one image."""
    known = {key.lower(): image for name, image in images.items() for key in (name, image)}
    for number, (name, image) in enumerate(images.items(), 1):
        digits = re.search(r"\d+$", name)
        known.setdefault(digits[0] if digits else str(number), image)
    empty = False
    unknown = False
    for value in fields.values():
        if value.lower() in _NOTHING:
            empty = True
            continue
        for separator in _LISTS:
            parts = [part.strip().lower() for part in separator.split(value) if part.strip()]
            if parts and all(part in known for part in parts):
                chosen = {known[part] for part in parts}
                return {image: "yes" if image in chosen else "no" for image in images.values()}
        if len(images) == 1 and value.lower() in WORDS:
            return {image: WORDS[value.lower()] for image in images.values()}
        unknown = unknown or any(part in known for part in parts)
    if unknown:
        return "unknown_image"
    if empty and len(fields) == 1:
        return dict.fromkeys(images.values(), "no")
    return "unclear_answer"
