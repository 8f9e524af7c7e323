"""What the server can tell of a requester's page, if it is one of ours: its images and class."""

import re
from dataclasses import dataclass, field
from html import unescape

from replicate.crowdserver.questions import IMAGE

_VALUE = r"""("[^"]*"|'[^']*'|[^\s"'>]+)"""
_TAG = re.compile(r"<(img|form)\b([^<>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(rf"(?<![\w-])(src|data-slot|data-class-id)\s*=\s*{_VALUE}", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]*>([^<]*)</title>", re.IGNORECASE)


@dataclass
class PageFacts:
    """A page as it was published.

    Attributes:
        title: Its title; empty if it has none.
        class_id: The class that it asks about; empty if it does not say so.
        slots: The SHA-256 of each image by its slot, in the page's order.
    """

    title: str = ""
    class_id: str = ""
    slots: dict[str, str] = field(default_factory=dict)


def page_facts(html: str) -> PageFacts:
    """Read a question's HTML, by patterns: a tenth of the time of Python's own parser.

    >>> page = f'<form data-class-id="c"><img data-slot="i1" src="replicate-image:{"a" * 64}">'
    >>> facts = page_facts(page)
    >>> facts.class_id, list(facts.slots)
    ('c', ['i1'])
    """
    title = _TITLE.search(html)
    facts = PageFacts(unescape(title[1]).strip() if title else "")
    for tag, text in _TAG.findall(html):
        found = {name.lower(): unescape(v.strip("\"'")) for name, v in _ATTRIBUTE.findall(text)}
        if tag.lower() == "form":
            facts.class_id = found.get("data-class-id", facts.class_id)
            continue
        image, slot = IMAGE.match(found.get("src", "")), found.get("data-slot")
        if image and slot:
            facts.slots[slot] = image[1]
    return facts
