"""A frozen test set as a file: the manifest, which bytes it publishes, and where it came from.

The file is JSON, one image a line, and holds two digests. `digest` is the set's own: it covers
name, revision, strategy, parameters and the ordered (image, class), and is the same wherever and
whenever the same set is drawn. `manifest_digest` covers everything else in the file as well: the
digests of the prepared bytes, the classes, and the record of what the set was drawn from.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicate.base.digests import digest_value, sha256_bytes
from replicate.base.errors import ReplicateError, UsageError
from replicate.sampling.manifest import Manifest, from_dict, verify

FORMAT = 2
COLUMNS = ("image_id", "class_id", "prepared_id")


@dataclass(frozen=True)
class Frozen:
    """A frozen set.

    Attributes:
        manifest: Its name, revision, strategy, parameters and members.
        prepared: For each member the SHA-256 of its prepared bytes, which are what models are
            scored on; None for sets frozen by a version that did not write them down.
        record: What else the file says, as JSON values: ``steps`` (the preparation), ``classes``,
            ``counts``, ``versions``, ``frozen_at``, ``drawn_from``, and ``covariates`` if some were
            matched.
    """

    manifest: Manifest
    prepared: Sequence[str | None]
    record: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The file's content but for its own digest.

        >>> one = Frozen(Manifest("top", 1, "top", {}, [("a", "0")]), ["p"], {"steps": "x@1"})
        >>> one.as_dict()["images"]
        [['a', '0', 'p']]
        """
        rows = zip(self.manifest.members, self.prepared, strict=True)
        return {
            **self.record,
            **self.manifest.as_dict(),
            "format": FORMAT,
            "columns": list(COLUMNS),
            "images": [[*member, prepared] for member, prepared in rows],
            "digest": self.manifest.digest,
        }

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical JSON of `as_dict`: the file's `manifest_digest`."""
        return digest_value(self.as_dict())

    def text(self) -> str:
        """The file: readable JSON, one image a line; the same text for the same set.

        >>> one = Frozen(Manifest("top", 1, "top", {}, [("a", "0")]), ["p"], {})
        >>> from_text(one.text()).digest == one.digest
        True
        """
        values = self.as_dict() | {"manifest_digest": self.digest}
        rows = [json.dumps(row, ensure_ascii=False) for row in values.pop("images")]
        head = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False)
        images = ",\n    ".join(rows)
        body = f"[\n    {images}\n  ]" if rows else "[]"
        return f'{head[:-2]},\n  "images": {body}\n}}\n'


def counts(
    members: Sequence[tuple[str, str]], strata: Sequence[str], filled: Sequence[bool]
) -> dict[str, Any]:
    """How many images a set has: in all, by class, by stratum, and as fillers.

    Args:
        members: (image id, class id), n of them.
        strata: What each was drawn from; shape (n,).
        filled: Whether each fills a gap of another stratum; shape (n,).

    >>> counts([("a", "0"), ("b", "0")], ["low", "high"], [False, True])["per_class"]
    {'0': 2}
    """
    return {
        "images": len(members),
        "per_class": dict(sorted(Counter(class_id for _, class_id in members).items())),
        "per_stratum": dict(sorted(Counter(strata).items())),
        "filled": sum(filled),
    }


def read_frozen(path: Path) -> Frozen:
    """Read a frozen set's file, and check that it still has the digests that it names.

    Raises:
        UsageError: The file is no manifest.
        ReplicateError: It was changed after it was written.

    >>> read_frozen(Path("no-such-file.json"))
    Traceback (most recent call last):
    replicate.base.errors.UsageError: The manifest no-such-file.json cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(
            f"The manifest {path} cannot be read.",
            "Name the JSON file that freezing wrote, such as sets/matched-1.json in the study.",
        ) from error
    return from_text(text, str(path))


def from_text(text: str, where: str = "The manifest") -> Frozen:
    """The frozen set that a file's text describes, once its digests are seen to be right.

    Args:
        text: JSON.
        where: How messages call the file.

    Raises:
        UsageError: It is no manifest, or of a newer format.
        ReplicateError: It was changed after it was written.
    """
    values = json.loads(text)
    manifest = from_dict(values)
    if values["format"] == 1:
        # Sets of the first format name their members only.
        frozen = Frozen(manifest, [None] * len(manifest.members), {})
        faults = verify(manifest, str(values.get("digest")))
    else:
        frozen = Frozen(manifest, _prepared(values), _record(values))
        faults = verify(manifest, str(values.get("digest")))
        if frozen.digest != values.get("manifest_digest"):
            faults.append(
                f"All that the file says has digest {frozen.digest[:12]}…, not "
                f"{str(values.get('manifest_digest'))[:12]}…: it was changed after it was written."
            )
    if faults:
        raise ReplicateError(f"{where} is not valid. {' '.join(faults)}")
    return frozen


def _prepared(values: Mapping[str, Any]) -> list[str | None]:
    if values.get("columns") != list(COLUMNS):
        raise UsageError(f"This is no manifest of a test set: its columns are not {COLUMNS}.")
    try:
        return [row[2] for row in values["images"]]
    except IndexError as error:
        raise UsageError("This is no manifest of a test set: an image lacks a column.") from error


def _record(values: Mapping[str, Any]) -> dict[str, Any]:
    own = {"format", "columns", "images", "digest", "manifest_digest"}
    own |= {"name", "revision", "strategy", "parameters"}
    return {key: value for key, value in values.items() if key not in own}


def wrong_files(
    frozen: Frozen, kind: str, read: Callable[[str], bytes | None]
) -> list[tuple[str, str]]:
    """Files of a set that are missing or have other content.

    Args:
        frozen: The set.
        kind: ``gathered``: the files named by image id; ``prepared``: the prepared bytes.
        read: Gives the file of a digest, or None if it is not there.

    Returns:
        (image id, what is wrong) of every such image.
    """
    found = []
    for (image_id, _), prepared in zip(frozen.manifest.members, frozen.prepared, strict=True):
        digest = image_id if kind == "gathered" else prepared
        if digest is None:
            continue
        data = read(digest)
        if data is None:
            found.append((image_id, f"the {kind} file is missing"))
        elif sha256_bytes(data) != digest:
            other = sha256_bytes(data)[:12]
            found.append((image_id, f"the {kind} file has other content (SHA-256 {other}…)"))
    return found
