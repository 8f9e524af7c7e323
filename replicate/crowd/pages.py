"""HIT pages: a template from `mturk_templates/`, filled in and wrapped as question XML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from replicate.base.errors import ItemError, UsageError
from replicate.crowd.composition import HitPlan
from replicate.crowd.templates import check_page, fill

MAX_QUESTION_BYTES = 65_535
IMAGE_SCHEME = "replicate-image:"
SELECT, PAIR, IMAGE = "select-images.html.j2", "judge-pair.html.j2", "judge-image.html.j2"
_SCHEMA = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
)


@dataclass(frozen=True)
class PageText:
    """The words of a page, the same for all pages of a class.

    Attributes:
        class_id: The class's id; pages name it in ``data-class-id``.
        class_name: What workers look for; it follows the question. Empty where the question is
            whole without it ("Is this the same photo?").
        question: The question.
        synonyms: Other names of the class.
        gloss: A definition, or an empty text.
        links: Further reading, as (text, address).
        photographs_only: Whether to ask for photographs only, no drawings or paintings.
        consent: What workers are told about the study before they begin; empty lines part
            paragraphs.
        contact: Whom they can ask: an address or a name.
        instructions: The study's own lines, added to the instructions.
        language: Which words the page says: those of ``words.<language>.toml``.
        own: A digest of the study's own template and words; empty where it has none.
        round: A later round's name, in ``data-round``: in each round a worker may see an image
            of a class once. Empty for the first.
        max_per_worker: How many HITs of this type one worker may do; pages tell the server in
            ``data-max-per-worker``. None: any number.
    """

    class_id: str
    class_name: str
    question: str
    synonyms: tuple[str, ...] = ()
    gloss: str = ""
    links: tuple[tuple[str, str], ...] = ()
    photographs_only: bool = True
    consent: str = ""
    contact: str = ""
    instructions: tuple[str, ...] = ()
    language: str = "en"
    own: str = ""
    round: str = ""
    max_per_worker: int | None = None

    @property
    def title(self) -> str:
        """The page's title."""
        return f"{self.question} {self.class_name}?" if self.class_name else self.question


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
    template: str = SELECT,
    folder: Path | None = None,
) -> str:
    """The HTML of a page.

    The template is given the fields of `PageText`, ``title``, and ``slots``: a list of mappings
    with ``id`` and ``src``, in the page's order. It is told nothing about roles.

    Args:
        plan: The page.
        text: Its words.
        displays: The SHA-256 of the display copy of each image id.
        template: A file in the study's folder or in ``mturk_templates/``.
        folder: The study's folder; None for the packed templates alone.

    Raises:
        ItemError: With reason ``no_display_copy``: an image has none.
        UsageError: The template is not there, uses a name that pages do not have, or lacks what
            the server needs.
    """
    shown = []
    for slot in plan.slots:
        if slot.image_id not in displays:
            raise ItemError("no_display_copy", f"image {slot.image_id} has no display copy")
        shown.append((slot.slot_id, displays[slot.image_id]))
    return _render(shown, text, template, folder)


def check_template(text: PageText, template: str, folder: Path | None) -> None:
    """Refuse a study's template before anything is published with it.

    Raises:
        UsageError: As `render_page`.
    """
    _render([("i01", "0" * 64), ("i02", "1" * 64)], text, template, folder)


def render_pair(text: PageText, first: str, second: str, folder: Path | None = None) -> str:
    """The HTML of a page that asks whether two images are the same photo.

    Its answer is read by `replicate.crowd.judgements.parse_judgement` with `PAIR_VERDICTS`.

    Args:
        text: Its words; ``question`` is whole, ``class_name`` empty.
        first: The SHA-256 of an image's display copy: slot ``i01``.
        second: That of the other: slot ``i02``. Which is on the left is drawn per assignment.
        folder: The study's folder, for its own template or words.
    """
    return _render([("i01", first), ("i02", second)], text, PAIR, folder)


def render_image(text: PageText, image: str, folder: Path | None = None) -> str:
    """The HTML of a page that asks about one image.

    Its answer is read by `replicate.crowd.judgements.parse_judgement` with `IMAGE_VERDICTS`.

    Args:
        text: Its words.
        image: The SHA-256 of the image's display copy: slot ``i01``.
        folder: The study's folder, for its own template or words.
    """
    return _render([("i01", image)], text, IMAGE, folder)


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


def _render(
    shown: Sequence[tuple[str, str]], text: PageText, template: str, folder: Path | None
) -> str:
    slots = [{"id": slot, "src": image_address(digest)} for slot, digest in shown]
    values = {**text.__dict__, "title": text.title, "slots": slots}
    html = fill(template, values, text.language, folder)
    check_page(html, template, [slot for slot, _ in shown])
    return html
