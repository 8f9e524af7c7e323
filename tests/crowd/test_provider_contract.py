"""What every provider must do. A new provider is one more entry in `CROWDS`."""

import csv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from support.crowd import Person, Running, html_question, process, running, simple_html

from replicate.base.digests import sha256_bytes
from replicate.base.errors import ProviderError
from replicate.base.files import BlobStore
from replicate.base.images import encode_png
from replicate.crowd.exchange import FilesProvider
from replicate.crowd.mturk import MTurkProvider
from replicate.crowd.providers import HitRequest, HitTerms, Provider, Sheet, mode_text
from replicate.crowdserver.admin import add_key, invite
from replicate.sandbox.workers import run_sandbox_workers

TERMS = HitTerms(
    title="Select images",
    description="Look at some images.",
    keywords="images",
    reward=Decimal("0.10"),
    assignments=3,
    duration=600,
    auto_approval=3600,
    lifetime=86_400,
)


@dataclass
class Crowd:
    """A provider, and people who work there; each HIT has images of its own."""

    provider: Provider
    images: BlobStore
    work: Callable[[str, int], None]

    def request(self, key: str) -> HitRequest:
        digests = [self.images.put(_picture(f"{key} {number}")) for number in (1, 2, 3)]
        html = simple_html(digests).replace("<form ", '<form data-class-id="3" ')
        sheet = Sheet(
            "3", "Which show a 3?", tuple(zip(("i01", "i02", "i03"), digests, strict=True))
        )
        return HitRequest(key, html_question(html), key[:20], sheet)


def _picture(name: str) -> bytes:
    values = np.frombuffer(sha256_bytes(name.encode()).encode(), dtype=np.uint8)
    return encode_png(values.reshape(8, 8))


def _people(server: Running) -> Callable[[str, int], None]:
    def work(hit_id: str, count: int) -> None:
        names = [f"person {number}" for number in range(count)]
        for link in invite(server.db, names=names, base_url=server.endpoint):
            person = Person(server, link)
            if hit_id in person.hits():
                person.do(hit_id, '{"version": 1}')

    return work


@contextmanager
def _crowd_server(folder: Path) -> Iterator[Crowd]:
    images = BlobStore(folder / "images")
    images.root.mkdir()
    with running(folder / "crowd.db", images=images.root, sandbox=True, seed=5) as server:
        provider = MTurkProvider(server.endpoint, *add_key(server.db))
        yield Crowd(provider, images, _people(server))


@contextmanager
def _compatible_endpoint(folder: Path) -> Iterator[Crowd]:
    """Some endpoint of somebody else's, in a process of its own."""
    images = BlobStore(folder / "images")
    images.root.mkdir()
    with process(folder / "crowd.db", images=images.root) as (_, server):
        provider = MTurkProvider(server.endpoint, *add_key(server.db), name="mturk")
        yield Crowd(provider, images, _people(server))


@contextmanager
def _simulated(folder: Path) -> Iterator[Crowd]:
    images = BlobStore(folder / "images")
    images.root.mkdir()
    with running(folder / "crowd.db", images=images.root, sandbox=True, seed=5) as server:

        def work(hit_id: str, count: int) -> None:
            run_sandbox_workers(server.worker_url, server.db, 5, count)

        keys = add_key(server.db)
        mode = mode_text("sandbox", people="simulated workers")
        provider = MTurkProvider(server.endpoint, *keys, name="sandbox", mode=mode, simulated=True)
        yield Crowd(provider, images, work)


@contextmanager
def _files(folder: Path) -> Iterator[Crowd]:
    images, root = BlobStore(folder / "images"), folder / "labels"

    def work(hit_id: str, count: int) -> None:
        for tasks in root.glob("batch-*/tasks.csv"):
            with tasks.open(newline="") as handle:
                rows = [row for row in csv.DictReader(handle) if row["hit"] == hit_id]
            for number in range(count if rows else 0):
                with (tasks.parent / f"{hit_id}-{number}.csv").open("w", newline="") as out:
                    writer = csv.DictWriter(out, rows[0])
                    writer.writeheader()
                    for row in rows:
                        writer.writerow({**row, "worker": f"person {number}", "vote": "no"})

    yield Crowd(FilesProvider(root, images.root, b"key"), images, work)


