"""`replicate annotate`: people label on their own machine; cut off at any moment, it carries on."""

import signal

import pytest
from sqlalchemy import func, select
from support.annotators import (
    Annotator,
    Judge,
    annotating,
    ended,
    small_study,
    with_simulated_vote,
)
from support.command import replicate

from replicate.store import queries
from replicate.store.tables import Assignment, Hit, PreparedImage, SetImage, Vote
from replicate.study import Study, open_study

from .labels import CLASSES


def judge_by(study: Study, doubts: int = 0, after: int | None = None) -> Judge:
    """Right about the originals; says yes to a candidate unless it is among those in doubt.

    Args:
        study: The study.
        doubts: Of every eight candidates, how many are refused.
        after: The same in the second round; by default nobody changes their mind.
    """
    with study.session() as session:
        shown = {
            row.display_id: row.image_id for row in session.scalars(select(PreparedImage)).all()
        }
        classes = {row.image_id: row.class_id for row in session.scalars(select(SetImage)).all()}

    def judge(class_id: str, digest: str, number: str) -> bool:
        image = shown[digest]
        if image in classes:
            return classes[image] == class_id
        return _rank(image) >= (after if number == "2" and after is not None else doubts)

    return judge


def _rank(image: str) -> int:
    return int(image[:2], 16) % 8


def test_two_people_one_cut_off_and_one_with_ctrl_c(tmp_path):
    study = small_study(tmp_path)
    with annotating(study, "--annotator", "olga") as (child, links):
        olga = Annotator(links["olga"], judge_by(study))
        olga.work(2)
        child.kill()  # in the middle: two pages are sent and not collected
    with annotating(study, "--annotator", "hugo") as (child, links):
        Annotator(links["hugo"], judge_by(study)).work(1)
        child.send_signal(signal.SIGINT)
        found = ended(child)
    assert found["pages"] == {"done": 3, "wanted": 12}
    assert found["annotators"]["hugo"] == {"done": 1, "left": 5}
    assert found["next"].endswith("annotate --annotator hugo")
    with annotating(study, "--annotators", "olga,hugo") as (child, links):
        for name in ("olga", "hugo"):
            Annotator(links[name], judge_by(study)).work()
        found = ended(child)
    assert found["pages"] == {"done": 12, "wanted": 12}
    assert found["next"].endswith("run --from sample")
    with study.session() as session:
        rows = session.scalars(select(Assignment)).all()
        assert not any(row.simulated or row.reason for row in rows)
        assert len({row.worker_id for row in rows}) == 2
        assert {hit.reward for hit in session.scalars(select(Hit))} == {"0.00"}
        twice = session.execute(
            select(Vote.worker_id, Vote.image_id, Vote.class_id)
            .group_by(Vote.worker_id, Vote.image_id, Vote.class_id)
            .having(func.count() > 1)
        ).all()
        assert not twice  # nobody judges an image of a class twice
    kept = b"".join(path.read_bytes() for path in study.root.rglob("*.db*"))
    assert b"olga" not in kept and b"hugo" not in kept
    # what follows needs no crowd: all pages are complete
    collected = replicate("collect", "-C", study.root, "--json")
    assert (collected.code, collected.json()["done"]) == (0, 0), collected.err
    assert "local annotators, nobody is paid" in collected.out


