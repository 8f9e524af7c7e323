"""A provider that speaks the MTurk Requester API (2017-01-17) through boto3.

Amazon's own endpoints closed on 30 September 2026; the protocol is what our crowd server and
compatible endpoints speak.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from replicate.base.errors import MissingError, ProviderError
from replicate.crowd.endpoints import refuse_closed
from replicate.crowd.providers import (
    HitProgress,
    HitRequest,
    HitTerms,
    LeftOut,
    RawAssignment,
    mode_text,
)

ACCESS_KEY = "REPLICATE_CROWD_ACCESS_KEY_ID"
SECRET_KEY = "REPLICATE_CROWD_SECRET_ACCESS_KEY"
REGION = "us-east-1"
INSTALL = 'pip install "boto3<1.45" "botocore<1.45"'  # the newest that were seen to have it
PAGE = 100  # the largest page that the protocol allows
_HIT_ID = re.compile(r"\b(?=[A-Z0-9]*[0-9])[A-Z0-9]{16,64}\b")
T = TypeVar("T")


class MTurkProvider:
    """A crowd behind the MTurk protocol.

    Calls that are throttled, fail with a 5xx status or lose their connection are repeated with
    growing pauses; `publish` can be repeated because each HIT has its own token.

    Args:
        endpoint: The server's address, such as ``http://127.0.0.1:8000``.
        access_key: The requester's key id; from REPLICATE_CROWD_ACCESS_KEY_ID by default.
        secret_key: The secret; from REPLICATE_CROWD_SECRET_ACCESS_KEY by default.
        name: ``crowd`` for our own server, ``mturk`` for any other endpoint.
        mode: What it calls itself; by default its name and address, with real workers.
        simulated: Whether the workers are simulated.
        attempts: Tries of one call.
        timeout: Seconds to wait for a connection, and for an answer.

    Raises:
        UsageError: The endpoint is one of Amazon's, which closed.
        MissingError: No keys, or a botocore without the protocol.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str | None = None,
        secret_key: str | None = None,
        *,
        name: str = "crowd",
        mode: str | None = None,
        simulated: bool = False,
        attempts: int = 5,
        timeout: float = 30.0,
    ) -> None:
        refuse_closed(endpoint)
        self.name = name
        self.endpoint = endpoint
        self.mode = mode or mode_text(name, endpoint)
        self.simulated = simulated
        self._client = _client(
            endpoint,
            _key(access_key, ACCESS_KEY),
            _key(secret_key, SECRET_KEY),
            attempts,
            timeout,
        )

    def check(self) -> None:
        """Ask for the account's balance, to see that address and keys are right."""
        self._call(self._client.get_account_balance)

    def hit_type(self, terms: HitTerms) -> str:
        """The id of the HIT type with these terms."""
        answer = self._call(
            self._client.create_hit_type,
            Title=terms.title,
            Description=terms.description,
            Keywords=terms.keywords,
            Reward=f"{terms.reward:.2f}",
            AssignmentDurationInSeconds=terms.duration,
            AutoApprovalDelayInSeconds=terms.auto_approval,
        )
        return str(answer["HITTypeId"])

    def publish(self, request: HitRequest, hit_type: str, terms: HitTerms) -> str:
        """Publish a HIT; a repeated key gives the id of the HIT that exists."""
        from botocore.exceptions import ClientError

        try:
            answer = self._call(
                self._client.create_hit_with_hit_type,
                HITTypeId=hit_type,
                MaxAssignments=terms.assignments,
                LifetimeInSeconds=terms.lifetime,
                Question=request.question,
                RequesterAnnotation=request.note,
                UniqueRequestToken=request.key,
            )
        except ProviderError as error:
            cause = error.__cause__
            existing = _existing_hit(cause) if isinstance(cause, ClientError) else None
            if existing is None:
                raise
            return existing
        return str(answer["HIT"]["HITId"])

    def progress(self, hit_id: str) -> HitProgress:
        """How many of a HIT's assignments are still to come."""
        hit = self._call(self._client.get_hit, HITId=hit_id)["HIT"]
        return HitProgress(
            status=hit["HITStatus"],
            wanted=hit["MaxAssignments"],
            pending=hit["NumberOfAssignmentsPending"],
            available=hit["NumberOfAssignmentsAvailable"],
        )

    def assignments(self, hit_id: str) -> Iterator[RawAssignment]:
        """Every submitted assignment of a HIT, over all pages of the list."""
        arguments: dict[str, Any] = {
            "HITId": hit_id,
            "MaxResults": PAGE,
            "AssignmentStatuses": ["Submitted", "Approved", "Rejected"],
        }
        while True:
            page = self._call(self._client.list_assignments_for_hit, **arguments)
            for item in page.get("Assignments", []):
                yield RawAssignment(
                    assignment_id=item["AssignmentId"],
                    hit_id=item["HITId"],
                    worker_id=item["WorkerId"],
                    status=item["AssignmentStatus"],
                    answer=item.get("Answer", ""),
                    accepted=_utc(item.get("AcceptTime")),
                    submitted=_utc(item.get("SubmitTime")),
                )
            if not page.get("NextToken"):
                return
            arguments["NextToken"] = page["NextToken"]

    def left_out(self) -> Sequence[LeftOut]:
        """Nothing: what the server took is an assignment."""
        return ()

    def approve(self, assignment_id: str) -> None:
        """Approve an assignment; one that is approved already stays so."""
        try:
            self._call(self._client.approve_assignment, AssignmentId=assignment_id)
        except ProviderError:
            # Approving twice is an error of the protocol. The state, not the wording, decides.
            answer = self._call(self._client.get_assignment, AssignmentId=assignment_id)
            if answer["Assignment"]["AssignmentStatus"] != "Approved":
                raise

    def expire(self, hit_id: str) -> None:
        """Take a HIT off the list of work."""
        past = datetime(2015, 1, 1, tzinfo=UTC)
        self._call(self._client.update_expiration_for_hit, HITId=hit_id, ExpireAt=past)

    def _call(self, operation: Callable[..., T], **arguments: Any) -> T:
        from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

        try:
            return operation(**arguments)
        except (ConnectionError, HTTPClientError) as error:
            raise ProviderError(
                f"The crowd server at {self.endpoint} does not answer: {error}",
                "Start it (replicate crowd serve --db FILE --port PORT), or correct the address: "
                "[label] endpoint, or REPLICATE_CROWD_URL.",
            ) from error
        except ClientError as error:
            raise _refusal(error, self.endpoint) from error
        except BotoCoreError as error:
            raise ProviderError(
                f"The call to the crowd server at {self.endpoint} failed: {error}"
            ) from error


