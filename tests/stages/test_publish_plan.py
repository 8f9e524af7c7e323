"""The plan says what is to be known before anybody is paid."""

from decimal import Decimal

import pytest
from stages.labels import CLASSES, Labelling, labelling

from replicate.stages.collect import collect
from replicate.stages.publish import publish
from replicate.stages.publish_plan import plan

CONTRACT = {"hits", "images", "assignments", "reward", "fees", "total", "hourly_wage", "mode"}


@pytest.fixture
def lab(tmp_path):
    with labelling(tmp_path) as found:
        yield found


def _real(lab: Labelling) -> None:
    """The same study, whose pages go to people by address."""
    lab.change(
        'provider = "crowd"', f'provider = "mturk"\nendpoint = "{lab.world.server.endpoint}"'
    )


def test_everything_is_counted(lab):
    lab.change("originals = 0", "originals = 1")
    lab.change("repeats = 0", "repeats = 2")
    found = plan(lab.study)
    value = found.as_json()
    assert set(value) > CONTRACT
    # Three classes of two pages: six candidates and two, the short page padded with controls.
    assert found.roles["candidate"] == 24
    assert (found.roles["original"], found.roles["repeat"]) == (6, 12)
    assert value["images"] == sum(found.roles.values())
    assert value["controls"] == found.roles["positive"] + found.roles["negative"]
    assert (value["hits"], found.classes, value["assignments"]) == (6, 3, 18)
    assert value["minutes"] == pytest.approx(value["images"] * 3 * 2 / 60, abs=0.05)
    assert Decimal(value["hourly_wage"]) == pytest.approx(
        Decimal("1.80") * 60 / Decimal(value["minutes"]), abs=Decimal("0.01")
    )
    assert Decimal(value["total"]) == Decimal(value["reward"]) + Decimal(value["fees"])


def test_how_many_originals_have_how_many_votes_is_said_and_warned_of(lab):
    found = plan(lab.study)
    # Two controls on the one page and four on the other, three workers each.
    assert {each.images for each in found.originals.values()} == {6}
    assert {tuple(each.votes.items()) for each in found.originals.values()} == {(("3", 6),)}
    assert {each.enough for each in found.originals.values()} == {0}
    (warning,) = found.warnings
    assert "3, 5, 8 will have fewer than 20 original images with 4 votes" in warning
    lab.change("assignments = 3", "assignments = 4")
    lab.change(
        "per_class = 4\nmin_votes = 4", "per_class = 4\nmin_original_images = 12\nmin_votes = 4"
    )
    lab.change("originals = 0", "originals = 4")
    found = plan(lab.study)
    assert {each.enough for each in found.originals.values()} == {12}
    assert not found.warnings


def test_low_pay_and_little_time_are_warned_of_where_people_are_paid(lab):
    assert not [w for w in plan(lab.study).warnings if "an hour" in w]  # nobody is paid
    _real(lab)
    low = [w for w in plan(lab.study).warnings if "an hour" in w]
    # Ten images of two seconds: 20 s for ten cents.
    assert not low
    lab.change("assignments = 3", "assignments = 3\nseconds_per_image = 6")
    (low,) = (w for w in plan(lab.study).warnings if "an hour" in w)
    assert "About $6.00 an hour is less than [label] minimum_wage = 7.25" in low
    assert "a reward of $0.13" in low
    lab.change('reward = "0.10"', 'reward = "0.13"\nseconds = 50')
    (time,) = (w for w in plan(lab.study).warnings if "a" in w and "original" not in w)
    assert "about 60 s" in time and "seconds = 50" in time


def test_pages_that_share_images_need_different_workers(lab):
    lab.change("positive = 2", "positive = 7")  # of twelve originals, on two pages
    (warning,) = (w for w in plan(lab.study).warnings if "share" in w)
    assert f"Each of the classes {', '.join(CLASSES)} has pages that share images" in warning


def test_the_command_to_type_carries_what_was_asked_for(lab):
    publish(lab.context(confirm_cost=plan(lab.study).total))
    collect(lab.context())
    found = plan(lab.study, 4)
    assert found.command == "replicate publish --top-up 4 --confirm-cost 0.60"
    assert plan(lab.study).command == "replicate publish --confirm-cost 0.00"
    assert found.as_json()["spent"] == "1.80"


def test_the_plan_reads_as_sentences(lab):
    from click.testing import CliRunner

    from replicate.cli.stages import publish as command

    lab.change("originals = 0", "originals = 2")
    lab.change("repeats = 0", "repeats = 1")
    shown = CliRunner().invoke(command, ["--plan", "-C", str(lab.study.root)])
    assert shown.exit_code == 0, shown.output
    where, new, images, work, cost, originals, warning, following = shown.output.splitlines()
    assert where == "Where     sandbox: simulated workers, nobody is paid"
    assert new == "New HITs  6 HITs, 3 classes"
    assert images.startswith("Images    78 image places: 24 candidates, 12 originals mixed in, ")
    assert images.endswith(" negative controls, 6 images shown again")
    assert work.startswith("Work      3 workers a HIT: 18 assignments of about 0.4 minutes (2 s")
    assert cost.startswith("Cost      workers $1.80 + fees $0.00 = $1.80; a worker earns about $")
    assert originals == (
        "Originals 10 original images a class, with 3 votes each once everybody has voted"
    )
    assert warning.startswith("Warning   Each of the classes 3, 5, 8 will have fewer than 20")
    assert following == "Next: replicate publish --confirm-cost 1.80"
