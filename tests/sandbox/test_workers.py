import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from support.crowd import Person, Running, running

from replicate.base.errors import ProviderError
from replicate.base.files import BlobStore
from replicate.base.images import encode_png
from replicate.crowd.answers import parse_answer
from replicate.crowd.composition import HitPlan, Slot
from replicate.crowd.mturk import MTurkProvider
from replicate.crowd.pages import PageText, html_question, render_page
from replicate.crowd.providers import HitRequest, HitTerms
from replicate.crowdserver.admin import add_key, invite
from replicate.sandbox.workers import run_sandbox_workers, run_workers, takes
from replicate.sources.digits import counts_to_grey, packed
from replicate.sources.display import display_copy

SEED, CREW, WANTED, IMAGES = 11, 8, 3, 6


@dataclass
class Study:
    server: Running
    provider: MTurkProvider
    hits: list[str]

    @property
    def answers(self):
        """What was answered, by HIT and worker."""
        return {
            (hit, item.worker_id): item.answer
            for hit in self.hits
            for item in self.provider.assignments(hit)
        }

    def work(self, seed=SEED, progress=None):
        server = self.server
        return run_sandbox_workers(server.worker_url, server.db, seed, CREW, progress)


def _publish(provider, blobs: BlobStore, n_hits: int, chain: bool = False) -> list[str]:
    """HITs of six images each; in a chain, all ask for one class and share one with the next."""
    terms = HitTerms("t", "d", "k", Decimal("0.10"), WANTED, 600, 3600, 86_400)
    hit_type = provider.hit_type(terms)
    images, labels = packed("optdigits")
    hits = []
    for number in range(n_hits):
        first = number * (IMAGES - chain)
        rows = range(first, first + IMAGES)
        pictures = [display_copy(encode_png(counts_to_grey(images[row])), 96) for row in rows]
        displays = {str(row): blobs.put(data) for row, data in zip(rows, pictures, strict=True)}
        slots = tuple(Slot(f"i{n:02d}", str(row), "candidate") for n, row in enumerate(rows, 1))
        wanted = str(labels[0 if chain else rows[0]])
        plan = HitPlan(wanted, number, slots, f"key {number}")
        html = render_page(plan, PageText(wanted, f"the digit {wanted}", "Which show"), displays)
        hits.append(provider.publish(HitRequest(plan.key, html_question(html)), hit_type, terms))
    return hits


@pytest.fixture
def study(tmp_path: Path):
    with _study(tmp_path) as found:
        yield found


@contextmanager
def _study(folder: Path, chain: bool = False) -> Iterator[Study]:
    (folder / "images").mkdir(parents=True)
    options = {"images": folder / "images", "sandbox": True, "seed": SEED}
    with running(folder / "crowd.db", **options) as server:
        provider = MTurkProvider(server.endpoint, *add_key(server.db))
        yield Study(server, provider, _publish(provider, BlobStore(folder / "images"), 5, chain))


def test_they_do_all_there_is_once_and_then_nothing(study):
    seen = []
    assert study.work(progress=lambda *said: seen.append(said)) == 5 * WANTED
    assert seen[-1] == ("simulated workers", 15, 15)
    for hit in study.hits:
        assert len(list(study.provider.assignments(hit))) == WANTED
        assert study.provider.progress(hit).status == "Reviewable"
    assert study.work() == 0


