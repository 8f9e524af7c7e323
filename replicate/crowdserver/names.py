"""Ids: keyed hashes of what they name, in the alphabet that the protocol allows."""

import base64
import hashlib
import hmac


def _hashed(key: bytes, parts: tuple[str, ...]) -> str:
    digest = hmac.new(key, "\x1f".join(parts).encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().rstrip("=")


def worker_id(key: bytes, name: str) -> str:
    """The id that requesters know a worker by.

    >>> worker_id(b"k", "ada")[0], len(worker_id(b"k", "ada"))
    ('A', 20)
    """
    return "A" + _hashed(key, ("worker", name))[:19]


def recruited_id(key: bytes, parameter: str, identity: str) -> str:
    """The id of a worker whom a recruiting platform knows by an id in a parameter of its link.

    >>> recruited_id(b"k", "PROLIFIC_PID", "5f") == recruited_id(b"k", "PROLIFIC_PID", "5f")
    True
    """
    return "A" + _hashed(key, ("recruited", parameter, identity))[:19]


def hit_type_id(key: bytes, *terms: str) -> str:
    """The id of a HIT type: the same terms give the same id."""
    return "3" + _hashed(key, ("hit type", *terms))[:29]


def hit_group_id(key: bytes, hit_type: str) -> str:
    """The id of the group of HITs that share a HIT type."""
    return "3" + _hashed(key, ("hit group", hit_type))[:29]


def hit_id(key: bytes, requester: str, token: str | None, serial: int) -> str:
    """The id of a HIT: from the token that its requester gave it, or else from its number."""
    own = ("serial", str(serial)) if token is None else ("token", token)
    return "3" + _hashed(key, ("hit", requester, *own))[:29]


def assignment_id(key: bytes, hit: str, worker: str) -> str:
    """The id of one worker's assignment of one HIT."""
    return "3" + _hashed(key, ("assignment", hit, worker))[:29]


def qualification_type_id(key: bytes, requester: str, number: int) -> str:
    """The id of a requester's n-th qualification type."""
    return "3" + _hashed(key, ("qualification type", requester, str(number)))[:29]


def qualification_request_id(key: bytes, type_id: str, worker: str, number: int) -> str:
    """The id of a worker's n-th wish for a qualification."""
    return "3" + _hashed(key, ("qualification request", type_id, worker, str(number)))[:29]
