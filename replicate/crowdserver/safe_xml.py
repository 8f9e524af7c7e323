"""Reading XML that requesters send: without a document type, so that no entity can be declared."""

import xml.etree.ElementTree as ElementTree
from typing import Any

from replicate.crowdserver.errors import ApiError, bad_value

XML_ERROR = "AWS.MechanicalTurk.XMLParseError"


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a document type at once: without one, no entity can be declared."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ApiError("The XML declares a document type.", XML_ERROR)


def parsed(text: str, parameter: str, root: str | None = None) -> Any:
    """The root element of a text.

    Args:
        text: The text.
        parameter: The parameter that it is the value of.
        root: What the root element must be called, without its namespace; None: anything.

    Raises:
        ApiError: It is not XML, or its root is called otherwise.
    """
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(text)
        found = parser.close()
    except ElementTree.ParseError as error:
        raise ApiError(f"The {parameter} is not XML: {error}.", XML_ERROR) from error
    if root is not None and local_name(found) != root:
        raise bad_value(f"The {parameter} is a {local_name(found)}, not a {root}.")
    return found


def local_name(element: Any) -> str:
    """An element's name without its namespace."""
    return str(element.tag.rpartition("}")[2])


def child(element: Any, name: str) -> Any:
    """The first child with a name, whatever its namespace; None if there is none."""
    return next((one for one in element if local_name(one) == name), None)


def children(element: Any, name: str) -> list[Any]:
    """The children with a name, whatever their namespace."""
    return [one for one in element if local_name(one) == name]


def text_of(element: Any, name: str) -> str:
    """The text of the first child with a name, without space around it; empty if none."""
    found = child(element, name)
    return "" if found is None else "".join(found.itertext()).strip()
