"""Sources of candidates, by name, and what every source can do."""

from collections.abc import Iterator
from typing import Protocol, Self

from replicate.sources.records import QueryPage, Window


class Source(Protocol):
    """Where candidates come from. Use it as a context manager: it closes its connections.

    Attributes:
        name: The source's name, as in the pipeline file.
    """

    name: str

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        """Everything that the source has for a term, page by page.

        Every photo is handed out once a search; a page without new photos ends it. The same
        source, asked the same, answers in the same order. Whoever has enough stops iterating.

        Args:
            term: What to search for.
            window: Upload times to search within; None: any.

        Raises:
            SourceError: The source cannot be used at all.
        """
        ...

    def close(self) -> None:
        """Close its connections."""
        ...

    def __enter__(self) -> Self:
        """Itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        ...


SOURCES = ("flickr", "folder")
