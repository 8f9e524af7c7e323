"""Contents named by their SHA-256, in a bucket of S3 or of whatever speaks its protocol.

Keys, addresses and regions are those that boto3 finds: ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_PROFILE``, ``AWS_ENDPOINT_URL_S3``, ``AWS_REGION`` and its files.
"""

import base64
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from replicate.base.digests import sha256_bytes
from replicate.base.errors import MissingError, ReplicateError, UsageError

if TYPE_CHECKING:
    from replicate.base.blobs import Blobs

_TRIES = 5  # of one call; botocore waits longer each time
_FEW = 200  # up to so many contents are asked for one by one, more are listed
_CONDITION_UNKNOWN = frozenset({"NotImplemented", "InvalidArgument", "InvalidRequest"})
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"})
_DENIED = frozenset({"403", "AccessDenied", "Forbidden"})


class S3Blobs:
    """A store of contents in a bucket, under ``prefix/<first two hex digits>/<sha256>``.

    Threads may share it; a process that gets it makes its own connections.

    Args:
        bucket: The bucket; it must be there.
        prefix: What the keys begin with; may be empty.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self.bucket, self.prefix = bucket, prefix
        self._lock = threading.Lock()
        self._made: Any = None

    def __getstate__(self) -> tuple[str, str]:
        return self.bucket, self.prefix

    def __setstate__(self, state: tuple[str, str]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    @property
    def location(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def where(self, digest: str) -> str:
        """Where the content of that digest is, or would be, for a person."""
        return f"s3://{self.bucket}/{self.key(digest)}"

    def key(self, digest: str) -> str:
        """The key of that digest in the bucket."""
        name = f"{digest[:2]}/{digest}"
        return f"{self.prefix}/{name}" if self.prefix else name

    def put(self, data: bytes) -> str:
        """Keep some content; S3 checks that it arrived whole.

        Returns:
            Its SHA-256, in hexadecimal.
        """
        digest = sha256_bytes(data)
        values = {
            "Bucket": self.bucket,
            "Key": self.key(digest),
            "Body": data,
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(digest)).decode(),
        }
        with self._explained():
            try:
                self._client.put_object(IfNoneMatch="*", **values)
            except self._client.exceptions.ClientError as error:
                code = _code(error)
                if code in ("412", "PreconditionFailed"):  # it is there already
                    return digest
                if code not in _CONDITION_UNKNOWN and code != "ConditionalRequestConflict":
                    raise
                # A store without conditions, or somebody who puts the same just now.
                self._client.put_object(**values)
        return digest

    def get(self, digest: str) -> bytes:
        """The content of that digest.

        Raises:
            FileNotFoundError: It is not there.
        """
        from botocore.exceptions import HTTPClientError

        for attempt in range(_TRIES):
            with self._explained():
                try:
                    answer = self._client.get_object(Bucket=self.bucket, Key=self.key(digest))
                    data = bytes(answer["Body"].read())
                except self._client.exceptions.ClientError as error:
                    if _code(error) in _GONE:
                        raise FileNotFoundError(self.where(digest)) from error
                    raise
                except HTTPClientError:  # botocore repeats calls, but not the reading of answers
                    if attempt == _TRIES - 1:
                        raise
                    continue
            if sha256_bytes(data) == digest:
                return data
        raise ReplicateError(
            f"{self.where(digest)} does not hold what its name says: it was cut off or changed.",
            "Delete it there and make it again: replicate gather, or replicate prepare.",
        )

    def exists(self, digest: str) -> bool:
        """Whether the content of that digest is there."""
        with self._explained():
            try:
                self._client.head_object(Bucket=self.bucket, Key=self.key(digest))
            except self._client.exceptions.ClientError as error:
                if _code(error) in _GONE:
                    self._check_bucket()  # a HEAD says 404 of a missing bucket as well
                    return False
                raise
        return True

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Those of these digests whose content is not there, in their order."""
        wanted = list(digests)
        if len(wanted) <= _FEW:
            return [digest for digest in wanted if not self.exists(digest)]
        there = set(self._listed())
        return [digest for digest in wanted if digest not in there]

    def adopt(self, other: "Blobs", digest: str) -> str:
        """Keep some content that another store holds; within S3 it is copied there.

        Raises:
            FileNotFoundError: The other store does not hold it.
        """
        if not isinstance(other, S3Blobs):
            return self.put(other.get(digest))
        with self._explained():
            try:
                self._client.copy_object(
                    Bucket=self.bucket,
                    Key=self.key(digest),
                    CopySource={"Bucket": other.bucket, "Key": other.key(digest)},
                )
            except self._client.exceptions.ClientError as error:
                if _code(error) in _GONE:
                    raise FileNotFoundError(other.where(digest)) from error
                raise
        return digest

    def delete(self, digest: str) -> bool:
        """Delete the content of that digest; whether it was there."""
        if not self.exists(digest):
            return False
        with self._explained():
            self._client.delete_object(Bucket=self.bucket, Key=self.key(digest))
        return True

    def _listed(self) -> Iterator[str]:
        prefix = f"{self.prefix}/" if self.prefix else ""
        with self._explained():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield item["Key"].rpartition("/")[2]

    def _check_bucket(self) -> None:
        try:
            self._client.head_bucket(Bucket=self.bucket)
        except self._client.exceptions.ClientError as error:
            if _code(error) in _GONE:
                raise self._no_bucket() from error

    @property
    def _client(self) -> Any:
        """The connection; made when it is first needed, for boto3 takes long to begin."""
        with self._lock:
            if self._made is None:
                import boto3
                from botocore.config import Config

                session = boto3.session.Session()
                self._made = session.client(
                    "s3",
                    region_name=session.region_name or "us-east-1",
                    config=Config(
                        retries={"mode": "standard", "max_attempts": _TRIES},
                        connect_timeout=10,
                        read_timeout=60,
                        max_pool_connections=64,
                        # Our own checksum is enough, and not every store knows others.
                        request_checksum_calculation="when_required",
                        response_checksum_validation="when_required",
                    ),
                )
            return self._made

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the store as what a person can do about them.

        Raises:
            MissingError: There is no such bucket, or there are no keys.
            UsageError: The keys are wrong, or allow too little.
            ReplicateError: The store does not answer, or fails.
        """
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            EndpointConnectionError,
            NoCredentialsError,
            PartialCredentialsError,
            ProfileNotFound,
        )

        try:
            yield
        except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
            raise MissingError(
                f"There are no keys for {self.location}: {error}.",
                "export AWS_ACCESS_KEY_ID=… and AWS_SECRET_ACCESS_KEY=…, or: aws configure",
            ) from error
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            raise ReplicateError(
                f"{self.location} cannot be reached: {error}",
                f"Check AWS_ENDPOINT_URL_S3 (now {os.environ.get('AWS_ENDPOINT_URL_S3', 'not set')}"
                ") and the network; then run the same command again, it carries on.",
            ) from error
        except ClientError as error:
            raise self._refusal(error) from error
        except BotoCoreError as error:
            raise ReplicateError(
                f"{self.location} failed: {error}", "Run the same command again: it carries on."
            ) from error

    def _refusal(self, error: Any) -> ReplicateError:
        code = _code(error)
        if code == "NoSuchBucket":
            return self._no_bucket()
        if code in _KEYS:
            return UsageError(
                f"The keys for {self.location} are not accepted ({code}).",
                "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL_S3.",
            )
        if code in _DENIED:
            return UsageError(
                f"The keys do not allow the use of {self.location} ({code}).",
                "They need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket there.",
            )
        return ReplicateError(
            f"{self.location} failed: {error}", "Run the same command again: it carries on."
        )

    def _no_bucket(self) -> MissingError:
        return MissingError(
            f"There is no bucket {self.bucket!r}.",
            f"Make it: aws s3 mb s3://{self.bucket}, or name another in [study] images",
        )


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
