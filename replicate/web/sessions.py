"""Sessions of people who signed in with a key: what the cookie holds, and when it stops to hold.

Nothing is kept on the server. A session's signature is made with the secret of its own key, so
it ends with the key; it ends by itself after some hours; and signing out ends every session of
the key that began before.
"""

import secrets
from dataclasses import dataclass

from replicate.base.randomness import token
from replicate.web.signing import form_token, form_token_holds, signed, unsigned

HOURS = 8
_PURPOSE = "session"


@dataclass(frozen=True)
class Session:
    """Somebody who signed in.

    Attributes:
        name: The key id.
        began: When, in milliseconds since 1970.
        value: What the cookie holds, without its signature: another one each time.
        key: What the session's own signatures are made with.
    """

    name: str
    began: int
    value: str
    key: bytes

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        return signed(self.key, _PURPOSE, self.value)

    @property
    def form_token(self) -> str:
        """What every form of the session carries."""
        return form_token(self.key, self.value)

    def holds(self, given: str) -> bool:
        """Whether a form came from one of the session's own pages."""
        return form_token_holds(self.key, self.value, given)


def begin(server_key: bytes, name: str, secret: str, now: float) -> Session:
    """A new session, which no cookie held before: one that was planted is worth nothing.

    Args:
        server_key: The server's secret.
        name: The key id that signs in; letters and digits.
        secret: The key's own secret.
        now: The present moment, in seconds since 1970.
    """
    began = int(now * 1000)
    value = f"{name}-{began}-{secrets.token_hex(16)}"
    return Session(name, began, value, _key(server_key, secret))


def named_in(cookie: str) -> str:
    """The key id that a cookie claims; to be believed only after `resume`."""
    return cookie.partition("-")[0]


def resume(
    server_key: bytes, secret: str, cookie: str, now: float, ended: int = 0
) -> Session | None:
    """The session of a cookie; None when it is forged, over, or was signed out.

    Args:
        server_key: The server's secret.
        secret: The secret of the key that the cookie names.
        cookie: The cookie.
        now: The present moment, in seconds since 1970.
        ended: Sessions that began by this moment were signed out; milliseconds since 1970.
    """
    key = _key(server_key, secret)
    value = unsigned(key, _PURPOSE, cookie)
    if value is None:
        return None
    name, began, _ = value.split("-")
    if not 0 <= now * 1000 - int(began) < HOURS * 3_600_000 or int(began) <= ended:
        return None
    return Session(name, int(began), value, key)


def _key(server_key: bytes, secret: str) -> bytes:
    return token(server_key, "session key", secret, length=64).encode()
