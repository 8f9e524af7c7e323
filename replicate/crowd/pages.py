"""HIT pages: a template from `mturk_templates/`, filled in and wrapped as question XML."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, UndefinedError

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.base.resources import data_dir
from replicate.crowd.composition import HitPlan

MAX_QUESTION_BYTES = 65_535
IMAGE_SCHEME = "replicate-image:"
_SCHEMA = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
)


@dataclass(frozen=True)
class PageText:
    """The words of a page, the same for all pages of a class.

    Attributes:
        class_id: The class's id; pages name it in ``data-class-id``.
        class_name: What workers look for.
        question: The question; the class's name follows it.
        synonyms: Other names of the class.
        gloss: A definition, or an empty text.
        links: Further reading, as (text, address).
        photographs_only: Whether to ask for photographs only, no drawings or paintings.
    """

    class_id: str
    class_name: str
    question: str
    synonyms: tuple[str, ...] = ()
    gloss: str = ""
    links: tuple[tuple[str, str], ...] = ()
    photographs_only: bool = True

    @property
    def title(self) -> str:
        """The page's title."""
        return f"{self.question} {self.class_name}?"


def image_address(digest: str) -> str:
    """How a question's HTML names an image: by the SHA-256 of its display copy.

    >>> image_address("ab" * 32)[:20]
    'replicate-image:abab'
    """
    return IMAGE_SCHEME + digest


def render_page(
    plan: HitPlan,
    text: PageText,
    displays: Mapping[str, str],
    template: str = "select-images.html.j2",
) -> str:
    """The HTML of a page.

    The template is given the fields of `PageText`, ``title``, and ``slots``: a list of mappings
    with ``id`` and ``src``, in the page's order. It is told nothing about roles.

    Args:
        plan: The page.
        text: Its words.
        displays: The SHA-256 of the display copy of each image id.
        template: The file in ``mturk_templates/``.

    Raises:
        ItemError: With reason ``no_display_copy``: an image has none.
        UsageError: The template is not there, or uses a name that pages do not have.
    """
    slots = []
    for slot in plan.slots:
        if slot.image_id not in displays:
            raise ItemError("no_display_copy", f"image {slot.image_id} has no display copy")
        slots.append({"id": slot.slot_id, "src": image_address(displays[slot.image_id])})
    try:
        page = _environment().get_template(template)
        return page.render(**text.__dict__, title=text.title, slots=slots)
    except TemplateNotFound as error:
        raise MissingError(
            f"There is no page template {error.name!r}.",
            "Name a file of mturk_templates/ in [label] template, such as select-images.html.j2.",
        ) from error
    except UndefinedError as error:
        raise UsageError(
            f"The page template {template!r} uses a name that pages do not have: {error}.",
            f"Pages have: {', '.join(sorted(_names()))}.",
        ) from error


def html_question(html: str, frame_height: int = 0) -> str:
    """A page as an HTMLQuestion (2011-11-11), ready to be published.

    Args:
        html: The page.
        frame_height: Pixels of the frame; 0 fills the window.

    Raises:
        UsageError: The question is larger than the protocol's 65,535 bytes.
    """
    content = html.replace("]]>", "]]]]><![CDATA[>")
    xml = (
        f'<HTMLQuestion xmlns="{_SCHEMA}"><HTMLContent><![CDATA[{content}]]></HTMLContent>'
        f"<FrameHeight>{frame_height}</FrameHeight></HTMLQuestion>"
    )
    size = len(xml.encode())
    if size > MAX_QUESTION_BYTES:
        raise UsageError(
            f"A HIT page has {size:,} bytes; the protocol allows {MAX_QUESTION_BYTES:,}.",
            "Show fewer images a HIT ([label] candidates, positive, negative), or shorten the "
            "template.",
        )
    return xml


def _names() -> set[str]:
    return {*PageText.__dataclass_fields__, "title", "slots"}


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(data_dir("mturk_templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
