"""The requesters' side of the server: ``POST /`` with a signed JSON document."""

import json
import logging
import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from replicate.crowdserver.errors import ApiError
from replicate.crowdserver.operations import perform
from replicate.crowdserver.protocol import CONTENT_TYPE, parse_call
from replicate.crowdserver.signatures import SignedRequest, verify
from replicate.crowdserver.site import Site
from replicate.crowdserver.tables import Key

log = logging.getLogger(__name__)


async def answer(site: Site, request: Request) -> Response:
    """Answer one request of a requester."""
    try:
        signed = SignedRequest(
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.body(),
        )
        return _respond(200, _perform(site, signed))
    except ApiError as error:
        return _respond(error.status, error.document(), error.kind)
    except Exception:
        log.exception("A request of the API failed")
        message = "The server failed; nothing was changed. Its log says why."
        fault = ApiError(message, "AWS.ServiceUnavailable", kind="ServiceFault", status=500)
        return _respond(500, fault.document(), fault.kind)


def _perform(site: Site, signed: SignedRequest) -> dict[str, Any]:
    with site.context() as context:

        def secret_of(access: str) -> str | None:
            query = select(Key.secret).where(Key.access_key_id == access)
            return context.connection.execute(query).scalar()

        # The machine's own clock, not the site's: clients sign with theirs, which a sandbox
        # that moves its clock does not move along.
        verify(signed, secret_of, datetime.now(UTC))
        call = parse_call(signed.headers.get("x-amz-target", ""), signed.body)
        return perform(context, call)


def _respond(status: int, document: dict[str, Any], kind: str = "") -> Response:
    headers = {
        "content-type": CONTENT_TYPE,
        "cache-control": "no-store",
        "x-amzn-requestid": secrets.token_hex(16),
    }
    if kind:
        headers["x-amzn-errortype"] = kind
    return Response(json.dumps(document).encode(), status_code=status, headers=headers)
