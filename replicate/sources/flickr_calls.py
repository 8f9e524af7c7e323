"""Calls of the Flickr API through flickrapi: checked, limited, repeated where that helps."""

import difflib
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from replicate.base.errors import MissingError, SourceError, UsageError

if TYPE_CHECKING:
    import requests

KEY_VARIABLE, SECRET_VARIABLE = "REPLICATE_FLICKR_KEY", "REPLICATE_FLICKR_SECRET"

# The arguments of flickr.photos.search. Flickr ignores any other without a word, so a
# misspelt one (min_uploaded_date) silently widens a search.
_ARGUMENTS = """
    accuracy bbox color_codes contacts content_type content_types extras geo_context group_id
    has_geo in_gallery is_commons is_getty lat license lon machine_tag_mode machine_tags
    max_taken_date max_upload_date media min_taken_date min_upload_date orientation page per_page
    person_id place_id privacy_filter radius radius_units safe_search sort styles tag_mode tags
    text user_id video_content_type woe_id
"""
ARGUMENTS = frozenset(_ARGUMENTS.split())
RETRY_CODES = frozenset({0, 105, 106, 201})
HOUR = 3600.0
MAX_WAIT = 60.0


def check_arguments(names: set[str]) -> None:
    """Refuse argument names that flickr.photos.search does not have.

    Raises:
        UsageError: One is unknown; the hint names the nearest.
    """
    for name in sorted(names - ARGUMENTS):
        near = difflib.get_close_matches(name, sorted(ARGUMENTS), n=1)
        raise UsageError(
            f"flickr.photos.search has no argument {name!r}; Flickr would ignore it silently.",
            f"Did you mean {near[0]!r}?" if near else "",
        )


def seconds_to_wait(header: str | None) -> float:
    """The seconds of a ``Retry-After`` header; 0.0 if it says nothing usable.

    >>> seconds_to_wait("3"), seconds_to_wait("soon"), seconds_to_wait(None)
    (3.0, 0.0, 0.0)
    """
    return float(header) if header and header.strip().isdecimal() else 0.0


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


class RateLimit:
    """At most so many calls in any hour; waits when there were too many.

    Args:
        calls_per_hour: The limit.
        sleep: How to wait.
        now: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        calls_per_hour: int,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._sleep, self._now = calls_per_hour, sleep, now
        self._calls: deque[float] = deque(maxlen=calls_per_hour)

    def wait(self) -> None:
        """Wait until another call is allowed, and count it."""
        if len(self._calls) == self._limit:
            pause = self._calls[0] + HOUR - self._now()
            if pause > 0:
                self._sleep(pause)
        self._calls.append(self._now())


class FlickrCalls:
    """flickr.photos.search, through flickrapi.

    Args:
        endpoint: The address of the REST API.
        key: The API key.
        secret: Its secret.
        timeout: Seconds to wait for an answer.
        attempts: Tries of one call.
        limit: The rate limit.
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
        self._endpoint = endpoint
        self._attempts, self._limit, self._sleep = attempts, limit, sleep

    def search(self, **arguments: str | int) -> dict[str, Any]:
        """One call of flickr.photos.search.

        Returns:
            The ``photos`` object of the answer.

        Raises:
            UsageError: An argument that the method does not have.
            SourceError: The API refuses the call, or never answers it.
        """
        check_arguments(set(arguments))
        trouble = ""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(min(MAX_WAIT, max(self._retry_after, 0.5 * 2.0 ** (attempt - 1))))
            self._limit.wait()
            answer, trouble = self._try(arguments)
            if answer is not None:
                return answer
        raise SourceError(
            f"Flickr at {self._endpoint} did not answer after {self._attempts} tries: {trouble}",
            "Try again later; what was gathered so far is kept: replicate gather",
        )

    def _try(self, arguments: dict[str, str | int]) -> tuple[dict[str, Any] | None, str]:
        """An answer, or what kept it from coming when another try is worth while."""
        import requests
        from flickrapi.exceptions import FlickrError

        try:
            photos = self._api.photos.search(**arguments)["photos"]
            if isinstance(photos.get("photo"), list):
                return photos, ""
            return None, "an answer without photos"
        except FlickrError as error:
            code: int | None = error.code
            passing = self._status == 429 or self._status >= 500
            if not passing and (code is None or code not in RETRY_CODES):
                raise self._refused(code, str(error)) from error
            return None, str(error)
        except (requests.RequestException, ValueError, KeyError, AttributeError) as error:
            return None, f"{type(error).__name__}: {error}"

    def _note(self, response: "requests.Response", **_: object) -> None:
        self._status = response.status_code
        self._retry_after = seconds_to_wait(response.headers.get("retry-after"))

    def _refused(self, code: int | None, message: str) -> SourceError:
        hint = "See https://www.flickr.com/services/api/flickr.photos.search.html"
        if code == 100:
            hint = f"Check the key in {KEY_VARIABLE} and its secret in {SECRET_VARIABLE}."
        return SourceError(f"Flickr at {self._endpoint} refused the call: {message}", hint)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
