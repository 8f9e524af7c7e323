"""What to search for, for a class, and how a class's budget is split over its terms."""

from collections.abc import Sequence


def search_terms(name: str, synonyms: Sequence[str] = (), own: Sequence[str] = ()) -> list[str]:
    """The search terms of a class, each once, in order.

    Args:
        name: The class's name.
        synonyms: Its other names.
        own: Terms that the pipeline file gives; they replace the names.

    >>> search_terms("goldfish", ["Carassius auratus", "Goldfish "])
    ['goldfish', 'Carassius auratus']
    >>> search_terms("the digit 0", ["zero"], own=["zero", "nought"])
    ['zero', 'nought']
    """
    found: dict[str, str] = {}
    for term in own or (name, *synonyms):
        tidy = " ".join(term.split())
        if tidy:
            found.setdefault(tidy.casefold(), tidy)
    return list(found.values())


def split_budget(budget: int, n_terms: int) -> list[int]:
    """A budget split over terms as evenly as whole numbers allow; earlier terms get the rest.

    >>> split_budget(10, 3)
    [4, 3, 3]
    """
    share, rest = divmod(budget, n_terms)
    return [share + (place < rest) for place in range(n_terms)]