def test_experts_judge_twice_and_only_what_both_accept_stays(tmp_path):
    study = small_study(tmp_path, mode='"expert"', positive="0", negative="0", padding="false")
    with annotating(study, "--annotators", "ada,bob") as (child, links):
        ada = Annotator(links["ada"], judge_by(study, 2))
        bob = Annotator(links["bob"], judge_by(study, 5, after=3))
        ada.work()
        bob.work(3)
        child.kill()  # in the middle of the first round, nothing of it is collected
    with annotating(study, "--annotator", "bob") as (child, links):
        bob.enter(links["bob"])
        bob.work()
        # the first round is complete now: the second begins, and bob goes on with it
        bob.wait_for_work()
        bob.work(1)
        child.kill()
    with annotating(study, "--annotators", "ada,bob") as (child, links):
        for person in (ada, bob):
            person.enter(links["ada" if person is ada else "bob"])
            person.work()
        found = ended(child)
    assert found["pages"]["done"] == found["pages"]["wanted"] > 12
    assert found["next"].endswith("run --from sample")
    pool = {(member.class_id, member.image_id) for member in _pool(study)}
    disputed = {(name, image) for name, image in pool if 2 <= _rank(image) < 5}
    displays = _displays(study)
    assert len(disputed) > 3 and disputed != pool
    for person in (ada, bob):
        rounds: dict[str, list[tuple[str, str]]] = {"": [], "2": []}
        for class_id, number, digest in person.seen:
            rounds[number].append((class_id, displays[digest]))
        assert sorted(rounds[""]) == sorted(pool)  # everything once
        assert sorted(rounds["2"]) == sorted(disputed)  # what they disagreed on, once more
    with study.session() as session:
        stays = {(member.class_id, member.image_id) for member in queries.accepted(session)}
        assert stays == {(name, image) for name, image in pool if _rank(image) >= 3}
        counted = list(queries.counted_votes(session))
        assert len(counted) == 2 * len(pool)  # the votes before a second round count no more
        kept = session.scalar(select(func.count()).select_from(Vote))
        assert kept == 2 * len(pool) + 2 * len(disputed)
    # a third person is none of the experts
    outcome = replicate("annotate", "-C", study.root, "--annotator", "eve", "--no-browser")
    assert outcome.code == 2 and "2 people label every image" in outcome.err
    # and only what both accept can be sampled
    _sample_all(study)
    drawn = replicate("sample", "-C", study.root, "--json")
    assert drawn.code == 4, drawn.err  # as many as there are in the pool are not accepted
    study.close()
    few = min(sum(name == each for each, _ in stays) for name in ("3", "5", "8"))
    path = study.root / "pipeline.toml"
    path.write_text(path.read_text().replace("per_class = 8", f"per_class = {few}"))
    assert replicate("sample", "-C", study.root, "--json").code == 0
    with open_study(study.root).session() as session:
        members = queries.members_of_test_set(session, "all", 1)
    assert {(each.class_id, each.image_id) for each in members} <= stays


def _pool(study: Study) -> list[queries.Member]:
    with study.session() as session:
        return queries.pool(session)


def _displays(study: Study) -> dict[str, str]:
    with study.session() as session:
        return {row.display_id: row.image_id for row in session.scalars(select(PreparedImage))}


def _sample_all(study: Study) -> None:
    """One uniform sample of the whole pool, of the three classes that there are."""
    path = study.root / "pipeline.toml"
    text = path.read_text()
    head, _, rest = text.partition("[[sample]]")
    tail = rest[rest.index("[score]") :]
    classes = [part for part in tail.split("[[class]]") if part.strip()]
    kept = [part for part in classes[1:] if any(f'id = "{name}"' in part for name in CLASSES)]
    kept = [part.replace('similar = "3"', 'similar = "8"') for part in kept]
    block = '[[sample]]\nname = "all"\nstrategy = "uniform"\nper_class = 8\nmin_votes = 2\n\n'
    path.write_text(head + block + "[[class]]".join([classes[0], *kept]))


def test_a_study_with_simulated_votes_is_left_as_it_is(tmp_path):
    root = with_simulated_vote(small_study(tmp_path)).root
    before = sorted(root.rglob("*"))
    outcome = replicate("annotate", "-C", root, "--no-browser")
    assert outcome.code == 4 and "simulated workers" in outcome.err
    assert not (root / "annotate").exists()
    assert [path for path in sorted(root.rglob("*")) if path.name != ".lock"] == before


@pytest.mark.parametrize("names", ["", "olga,,hugo", "olga,olga"])
def test_names_that_are_none(tmp_path, names):
    outcome = replicate("annotate", "-C", tmp_path, "--annotators", names)
    assert outcome.code == 2 and "--annotators ada,bob" in outcome.err
