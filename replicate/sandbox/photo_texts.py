"""What the local Flickr's photos say about themselves: owners, titles, tags, dates, licences."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

WORDS: dict[str, tuple[str, ...]] = {
    "0": ("zero", "nought"),
    "1": ("one",),
    "2": ("two",),
    "3": ("three",),
    "4": ("four",),
    "5": ("five",),
    "6": ("six",),
    "7": ("seven",),
    "8": ("eight",),
    "9": ("nine",),
}
WINDOW = (datetime(2012, 7, 11, tzinfo=UTC), datetime(2013, 7, 11, tzinfo=UTC))
OPEN_LICENCES = (1, 2, 3, 4, 5, 6, 7, 9, 10)
ALL_RIGHTS_RESERVED = 0

_OTHER_TAGS = ("handwriting", "digit", "number", "numeral", "ink", "paper", "scan")
_NAMES = ("ada", "ben", "chidi", "dana", "emre", "fatima", "goro", "hana", "ivo", "june")
_TITLES = ("{word}", "The number {word}", "{word}, sheet {n}", "handwritten {word}", "{word} ({n})")


def describe(tagged_class: str, n_photos: int, rng: np.random.Generator) -> dict[str, Any]:
    """The text columns of one photo.

    Args:
        tagged_class: The digit that its owner says it shows.
        n_photos: How many photos there are; owners have about twenty each.
        rng: The photo's random stream.
    """
    words = _words(tagged_class, rng)
    others = [tag for tag in _OTHER_TAGS if rng.random() < 0.4]
    owner = int(rng.integers(max(1, n_photos // 20)))
    title = _TITLES[int(rng.integers(len(_TITLES)))]
    uploaded = _upload_time(rng)
    taken = uploaded - timedelta(seconds=int(rng.integers(60, 30 * 86_400)))
    restricted = rng.random() < 0.09
    return {
        "owner": f"{10_000_000 + 7_919 * owner}@N{owner % 10:02d}",
        "ownername": f"{_NAMES[owner % len(_NAMES)]}{owner}",
        "title": title.format(word=words[0], n=int(rng.integers(1, 60))),
        "description": f"A handwritten {words[0]}.",
        "tags": " ".join([*words, *others]),
        "date_upload": int(uploaded.timestamp()),
        "date_taken": taken.strftime("%Y-%m-%d %H:%M:%S"),
        "licence": ALL_RIGHTS_RESERVED if restricted else int(rng.choice(OPEN_LICENCES)),
    }


def _words(tagged_class: str, rng: np.random.Generator) -> list[str]:
    """Words of the class that the owner used: mostly the usual one, sometimes both."""
    words = WORDS[tagged_class]
    if len(words) == 1:
        return [words[0]]
    draw = rng.random()
    return [words[1]] if draw < 0.2 else list(words) if draw < 0.45 else [words[0]]


def _upload_time(rng: np.random.Generator) -> datetime:
    """Mostly within the study's window, sometimes in the three years before or after it."""
    start, end = WINDOW
    draw = rng.random()
    if draw < 0.05:
        start, end = start - timedelta(days=1095), start
    elif draw < 0.09:
        start, end = end, end + timedelta(days=1095)
    return start + timedelta(seconds=int(rng.integers(int((end - start).total_seconds()))))
