"""A HIT's question: the XML that requesters send, and the HTML that workers get."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from replicate.crowdserver.arrangement import arrange
from replicate.crowdserver.errors import ApiError, bad_value
from replicate.crowdserver.external import ROOT as EXTERNAL
from replicate.crowdserver.external import External, read_external
from replicate.crowdserver.question_form import Form, read_form
from replicate.crowdserver.safe_xml import XML_ERROR, local_name, parsed
from replicate.web.pages import environment

_TEMPLATES = Path(__file__).resolve().parent / "templates"
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


def check_question(question: str) -> None:
    """Refuse a question that this server could not show.

    Raises:
        ApiError: It is not XML, none of the three kinds, or one that cannot be shown.
    """
    html_of(question)


def html_of(question: str) -> str:
    """The HTML of a question; for an ExternalQuestion, HTML that says where its page is.

    Raises:
        ApiError: It is none of the three kinds, or one that cannot be shown.
    """
    root = parsed(question, "Question")
    if root.tag == f"{EXTERNAL}ExternalQuestion":
        url = escape(_external(root).url)
        return f"<!doctype html><title>A page elsewhere</title><p>The page is at {url}</p>"
    if local_name(root) == "QuestionForm":
        return form_html(read_form(question))
    if root.tag != f"{_HTML}HTMLQuestion":
        raise bad_value(
            f"The Question is a {local_name(root)}; this server shows HTMLQuestion (2011-11-11), "
            "ExternalQuestion (2006-07-14) and QuestionForm."
        )
    html = root.findtext(f"{_HTML}HTMLContent")
    if not html or not html.strip():
        raise ApiError("The HTMLQuestion has no HTMLContent.", XML_ERROR)
    return str(html)


def external_of(question: str) -> External | None:
    """The page of an ExternalQuestion; None for another question.

    Raises:
        ApiError: The question is not XML, or its page cannot be shown.
    """
    if "ExternalQuestion" not in question:
        return None
    root = parsed(question, "Question")
    return _external(root) if root.tag == f"{EXTERNAL}ExternalQuestion" else None


def form_of(question: str) -> Form | None:
    """A QuestionForm; None for another question.

    Raises:
        ApiError: The question is not XML, or asks for what is not shown here.
    """
    if "QuestionForm" not in question or local_name(parsed(question, "Question")) != "QuestionForm":
        return None
    return read_form(question)


def form_html(form: Form) -> str:
    """A page that asks what a QuestionForm asks, and sends it in."""
    template = environment(_TEMPLATES).get_template("question_form.html.j2")
    return template.render(form=form, submit="https://www.mturk.com/mturk/externalSubmit")


def _external(root: Any) -> External:
    found = (root.findtext(f"{EXTERNAL}{name}") for name in ("ExternalURL", "FrameHeight"))
    return read_external(*found)


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
