"""Signature Version 4: that a request was made by the holder of a key, and not changed since.

The steps and names are those of the AWS documentation, "Signing AWS API requests".
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote

from replicate.crowdserver.errors import ApiError

SERVICE = "mturk-requester"
ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW = 15 * 60.0  # seconds, as AWS allows
_NEEDED = {"host", "x-amz-date"}
_FIELDS = re.compile(
    rf"{ALGORITHM}\s+Credential=(?P<key>[^/\s,]+)/(?P<date>\d{{8}})/(?P<region>[a-z0-9-]+)/"
    r"(?P<service>[a-z-]+)/aws4_request\s*,\s*"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})\Z"
)


@dataclass(frozen=True)
class SignedRequest:
    """What a signature is made over.

    Attributes:
        method: The HTTP method.
        path: The path, as it was sent.
        query: The query string, as it was sent.
        headers: All headers, names in lower case.
        body: The body.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def verify(request: SignedRequest, secret_of: Callable[[str], str | None], now: datetime) -> str:
    """Check a request's signature.

    Args:
        request: The request.
        secret_of: The secret of a key id, or None if there is no such key.
        now: The present moment; a request more than 15 minutes away from it is refused.

    Returns:
        The access key id.

    Raises:
        ApiError: The request is not signed, or not by a key of this server, or was changed.
    """
    match = _FIELDS.match(request.headers.get("authorization", ""))
    if match is None:
        raise _refused("The request is not signed (AWS4-HMAC-SHA256).", "MissingAuthentication")
    moment = _moment(request.headers.get("x-amz-date", ""))
    if match["service"] != SERVICE or match["date"] != moment.strftime("%Y%m%d"):
        raise _refused(f"Credential should be scoped to the service {SERVICE!r}, on this day.")
    if abs((now - moment).total_seconds()) > MAX_SKEW:
        raise _refused(f"Signature expired: {moment} is not within 15 minutes of {now}.")
    signed = match["headers"].split(";")
    if not set(signed) >= _NEEDED or signed != sorted(set(signed)):
        raise _refused("The headers host and x-amz-date must be signed.")
    secret = secret_of(match["key"])
    if secret is None:
        message = f"There is no access key {match['key']!r} on this server."
        raise _refused(message, "UnrecognizedClient")
    scope = f"{match['date']}/{match['region']}/{SERVICE}/aws4_request"
    digest = hashlib.sha256(_canonical(request, signed).encode()).hexdigest()
    text = f"{ALGORITHM}\n{request.headers['x-amz-date']}\n{scope}\n{digest}"
    expected = hmac.new(
        _signing_key(secret, match["date"], match["region"]), text.encode(), "sha256"
    )
    if not hmac.compare_digest(expected.hexdigest(), match["signature"]):
        raise _refused("The signature does not match: the secret access key is not right.")
    return match["key"]


def _refused(message: str, kind: str = "InvalidSignature") -> ApiError:
    name = f"{kind}Token" if kind == "MissingAuthentication" else kind
    return ApiError(message, kind=f"{name}Exception", status=403)


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise _refused("The header X-Amz-Date is missing or not a time.") from error


def _canonical(request: SignedRequest, signed: list[str]) -> str:
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(request.query, keep_blank_values=True)
    )
    lines = [
        request.method,
        quote(request.path, safe="/-_.~%") or "/",
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in signed),
        "",
        ";".join(signed),
        hashlib.sha256(request.body).hexdigest(),
    ]
    return "\n".join(lines)


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, SERVICE, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
