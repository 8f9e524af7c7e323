"""Calls of the Flickr API through flickrapi: checked, limited, repeated where that helps."""

import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from replicate.base.digests import digest_value
from replicate.base.errors import MissingError, SourceError
from replicate.sources.call_ledger import CallLedger, MemoryLedger, RateLimit
from replicate.sources.flickr_arguments import check_arguments
from replicate.sources.flickr_photos import plain_text
from replicate.sources.retry_after import seconds_to_wait

if TYPE_CHECKING:
    import requests

KEY_VARIABLE, SECRET_VARIABLE = "REPLICATE_FLICKR_KEY", "REPLICATE_FLICKR_SECRET"

RETRY_CODES = frozenset({0, 105, 106, 201})
MAX_WAIT = 60.0


def read_code(value: Any) -> int | None:
    """A number of an error; Flickr has sent it as a number and as text.

    >>> read_code("105"), read_code(0), read_code(None), read_code("0x1")
    (105, 0, None, None)
    """
    text = plain_text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def keys_from_environment() -> tuple[str, str]:
    """The API key and its secret.

    Raises:
        MissingError: They are not set.
    """
    key, secret = os.environ.get(KEY_VARIABLE), os.environ.get(SECRET_VARIABLE)
    if not key or not secret:
        raise MissingError(
            "Gathering from Flickr needs an API key.",
            f"export {KEY_VARIABLE}=… and {SECRET_VARIABLE}=…; or gather from a folder: "
            '[gather] source = "folder"',
        )
    return key, secret


class FlickrCalls:
    """flickr.photos.search, through flickrapi.

    Args:
        endpoint: The address of the REST API.
        key: The API key.
        secret: Its secret.
        timeout: Seconds to wait for an answer.
        attempts: Tries of one call.
        limit: The rate limit.
        ledger: Keeps answers, so that a run that was killed asks nothing twice.
        sleep: How to wait between tries.
    """

    def __init__(
        self,
        endpoint: str,
        key: str,
        secret: str,
        timeout: float,
        attempts: int,
        limit: RateLimit,
        ledger: CallLedger | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import flickrapi
        import requests

        # What these libraries log when asked to debug would show the key.
        for name in ("flickrapi", "requests_oauthlib", "oauthlib"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._api = flickrapi.FlickrAPI(
            key, secret, format="parsed-json", store_token=False, timeout=timeout
        )
        self._api.REST_URL = endpoint
        # flickrapi shares one session among all its users and never closes it.
        self._session = requests.Session()
        self._api.flickr_oauth.session = self._session
        # flickrapi keeps neither the status of an answer nor how long to wait for the next.
        self._status, self._retry_after = 200, 0.0
        self._session.hooks["response"].append(self._note)
        self._endpoint, self._secrets = endpoint, (key, secret)
        self._attempts, self._limit, self._sleep = attempts, limit, sleep
        self._ledger: CallLedger = ledger or MemoryLedger()

    def search(self, **arguments: str | int) -> dict[str, Any]:
        """One call of flickr.photos.search.

        Returns:
            The ``photos`` object of the answer.

        Raises:
            UsageError: An argument that the method does not have.
            SourceError: The API refuses the call, or never answers it.
        """
        check_arguments(set(arguments))
        request = digest_value(arguments)
        recalled = self._ledger.recall(request)
        if recalled is not None:
            return recalled
        trouble = ""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(min(MAX_WAIT, max(self._retry_after, 0.5 * 2.0 ** (attempt - 1))))
            call = self._limit.begin(request)
            answer, trouble = self._try(arguments)
            if answer is not None:
                self._ledger.keep(call, answer)
                return answer
        raise SourceError(
            f"Flickr at {self._endpoint} did not answer after {self._attempts} tries: {trouble}",
            "Try again later; what was gathered so far is kept: replicate gather",
        )

    def _try(self, arguments: dict[str, str | int]) -> tuple[dict[str, Any] | None, str]:
        """An answer, or what kept it from coming when another try is worth while."""
        import requests
        from flickrapi.exceptions import FlickrError

        self._status, self._retry_after = 200, 0.0
        try:
            photos = self._api.photos.search(**arguments)["photos"]
            if isinstance(photos.get("photo"), list):
                return photos, ""
            return None, "an answer without photos"
        except FlickrError as error:
            code = read_code(error.code)
            if self._status != 200:
                worth = self._status == 429 or self._status >= 500
            else:
                worth = code in RETRY_CODES
            said = self._without_keys(str(error))
            if not worth:
                raise self._refused(code, said) from error
            return None, said
        except (requests.RequestException, ValueError, LookupError) as error:
            return None, f"{type(error).__name__}: {self._without_keys(str(error))}"
        except (TypeError, AttributeError, RecursionError) as error:
            # flickrapi takes any JSON for an object that has a "stat", a "code" and a "message".
            return None, f"an answer that is none of Flickr's ({type(error).__name__})"

    def _note(self, response: "requests.Response", **_: object) -> None:
        self._status = response.status_code
        self._retry_after = seconds_to_wait(
            response.headers.get("retry-after"), response.headers.get("date")
        )

    def _without_keys(self, message: str) -> str:
        """What is said to a user and stored, even if a server repeats what it was sent."""
        for secret in self._secrets:
            message = message.replace(secret, "…")
        return plain_text(message)

    def _refused(self, code: int | None, message: str) -> SourceError:
        if self._status in (401, 403):
            code = 100
        hint = "See https://www.flickr.com/services/api/flickr.photos.search.html"
        if code == 100:
            hint = f"Check the key in {KEY_VARIABLE} and its secret in {SECRET_VARIABLE}."
        return SourceError(f"Flickr at {self._endpoint} refused the call: {message}", hint)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
