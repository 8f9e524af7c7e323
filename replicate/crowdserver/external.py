"""ExternalQuestion: the page of a HIT is on another server, and is shown in a frame of ours.

The frame gets ``assignmentId``, ``hitId``, ``workerId`` and ``turkSubmitTo`` in its address, and
its page posts the answer to ``{turkSubmitTo}/mturk/externalSubmit``, as the protocol has it.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from replicate.crowdserver.errors import bad_value

ROOT = (
    "{http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/"
    "ExternalQuestion.xsd}"
)
MOST = 2048  # characters of an address
_LOCAL = ("localhost", "127.0.0.1", "::1")
# Nothing that could end a directive of a content security policy, or hide another host.
_AUTHORITY = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?\Z")
_ADDRESS = re.compile(r"[!-~]+\Z")


@dataclass(frozen=True)
class External:
    """A page on another server.

    Attributes:
        url: Its address.
        height: The height of its frame in pixels; 0: as high as fits.
    """

    url: str
    height: int

    @property
    def origin(self) -> str:
        """Scheme, host and port of the page."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def address(self, **values: str) -> str:
        """The page's address with some values in its query.

        >>> External("https://a.org/p?x=1#top", 0).address(hitId="3A")
        'https://a.org/p?x=1&hitId=3A#top'
        """
        parts = urlsplit(self.url)
        query = "&".join(part for part in (parts.query, urlencode(values)) if part)
        return urlunsplit(parts._replace(query=query))


def read_external(url: str | None, height: str | None) -> External:
    """An external page from the texts of its question.

    Raises:
        ApiError: The address is not one that a frame of ours may show.
    """
    url = (url or "").strip()
    height = (height or "0").strip()
    if len(url) > MOST or not _ADDRESS.match(url):
        raise bad_value(f"ExternalURL is not an address of at most {MOST} characters.")
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
        good = _AUTHORITY.match(parts.netloc) is not None and parts.port != 0
    except ValueError:
        secure = good = False
    if not secure or not good:
        raise bad_value(
            f"ExternalURL is {url!r}; it must be https (http only on this machine) and name a "
            "host, without a user."
        )
    if not height.isdecimal() or not height.isascii() or len(height) > 5:
        raise bad_value(f"FrameHeight is {height[:20]!r}, not a number of pixels.")
    return External(url, int(height))
