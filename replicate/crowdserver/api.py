"""The requesters' side of the server: ``POST /`` with a signed JSON document."""

import json
import logging
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from replicate.crowdserver.context import Context
from replicate.crowdserver.errors import ApiError, service_fault
from replicate.crowdserver.faults import Lost
from replicate.crowdserver.hits import get_hit
from replicate.crowdserver.keys import Account, find_key
from replicate.crowdserver.operations import perform
from replicate.crowdserver.protocol import CONTENT_TYPE, parse_call
from replicate.crowdserver.replies import Recall
from replicate.crowdserver.signatures import SignedRequest, verify
from replicate.crowdserver.site import Site

log = logging.getLogger(__name__)


async def answer(site: Site, request: Request) -> Response:
    """Answer one request of a requester."""
    request_id = secrets.token_hex(16)
    try:
        signed = SignedRequest(
            method=request.method,
            path=request.url.path,
            query=request.url.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.body(),
        )
        text, lost = _perform(site, signed, request_id)
        return Lost() if lost else _respond(200, text, request_id)
    except ApiError as error:
        return _refuse(error, request_id)
    except Exception:
        log.exception("A request of the API failed")
        message = "The server failed; nothing was changed. Its log says why."
        return _refuse(service_fault(message), request_id)


def _perform(site: Site, signed: SignedRequest, request_id: str) -> tuple[str, bool]:
    """The answer as JSON, and whether it is to be lost."""
    # The machine's own clock, not the site's: clients sign with theirs, which a sandbox that
    # moves its clock does not move along.
    now = datetime.now(UTC)
    with site.context() as context:
        account = _caller(context, signed, now)
        site.throttle.take(account.access_key_id)
        call = parse_call(signed.headers.get("x-amz-target", ""), signed.body)
        lost = site.faults.before(call.operation)
        invocation = signed.headers.get("amz-sdk-invocation-id", "")
        recall = Recall(context.connection, account, invocation, call.operation, signed.body)
        own = replace(context, requester=account.requester, request_id=request_id)
        before = recall.answer()
        if before is None:
            answer = perform(own, call)
            recall.keep(json.dumps(_reference(answer)), now.timestamp())
        else:
            answer = json.loads(before)
            if "HITId" in answer:
                answer = get_hit(own, answer)
        return json.dumps(answer), lost


def _reference(answer: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an answer: of a HIT its id only, for its question may be large."""
    return {"HITId": answer["HIT"]["HITId"]} if "HIT" in answer else answer


def _caller(context: Context, signed: SignedRequest, now: datetime) -> Account:
    found: dict[str, Account] = {}

    def secret_of(access: str) -> str | None:
        account = find_key(context.connection, access)
        if account is None:
            return None
        found[access] = account
        return account.secret

    return found[verify(signed, secret_of, now)]


def _refuse(error: ApiError, request_id: str) -> Response:
    answer = _respond(error.status, json.dumps(error.document()), request_id)
    answer.headers["x-amzn-errortype"] = error.kind
    return answer


def _respond(status: int, text: str, request_id: str) -> Response:
    headers = {
        "content-type": CONTENT_TYPE,
        "cache-control": "no-store",
        "x-amzn-requestid": request_id,
    }
    return Response(text.encode(), status_code=status, headers=headers)