CROWDS: dict[str, Callable[[Path], AbstractContextManager[Crowd]]] = {
    "crowd": _crowd_server,
    "mturk": _compatible_endpoint,
    "sandbox": _simulated,
    "files": _files,
}


@pytest.fixture(scope="module", params=sorted(CROWDS))
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    with CROWDS[request.param](tmp_path_factory.mktemp("crowd")) as found:
        yield found


@pytest.fixture
def publish(crowd: Crowd):
    hit_type = crowd.provider.hit_type(TERMS)
    return lambda key: crowd.provider.publish(crowd.request(key), hit_type, TERMS)


def test_it_says_where_it_is(crowd):
    crowd.provider.check()
    provider = crowd.provider
    assert provider.name in provider.mode
    assert ("simulated" in provider.mode) == provider.simulated
    assert list(provider.left_out()) == []


def test_the_same_terms_are_the_same_type(crowd):
    again = HitTerms(**{**TERMS.__dict__, "assignments": 7})
    other = HitTerms(**{**TERMS.__dict__, "reward": Decimal("0.20")})
    types = [crowd.provider.hit_type(terms) for terms in (TERMS, again, other)]
    assert types[0] == types[1] != types[2]


def test_a_key_makes_one_hit_however_often_it_is_published(crowd, publish):
    first = publish("k" * 64)
    assert publish("k" * 64) == first
    assert publish("l" * 64) != first
    assert crowd.provider.progress(first).wanted == 3


def test_assignments_come_in_as_they_are_submitted(crowd, publish):
    hit = publish("assignments")
    assert list(crowd.provider.assignments(hit)) == []
    crowd.work(hit, 2)
    found = list(crowd.provider.assignments(hit))
    assert len({item.assignment_id for item in found}) == len({i.worker_id for i in found}) == 2
    for item in found:
        assert (item.hit_id, item.status) == (hit, "Submitted")
        assert "<FreeText>{&quot;version" in item.answer or '<FreeText>{"version' in item.answer
        if item.submitted is not None:  # files do not say when
            assert item.accepted <= item.submitted
            assert item.submitted.utcoffset().total_seconds() == 0
    progress = crowd.provider.progress(hit)
    assert (progress.status, progress.pending, progress.available) == ("Assignable", 0, 1)
    crowd.work(hit, 3)
    assert len(list(crowd.provider.assignments(hit))) == 3
    assert crowd.provider.progress(hit).status == "Reviewable"


def test_approving_twice_is_approving_once(crowd, publish):
    hit = publish("approving")
    crowd.work(hit, 1)
    (item,) = crowd.provider.assignments(hit)
    crowd.provider.approve(item.assignment_id)
    crowd.provider.approve(item.assignment_id)
    (item,) = crowd.provider.assignments(hit)
    assert item.status == "Approved"


def test_an_assignment_that_does_not_exist_cannot_be_approved(crowd):
    with pytest.raises(ProviderError):
        crowd.provider.approve("3NOSUCHASSIGNMENT0000000000000")


def test_expired_work_is_off_the_list(crowd, publish):
    hit = publish("expiring")
    crowd.provider.expire(hit)
    crowd.work(hit, 1)
    assert list(crowd.provider.assignments(hit)) == []
    assert crowd.provider.progress(hit).status == "Reviewable"


def test_a_hit_that_does_not_exist_is_an_error(crowd):
    with pytest.raises(ProviderError):
        list(crowd.provider.assignments("3NOSUCHHIT00000000000000000000"))
