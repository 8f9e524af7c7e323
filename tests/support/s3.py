"""A store that speaks S3, over real HTTP, in a thread of the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer

KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def s3_server(*buckets: str) -> Iterator[str]:
    """The address of the server, which the environment names while the block runs."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**KEYS, "AWS_ENDPOINT_URL_S3": address}.items():
                patch.setenv(name, value)
            client = boto3.client("s3", region_name="us-east-1")
            for bucket in buckets:
                client.create_bucket(Bucket=bucket)
            client.close()
            yield address
    finally:
        server.stop()
