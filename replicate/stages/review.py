"""review: people look at near-duplicate pairs, or at a test set, in their browsers.

What they say is in the store before their browser goes on, so that a review that is cut off at
any moment goes on where it was.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from starlette.types import ASGIApp

from replicate.base.errors import GuardError
from replicate.sources.display import display_copy
from replicate.stages.labelling import secret_key
from replicate.study import Study
from replicate.web.pictures import Picture, Pictures

LOOK = 0.5  # seconds between two looks at how far people are
LINGER = 3.0  # seconds in which the last page reaches its browser
_KEY_FILE = "review.key"

Shown = Callable[["Standings"], None]


@dataclass(frozen=True)
class Standings:
    """How far people are.

    Attributes:
        left: By reviewer, what is still to be looked at.
        total: What there is.
        disagreements: On how much of it those who looked do not say the same.
    """

    left: Mapping[str, int]
    total: int
    disagreements: int

    @property
    def complete(self) -> bool:
        """Whether everybody has looked at everything, and nothing is left to talk about.

        Who looks alone cannot settle what others disagreed on before.
        """
        alone = len(self.left) == 1
        return not any(self.left.values()) and (alone or not self.disagreements)


class Pages(Protocol):
    """The pages of one review."""

    def app(self) -> ASGIApp:
        """The whole server."""
        ...

    def left(self, reviewer: str) -> int:
        """How much a reviewer has not looked at."""
        ...

    def disagreements(self) -> int:
        """On how much those who looked do not say the same."""
        ...


@dataclass(frozen=True)
class Listen:
    """Where the pages are served.

    Attributes:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        public_host: The name that browsers reach this machine by; None: the address itself.
        ready_file: Written once the links can be followed; taken away at the end.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public_host: str | None = None
    ready_file: Path | None = None


@dataclass(frozen=True)
class Review:
    """A review that is ready to be served.

    Attributes:
        pages: Its pages.
        names: Who is invited.
        links: Everybody's link, given the address of the server.
        total: What there is to look at.
    """

    pages: Pages
    names: Sequence[str]
    links: Callable[[str], dict[str, str]]
    total: int

    def standings(self) -> Standings:
        """How far people are."""
        left = {name: self.pages.left(name) for name in self.names}
        return Standings(left, self.total, self.pages.disagreements())


class Gallery:
    """Images as they are shown: their display copies, or copies made alike where there are none.

    Args:
        study: The study.
        ids: By image id the digests of the prepared bytes and of the display copy, if any.
    """

    def __init__(self, study: Study, ids: Mapping[str, tuple[str, str | None]]) -> None:
        self._study = study
        self._ids = dict(ids)
        self._copies = Pictures(study.displays.location)
        self._made = lru_cache(maxsize=500)(self._make)

    def get(self, image_id: str) -> Picture | None:
        """An image as it is shown; None if it is not one of these, or its file is gone."""
        if image_id not in self._ids:
            return None
        prepared, display = self._ids[image_id]
        # Images of the train set have no display copies, for nobody labels them.
        return self._made(prepared) if display is None else self._copies.get(display)

    def _make(self, prepared: str) -> Picture | None:
        try:
            data = self._study.prepared.get(prepared)
        except OSError:
            return None
        form = self._study.pipeline.prepare
        copy = display_copy(data, form.display_size, form.display_format, form.display_quality)
        return Picture(copy, f"image/{form.display_format}")


def review_key(study: Study) -> bytes:
    """The secret that reviewers' links are made with: the same links each time."""
    return secret_key(study.root / _KEY_FILE)


@contextmanager
def only_one(study: Study, kind: str) -> Iterator[None]:
    """No other review of this kind is served from this study while the block runs.

    Raises:
        GuardError: Another one is.
    """
    import fcntl

    with (study.root / f".review-{kind}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GuardError(
                f"Another review of {kind} is being served from {study.root}.",
                "Let everybody work there: stop it, then name all with --reviewers ada,bob",
            ) from None
        yield


def serve(
    review: Review,
    listen: Listen,
    tell: Callable[[dict[str, str]], None],
    show: Shown,
    stop: threading.Event | None = None,
) -> None:
    """Serve a review until everything is looked at, or until it is stopped.

    Args:
        review: The review.
        listen: Where.
        tell: Given everybody's link, before the first can be followed.
        show: Called whenever somebody has looked at something.
        stop: Also stop when this is set.

    Raises:
        UsageError: The port is in use.
        KeyboardInterrupt: Stopped by SIGINT; everything has been put in order before.
    """
    import uvicorn

    from replicate.web.serving import OrderlyServer, address, bound, run

    ending = stop or threading.Event()
    with bound(listen.host, listen.port, "review") as listening:
        own = address(listen.host, listening)
        port = listening.getsockname()[1]
        base = own if listen.public_host is None else f"http://{listen.public_host}:{port}"
        links = review.links(base)
        config = uvicorn.Config(
            review.pages.app(),
            lifespan="off",
            access_log=False,
            log_level="warning",
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        server = OrderlyServer(config, listen.ready_file, {"endpoint": own, "links": links}, ending)
        watching = threading.Thread(target=_watch, args=(review, show, ending), daemon=True)
        tell(links)
        watching.start()
        try:
            run(server, listening, exit_with_stdin=False)
        finally:
            ending.set()
            watching.join()


def _watch(review: Review, show: Shown, ending: threading.Event) -> None:
    last = None
    while True:
        found = review.standings()
        if found != last:
            show(found)
            last = found
        if found.complete:
            ending.wait(LINGER)
            # Who took something back meanwhile is not done.
            if review.standings().complete:
                ending.set()
        if ending.wait(LOOK):
            return
