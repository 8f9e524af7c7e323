"""The licences that sources give: their names and texts.

Flickr numbers its licences from 0 to 16 (`flickr.photos.licenses.getInfo`); other sources write
what they like.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

_CC = "https://creativecommons.org/"
_FLICKR_LIST = "https://www.flickr.com/services/api/flickr.photos.licenses.getInfo.html"
_FLICKR = {
    "0": ("All rights reserved", ""),
    "1": ("CC BY-NC-SA 2.0", f"{_CC}licenses/by-nc-sa/2.0/"),
    "2": ("CC BY-NC 2.0", f"{_CC}licenses/by-nc/2.0/"),
    "3": ("CC BY-NC-ND 2.0", f"{_CC}licenses/by-nc-nd/2.0/"),
    "4": ("CC BY 2.0", f"{_CC}licenses/by/2.0/"),
    "5": ("CC BY-SA 2.0", f"{_CC}licenses/by-sa/2.0/"),
    "6": ("CC BY-ND 2.0", f"{_CC}licenses/by-nd/2.0/"),
    "7": ("No known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    "8": ("United States Government Work", "https://www.usa.gov/copyright.shtml"),
    "9": ("CC0 1.0", f"{_CC}publicdomain/zero/1.0/"),
    "10": ("Public Domain Mark 1.0", f"{_CC}publicdomain/mark/1.0/"),
    # Which of the six Creative Commons 4.0 licences each of these is, Flickr's list says.
    **{
        str(number): (f"Creative Commons 4.0 (Flickr's licence {number})", _FLICKR_LIST)
        for number in range(11, 17)
    },
}


@dataclass(frozen=True)
class Licence:
    """A licence.

    Attributes:
        code: As the source writes it; empty: it says none.
        name: What people call it; "unknown" where the source says none.
        url: Its text; empty if none is known.
    """

    code: str
    name: str
    url: str


def licence(source: str, code: str | None) -> Licence:
    """The licence that a source's code stands for.

    Args:
        source: ``flickr``, ``folder``, ``table``, …
        code: What the source says: a number, a name, or the address of a text.

    >>> licence("flickr", "4").name, licence("table", "CC BY 4.0").name, licence("folder", "").name
    ('CC BY 2.0', 'CC BY 4.0', 'unknown')
    """
    text = (code or "").strip()
    if not text:
        return Licence("", "unknown", "")
    if source == "flickr" and text in _FLICKR:
        return Licence(text, *_FLICKR[text])
    if urlsplit(text).scheme in ("http", "https"):
        return Licence(text, _name_of(text), text)
    return Licence(text, text, "")


def _name_of(url: str) -> str:
    """The name of a Creative Commons licence by its address; other addresses name themselves."""
    parts = urlsplit(url)
    words = [word for word in parts.path.split("/") if word]
    if parts.netloc.removeprefix("www.") != "creativecommons.org" or len(words) < 3:
        return url
    if words[0] == "licenses":
        return f"CC {words[1].upper()} {words[2]}"
    return {"zero": "CC0", "mark": "Public Domain Mark"}.get(words[1], words[1]) + f" {words[2]}"
