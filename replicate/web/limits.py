"""How often somebody may ask: the generic cell rate algorithm (ITU-T I.371), one number a name."""

import ipaddress
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replicate.web.headers import EVERYWHERE

_NAMES = 20_000  # remembered at most; who has paused long enough is forgotten first
_GUESSED = (403, 404)  # what a guess of an address or of a key is answered with
SHARED = 20  # an address may ask this many times as often as a person, for many may share it
BURST = 20.0  # seconds' worth of requests that may come at once


class Limiter:
    """Allows each name so many requests a second, and some of them at once.

    Args:
        rate: Requests a second, on average.
        burst: How many may come at once after a pause.
        clock: Seconds that only go forward.
    """

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._step = 1.0 / rate
        self._slack = burst / rate
        self._clock = clock
        self._next: OrderedDict[str, float] = OrderedDict()

    def wait(self, name: str) -> float:
        """Seconds until the name may ask again; 0.0: now. Does not count as a request."""
        now = self._clock()
        return max(0.0, self._next.get(name, now) + self._step - self._slack - now)

    def take(self, name: str) -> float:
        """Count one request, unless it comes too early.

        Returns:
            0.0 when it was counted; otherwise the seconds to wait.

        >>> limiter = Limiter(rate=1.0, burst=2.0, clock=lambda: 0.0)
        >>> [limiter.take("a"), limiter.take("a"), limiter.take("a"), limiter.take("b")]
        [0.0, 0.0, 1.0, 0.0]
        """
        wait = self.wait(name)
        if wait == 0.0:
            self.charge(name)
        return wait

    def charge(self, name: str) -> None:
        """Count one request, whether it came too early or not."""
        now = self._clock()
        self._next[name] = max(now, self._next.get(name, now)) + self._step
        self._next.move_to_end(name)
        while len(self._next) > _NAMES:
            self._next.popitem(last=False)


def network(scope: Scope) -> str:
    """Whom a request's address stands for: an IPv4 address, or an IPv6 network of 64 bits.

    >>> network({"client": ("2001:db8::1", 1)}), network({"client": ("192.0.2.7", 1)})
    ('2001:db8::', '192.0.2.7')
    """
    host = (scope.get("client") or ("",))[0]
    if ":" not in host:
        return str(host)
    try:
        packed = int(ipaddress.IPv6Address(host.partition("%")[0])) >> 64 << 64
    except ValueError:
        return str(host)
    return str(ipaddress.IPv6Address(packed))


class RateLimit:
    """ASGI middleware that answers 429 to who asks too often.

    Requests whose right to be answered is in themselves, an image's address or a signature, are
    counted only when they fail: a page has dozens of images and a program makes thousands of
    calls, but who guesses gets nowhere.

    Args:
        app: The application behind it.
        rate: Requests a second of one person; an address may make `SHARED` times as many.
        person: The name of the person who asks, or None when that is not known.
        proven: Whether a request brings its own right to be answered.
    """

    def __init__(
        self,
        app: ASGIApp,
        rate: float,
        person: Callable[[Scope], str | None],
        proven: Callable[[Scope], bool],
    ) -> None:
        self._app = app
        self._people = Limiter(rate, rate * BURST)
        self._addresses = Limiter(rate * SHARED, rate * SHARED * BURST)
        self._person = person
        self._proven = proven

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = network(scope)
        if self._proven(scope):
            wait = self._addresses.wait(address)
        else:
            wait = self._addresses.take(address)
            person = None if wait else self._person(scope)
            if person is not None:
                wait = self._people.take(person)
        if wait:
            await refuse(scope, send, wait)
        elif self._proven(scope):
            await self._app(scope, receive, self._charging(address, send))
        else:
            await self._app(scope, receive, send)

    def _charging(self, address: str, send: Send) -> Send:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _GUESSED:
                self._addresses.charge(address)
            await send(message)

        return watch


async def refuse(scope: Scope, send: Send, wait: float) -> None:
    """Answer 429, in words that AWS clients know as "try again" and people can read."""
    seconds = max(1, math.ceil(wait))
    if scope["method"] == "POST" and scope["path"] == "/":
        text = "Rate exceeded: too many requests from this address."
        body = {"__type": "ThrottlingException", "Message": text, "message": text}
        kind, content = b"application/x-amz-json-1.1", json.dumps(body).encode()
    else:
        kind = b"text/plain; charset=utf-8"
        content = f"Too many requests. Please wait {seconds} s and try again.\n".encode()
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(content)).encode()),
        (b"retry-after", str(seconds).encode()),
        *EVERYWHERE,
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": content})
