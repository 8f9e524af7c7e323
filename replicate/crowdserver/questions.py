"""A HIT's question: the XML that requesters send, and the HTML that workers get."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from html import escape
from typing import Any

from replicate.crowdserver.arrangement import arrange
from replicate.crowdserver.errors import ApiError, bad_value
from replicate.crowdserver.external import ROOT as EXTERNAL
from replicate.crowdserver.external import External, read_external

NOT_YET = "ASSIGNMENT_ID_NOT_AVAILABLE"  # the protocol's word for a preview
_HTML = (
    "{http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd}"
)
IMAGE = re.compile(r"replicate-image:([0-9a-f]{64})(?![0-9a-f])")
# No tag goes over the next "<": otherwise a page of unfinished tags would take seconds to read.
_ACTION = re.compile(
    r"""(<form\b[^<>]*?\baction\s*=\s*)(["'])[^"'<>]*/mturk/externalSubmit\2""", re.IGNORECASE
)
_ASSIGNMENT = re.compile(
    r"""<input\b[^<>]*?\bname\s*=\s*(["'])assignmentId\1[^<>]*>""", re.IGNORECASE
)
_ANSWERS = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/"
    "QuestionFormAnswers.xsd"
)
# Characters that XML 1.0 cannot hold in any form.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a document type at once: without one, no entity can be declared."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ApiError("The XML declares a document type.", _XML_ERROR)


_XML_ERROR = "AWS.MechanicalTurk.XMLParseError"


def check_xml(text: str, parameter: str, root: str) -> None:
    """Refuse a text that is not XML with a certain root element, whatever its namespace.

    Args:
        text: The text.
        parameter: The parameter that it is the value of.
        root: The root element's name without its namespace.

    Raises:
        ApiError: It is not.
    """
    found = _parsed(text, parameter).tag.rpartition("}")[2]
    if found != root:
        raise bad_value(f"The {parameter} is a {found}, not a {root}.")


def check_question(question: str) -> None:
    """Refuse a question that this server could not show.

    Raises:
        ApiError: It is not XML, or neither an HTMLQuestion nor an ExternalQuestion.
    """
    html_of(question)


def html_of(question: str) -> str:
    """The HTML of a question; for an ExternalQuestion, HTML that says where its page is.

    Raises:
        ApiError: It is neither an HTMLQuestion nor an ExternalQuestion.
    """
    root = _parsed(question, "Question")
    if root.tag == f"{EXTERNAL}ExternalQuestion":
        url = escape(_external(root).url)
        return f"<!doctype html><title>A page elsewhere</title><p>The page is at {url}</p>"
    if root.tag != f"{_HTML}HTMLQuestion":
        raise bad_value(
            f"The Question is a {root.tag.rpartition('}')[2]}; this server shows HTMLQuestion "
            "(2011-11-11) and ExternalQuestion (2006-07-14)."
        )
    html = root.findtext(f"{_HTML}HTMLContent")
    if not html or not html.strip():
        raise ApiError("The HTMLQuestion has no HTMLContent.", _XML_ERROR)
    return str(html)


def external_of(question: str) -> External | None:
    """The page of an ExternalQuestion; None for another question.

    Raises:
        ApiError: The question is not XML, or its page cannot be shown.
    """
    if "ExternalQuestion" not in question:
        return None
    root = _parsed(question, "Question")
    return _external(root) if root.tag == f"{EXTERNAL}ExternalQuestion" else None


def _external(root: Any) -> External:
    found = (root.findtext(f"{EXTERNAL}{name}") for name in ("ExternalURL", "FrameHeight"))
    return read_external(*found)


def _parsed(text: str, parameter: str) -> Any:
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(text)
        return parser.close()
    except ElementTree.ParseError as error:
        raise ApiError(f"The {parameter} is not XML: {error}.", _XML_ERROR) from error


def image_digests(html: str) -> list[str]:
    """The images that a question's HTML names, in the page's order; one may come twice."""
    return IMAGE.findall(html)


def fill_in(
    html: str, addresses: Sequence[str], submit_to: str, assignment: str, seen: bool = False
) -> str:
    """A question's HTML as one worker gets it.

    The images have this assignment's own addresses, and the form is ready to be posted even by
    a client without scripts: its action and its ``assignmentId`` are filled in, and what the page
    asks for (`replicate.crowdserver.arrangement`) is done.

    Args:
        html: The question's HTML.
        addresses: The address of each image, in the page's order.
        submit_to: The address of this server.
        assignment: The assignment's id; `NOT_YET` in a preview.
        seen: Whether the worker has sent in such work before.
    """
    action, field = escape(f"{submit_to}/mturk/externalSubmit"), escape(assignment)
    hidden = f'<input type="hidden" name="assignmentId" value="{field}">'
    following = iter(addresses)
    html = IMAGE.sub(lambda _: next(following), html)
    html = _ACTION.sub(lambda match: f"{match[1]}{match[2]}{action}{match[2]}", html)
    html = _ASSIGNMENT.sub(lambda _: hidden, html)
    return arrange(html, None if assignment == NOT_YET else assignment, seen)


def insert_bar(html: str, bar: str) -> str:
    """Put our own bar at the beginning of a question's body."""
    body = re.search(r"<body\b[^<>]*>", html, re.IGNORECASE)
    place = body.end() if body else 0
    return html[:place] + bar + html[place:]


def answers_xml(fields: list[tuple[str, str]]) -> str:
    """A submitted form as QuestionFormAnswers (2005-10-01).

    Several values of one field are joined by ``|``, as MTurk does. Characters that XML cannot
    hold become U+FFFD.

    >>> answers_xml([("a", "1 < 2")]).partition("<Answer>")[2][:60]
    '<QuestionIdentifier>a</QuestionIdentifier><FreeText>1 &lt; 2'
    """
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    parts = "".join(
        f"<Answer><QuestionIdentifier>{_text(name)}</QuestionIdentifier>"
        f"<FreeText>{_text('|'.join(given))}</FreeText></Answer>"
        for name, given in values.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<QuestionFormAnswers xmlns="{_ANSWERS}">{parts}</QuestionFormAnswers>'
    )


def _text(value: str) -> str:
    # A carriage return would be read back as a line feed unless it is a character reference.
    return escape(_FORBIDDEN.sub("\ufffd", value), quote=False).replace("\r", "&#13;")
