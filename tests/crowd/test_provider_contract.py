"""What every provider must do. A new provider is one more entry in `CROWDS`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from support.crowd import Person, html_question, put_images, running, simple_html

from replicate.base.errors import ProviderError
from replicate.crowd.mturk import MTurkProvider
from replicate.crowd.providers import HitRequest, HitTerms, Provider
from replicate.crowdserver.admin import add_key, invite

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
    """A provider, and people who work there."""

    provider: Provider
    question: str
    work: Callable[[str, int], None]


@contextmanager
def _crowd_server(folder: Path) -> Iterator[Crowd]:
    digests = put_images(folder / "images", 3)
    with running(folder / "crowd.db", images=folder / "images", sandbox=True, seed=5) as server:
        key, secret = add_key(server.db)

        def work(hit_id: str, count: int) -> None:
            names = [f"person {number}" for number in range(count)]
            for link in invite(server.db, names=names, base_url=server.endpoint):
                person = Person(server, link)
                if hit_id in person.hits():
                    person.do(hit_id, '{"version": 1}')

        provider = MTurkProvider(server.endpoint, key, secret)
        yield Crowd(provider, html_question(simple_html(digests)), work)


CROWDS: dict[str, Callable[[Path], AbstractContextManager[Crowd]]] = {"crowd": _crowd_server}


@pytest.fixture(scope="module", params=sorted(CROWDS))
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    with CROWDS[request.param](tmp_path_factory.mktemp("crowd")) as found:
        yield found


@pytest.fixture
def publish(crowd: Crowd):
    hit_type = crowd.provider.hit_type(TERMS)
    return lambda key: crowd.provider.publish(HitRequest(key, crowd.question), hit_type, TERMS)


def test_it_says_where_it_is(crowd):
    crowd.provider.check()
    assert crowd.provider.name in crowd.provider.mode


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
