"""Signatures on what a browser keeps for us: session cookies and the tokens of forms."""

import hmac

from replicate.base.randomness import token


def signed(key: bytes, purpose: str, value: str) -> str:
    """A value with its signature, fit for a cookie.

    Args:
        key: The server's secret.
        purpose: What the value is for; a signature holds for one purpose only.
        value: Letters, digits, ``-`` and ``_``.

    >>> signed(b"k", "worker", "A1").split(".")[0]
    'A1'
    """
    return f"{value}.{token(key, 'signed', purpose, value)}"


def unsigned(key: bytes, purpose: str, text: str) -> str | None:
    """The value of a signed text; None when the signature is wrong.

    >>> unsigned(b"k", "worker", signed(b"k", "worker", "A1"))
    'A1'
    >>> unsigned(b"k", "worker", "A1.0000") is None
    True
    """
    value, _, _ = text.rpartition(".")
    expected = signed(key, purpose, value)
    return value if hmac.compare_digest(expected.encode(), text.encode()) else None


def form_token(key: bytes, holder: str) -> str:
    """The token that every form of a session carries, so that no other site can post it."""
    return token(key, "form", holder)


def form_token_holds(key: bytes, holder: str, given: str) -> bool:
    """Whether a form came from one of the session's own pages."""
    return hmac.compare_digest(form_token(key, holder).encode(), given.encode())
