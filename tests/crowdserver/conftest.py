"""Servers that tests of this room share."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.crowd import Running, client, put_images, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("crowd")
    digests = put_images(folder / "images", 6)
    with running(folder / "crowd.db", images=folder / "images", sandbox=True, seed=3) as found:
        found.digests = digests
        yield found


@pytest.fixture(scope="module")
def requester(server: Running) -> Any:
    return client(server)
