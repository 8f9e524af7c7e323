"""What the server does for a question's page so that it also works without scripts.

A page marks what it wants done; pages without these marks stay as they are:

- ``<ol data-shuffle>``: its items are put in an order drawn for the assignment;
- ``[[place]]`` within such an item: the item's place, 1, 2 … ;
- ``<input type="hidden" name="order" value="">``: gets the slots in the order shown;
- ``<fieldset data-work>``: disabled in a preview;
- ``<details data-once open>``: open only for a worker who has not sent in such work before.
"""

import re

from replicate.base.randomness import uniform

_LIST = re.compile(
    r"(<(ol|ul)\b[^>]*?)\s+data-shuffle\b([^>]*>)(.*?)(</\2\s*>)", re.DOTALL | re.IGNORECASE
)
_ITEM = re.compile(r"<li\b.*?</li\s*>", re.DOTALL | re.IGNORECASE)
_SLOT = re.compile(r"""<img\b[^>]*\bdata-slot\s*=\s*["']([^"'|,]*)["']""", re.IGNORECASE)
_ORDER = '<input type="hidden" name="order" value="">'


def arrange(html: str, assignment: str | None, seen: bool = False) -> str:
    """A question's HTML with its marks followed.

    Args:
        html: The HTML, its images' addresses filled in.
        assignment: The assignment, from whose unguessable id the order follows; None in a
            preview, which keeps the page's own order and can send nothing.
        seen: Whether the worker has sent in such work before.
    """
    order: list[str] = []

    def shuffled(found: re.Match[str]) -> str:
        items = _ITEM.findall(found[4])
        if assignment is not None:
            places = range(len(items))
            items = [items[i] for i in sorted(places, key=lambda i: uniform(i, assignment))]
        for item in items:
            order.extend(_SLOT.findall(item))
        shown = (item.replace("[[place]]", str(n)) for n, item in enumerate(items, 1))
        return f"{found[1]}{found[3]}\n" + "\n".join(shown) + f"\n{found[5]}"

    html = _LIST.sub(shuffled, html)
    html = html.replace(_ORDER, _ORDER.replace('""', f'"{",".join(order)}"'), 1)
    if assignment is None:
        html = html.replace("<fieldset data-work", "<fieldset disabled data-work")
    return html.replace(" data-once open>", " data-once>") if seen else html


def says_nothing(fields: list[tuple[str, str]]) -> bool:
    """Whether a form was sent by a browser without scripts before anything was marked in it.

    >>> says_nothing([("answer", ""), ("order", "i02,i01")])
    True
    >>> says_nothing([("answer", ""), ("none", "yes")])
    False
    """
    said = {name for name, value in fields if value.strip()}
    return ("answer", "") in fields and said <= {"order"}
