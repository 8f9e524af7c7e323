"""What a test set is: how it was drawn, what it holds, and a digest over both."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replicate.base.digests import digest_value
from replicate.base.errors import UsageError

FORMAT = 1  # of what the set's digest is computed over; it stays, or every digest would change
READABLE = (1, 2)


@dataclass(frozen=True)
class Manifest:
    """What a test set is.

    Attributes:
        name: The set's name.
        revision: From 1.
        strategy: How it was drawn.
        parameters: The strategy's parameters and the seed, JSON-serialisable.
        members: (image id, class id) in the set's order; an image id is the SHA-256 of its file.
    """

    name: str
    revision: int
    strategy: str
    parameters: Mapping[str, Any]
    members: Sequence[tuple[str, str]]

    def as_dict(self) -> dict[str, Any]:
        """The manifest as JSON values; `from_dict` turns it back.

        >>> Manifest("top", 1, "top", {}, [("a", "0")]).as_dict()["images"]
        [['a', '0']]
        """
        return {
            "format": FORMAT,
            "name": self.name,
            "revision": self.revision,
            "strategy": self.strategy,
            "parameters": dict(self.parameters),
            "images": [[image_id, class_id] for image_id, class_id in self.members],
        }

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical JSON of `as_dict`.

        >>> one = Manifest("top", 1, "top", {}, [("a", "0")])
        >>> one.digest == Manifest("top", 2, "top", {}, [("a", "0")]).digest
        False
        """
        return digest_value(self.as_dict())


def from_dict(values: Mapping[str, Any]) -> Manifest:
    """The manifest that `as_dict` described.

    Raises:
        UsageError: It is not one, or of a newer format.

    >>> one = Manifest("top", 1, "top", {"per_class": 1}, [("a", "0")])
    >>> from_dict(one.as_dict()).digest == one.digest
    True
    """
    try:
        if values["format"] not in READABLE:
            raise UsageError(
                f"This manifest has format {values['format']}; this version reads "
                f"{' and '.join(map(str, READABLE))}.",
                "Install the newer replicate: pip install --upgrade replicate-testsets",
            )
        return Manifest(
            str(values["name"]),
            int(values["revision"]),
            str(values["strategy"]),
            dict(values["parameters"]),
            [(str(row[0]), str(row[1])) for row in values["images"]],
        )
    except KeyError as error:
        raise UsageError(
            f"This is no manifest of a test set: it has no {error}.",
            "Name the JSON file that freezing wrote, such as sets/matched-1.json in the study, "
            "or the folder of an export.",
        ) from error
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise UsageError(f"This is no manifest of a test set: {error}.") from error


def verify(manifest: Manifest, digest: str) -> list[str]:
    """What is wrong with a set, one sentence a fault; empty if it is whole.

    Args:
        manifest: What the set claims to be.
        digest: The digest that it was frozen with.

    >>> one = Manifest("top", 1, "top", {}, [("a", "0")])
    >>> verify(one, one.digest)
    []
    >>> verify(Manifest("top", 1, "top", {}, []), one.digest)[0][-35:]
    'it was changed after it was frozen.'
    """
    faults = []
    if manifest.digest != digest:
        faults.append(
            f"The manifest of {manifest.name}-{manifest.revision} has digest "
            f"{manifest.digest[:12]}…, not {digest[:12]}…: it was changed after it was frozen."
        )
    counts = Counter(image_id for image_id, _ in manifest.members)
    faults += [f"Image {i} is in the set {n} times." for i, n in counts.items() if n > 1]
    return faults