def _client(endpoint: str, access: str, secret: str, attempts: int, timeout: float) -> Any:
    import boto3
    from botocore.config import Config

    session = boto3.session.Session(
        aws_access_key_id=access, aws_secret_access_key=secret, region_name=REGION
    )
    if "mturk" not in session.get_available_services():
        raise MissingError(
            "The installed botocore no longer ships the MTurk protocol.",
            f"Install a version that does: {INSTALL}",
        )
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=timeout,
        read_timeout=timeout,
        max_pool_connections=16,
    )
    try:
        return session.client("mturk", endpoint_url=endpoint, config=config)
    except ValueError as error:
        raise MissingError(
            f"{endpoint!r} is not the address of a crowd server.",
            "Give [label] endpoint, or REPLICATE_CROWD_URL, such as http://127.0.0.1:8000.",
        ) from error


def _key(given: str | None, variable: str) -> str:
    value = given or os.environ.get(variable, "")
    if not value:
        raise MissingError(
            f"There is no key for the crowd server: {variable} is not set.",
            "Make a pair of keys (replicate crowd keys add --db FILE) and set "
            f"{ACCESS_KEY} and {SECRET_KEY}.",
        )
    return value


def _existing_hit(error: Any) -> str | None:
    """The HIT that a repeated UniqueRequestToken belongs to, from the error that says so."""
    answer = error.response
    code = answer.get("TurkErrorCode") or answer.get("Error", {}).get("TurkErrorCode") or ""
    message = answer.get("Error", {}).get("Message") or answer.get("Message") or ""
    if "HITAlreadyExists" not in code and "already" not in message.lower():
        return None
    ids = _HIT_ID.findall(message)
    return str(ids[0]) if len(ids) >= 1 else None


def _refusal(error: Any, endpoint: str) -> ProviderError:
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = details.get("Code", ""), details.get("Message", "")
    names = ("UnrecognizedClient", "InvalidSignature", "SignatureDoesNotMatch", "AccessDenied")
    if status in (401, 403) or any(name in code for name in names):
        return ProviderError(
            f"The crowd server at {endpoint} refuses the keys: {message or code}",
            f"Check {ACCESS_KEY} and {SECRET_KEY}; "
            "make new ones with: replicate crowd keys add --db FILE",
        )
    return ProviderError(
        f"The crowd server at {endpoint} refused {error.operation_name}: {message}"
    )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