def test_answers_are_complete_and_say_what_the_worker_saw(study):
    study.work()
    answers = [parse_answer(xml) for xml in study.answers.values()]
    text = re.search(r"<FreeText>(.*?)</FreeText>", next(iter(study.answers.values()))).group(1)
    names = sorted(json.loads(text.replace("&quot;", '"')))
    assert names == ["broken", "none", "order", "selected", "times", "version"]
    slots = [f"i{n:02d}" for n in range(1, IMAGES + 1)]
    assert all(sorted(answer.order) == slots for answer in answers)
    assert len({answer.order for answer in answers}) > 5  # each assignment has an order of its own
    assert all(answer.none == (not answer.selected) for answer in answers)
    # each page asks for the class of its first image, so that one is mostly selected
    first = sum("i01" in answer.selected for answer in answers)
    others = sum(len(set(answer.selected) - {"i01"}) for answer in answers)
    assert first > len(answers) / 2
    assert others < len(answers) * (IMAGES - 1) / 2
    assert all(set(answer.selected) | set(answer.broken) == set(answer.times) for answer in answers)


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("after", [1, 8])
def test_cut_off_and_begun_again_they_end_with_the_same_answers(study, tmp_path, after):
    def kill(_what, sent, _known):
        if sent == after:
            raise _KilledError

    with pytest.raises(_KilledError):
        study.work(progress=kill)
    # one worker had taken up a HIT and not sent it
    link = _a_link_with_work(study)
    if link is not None:
        person, hit = link
        assert person.accept(hit).status_code == 200
    study.work()
    with _study(tmp_path / "other") as whole:
        whole.work()
        assert study.answers == whole.answers
        assert len(whole.answers) == 5 * WANTED


def _a_link_with_work(study):
    names = [f"simulated worker {number:03d}" for number in range(CREW)]
    links = invite(study.server.db, names=names, base_url=study.server.endpoint)
    for number, link in enumerate(links):
        person = Person(study.server, link)
        for hit in person.hits():
            if takes(SEED, hit, number, CREW, WANTED):
                return person, hit
    return None


@pytest.mark.parametrize("after", [2, 12])
def test_who_may_not_take_a_hit_is_stood_in_for_by_the_next(tmp_path, after):
    def kill(_what, sent, _known):
        if sent == after:
            raise _KilledError

    with _study(tmp_path / "chain", chain=True) as study:
        with pytest.raises(_KilledError):
            study.work(progress=kill)
        study.work()
        done = {hit: set() for hit in study.hits}
        for hit, worker in study.answers:
            done[hit].add(worker)
        assert [len(workers) for workers in done.values()] == [WANTED] * 5
        for hit, following in pairwise(study.hits):  # they share an image
            assert not done[hit] & done[following]
        with _study(tmp_path / "other", chain=True) as whole:
            whole.work()
            assert study.answers == whole.answers


def test_another_seed_gives_other_votes_by_other_workers(study, tmp_path):
    study.work()
    with _study(tmp_path / "other") as other:
        other.work(seed=SEED + 1)
        assert other.hits == study.hits
        assert set(other.answers) != set(study.answers)


def test_who_takes_what_is_spread_evenly():
    taken = [0] * CREW
    for hit in range(400):
        crew = [n for n in range(CREW) if takes(SEED, f"H{hit}", n, CREW, WANTED)]
        assert len(crew) == WANTED
        for number in crew:
            taken[number] += 1
    assert min(taken) > 110  # 150 each, standard deviation about 10
    assert sum(takes(SEED, "H", n, CREW, 20) for n in range(CREW)) == CREW


def test_a_picture_that_is_not_there_is_broken(study):
    root = study.server.db.parent / "images"
    gone = sorted(path for path in root.rglob("*") if path.is_file())[::2]
    for path in gone:
        path.unlink()
    study.work()
    answers = [parse_answer(xml) for xml in study.answers.values()]
    assert sum(len(answer.broken) for answer in answers) == len(gone) * WANTED
    assert not any(set(answer.broken) & set(answer.selected) for answer in answers)


def test_an_invitation_that_does_not_work(study):
    link = f"{study.server.endpoint}/join/nonsense"
    with pytest.raises(ProviderError, match="404 for the invitation"):
        run_workers([link], SEED, *_little_gallery())


def test_a_server_that_went_away(tmp_path):
    with _study(tmp_path) as study:
        pass
    with pytest.raises(ProviderError, match="does not answer"):
        study.work()


def _little_gallery():
    images, labels = packed("optdigits")
    return counts_to_grey(images[:50]), labels[:50].astype(int)
