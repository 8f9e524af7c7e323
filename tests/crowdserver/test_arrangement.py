"""What the server does for pages so that they work without scripts."""

import re

import pytest
from support.crowd import Person, Running, client, hit_values, html_question

from replicate.crowdserver.admin import invite
from replicate.crowdserver.arrangement import arrange
from replicate.crowdserver.questions import NOT_YET, fill_in

ITEMS = "".join(
    f'<li><img data-slot="i{n:02d}" src="s{n}" alt="Image [[place]]"><b>[[place]]</b></li>\n'
    for n in range(1, 10)
)
PAGE = (
    '<form action="x/mturk/externalSubmit"><fieldset data-work>'
    '<input type="hidden" name="order" value=""><details class="box" data-once open>'
    f'</details><ul><li>text</li></ul><ol id="grid" data-shuffle class=y>{ITEMS}</ol></fieldset>'
)


def _slots(html: str) -> list[str]:
    return re.findall(r'data-slot="(\w+)"', html)


def test_each_assignment_has_its_own_order_and_always_the_same() -> None:
    one, again, other = (arrange(PAGE, name) for name in ("3AB", "3AB", "3AC"))
    assert one == again
    assert sorted(_slots(one)) == sorted(_slots(other)) == _slots(PAGE)
    assert _slots(one) != _slots(other)
    # what belongs together stays together, and places are counted as shown
    for place, item in enumerate(re.findall(r"<li><img.*?</li>", one), 1):
        found = re.fullmatch(
            r'<li><img data-slot="i0(\d)" src="s(\d)" alt="Image (\d)"><b>(\d)</b></li>', item
        )
        assert found and found[1] == found[2] and found[3] == found[4] == str(place)
    assert f'name="order" value="{",".join(_slots(one))}"' in one
    assert "data-shuffle" not in one  # so that no script draws again
    assert "<ul><li>text</li></ul>" in one


def test_every_place_is_as_likely_as_the_other() -> None:
    first = [_slots(arrange(PAGE, f"3{n}"))[0] for n in range(900)]
    counts = [first.count(slot) for slot in _slots(PAGE)]
    assert (
        sum((count - 100) ** 2 / 100 for count in counts) < 26
    )  # chi squared, 8 degrees: p = .001


def test_a_preview_is_in_the_pages_order_and_cannot_be_filled_in() -> None:
    html = fill_in(PAGE, [], "http://here", NOT_YET)
    assert _slots(html) == _slots(PAGE)
    assert "<fieldset disabled data-work>" in html
    assert "[[place]]" not in html
    assert "<fieldset data-work>" in fill_in(PAGE, [], "http://here", "3AB")


def test_texts_are_open_the_first_time() -> None:
    assert "data-once open>" in arrange(PAGE, "3AB")
    assert '<details class="box" data-once>' in arrange(PAGE, "3AB", seen=True)


def test_a_page_without_marks_is_left_alone() -> None:
    page = "<ol><li>1</li><li>2</li></ol><fieldset><details open>[[place]]</details></fieldset>"
    for assignment in (None, "3AB"):
        assert arrange(page, assignment, seen=True) == page


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"answer": "", "order": "i01"}, 400),
        ({"answer": "", "none": "yes"}, 200),
        ({"comment": ""}, 200),  # another requester's page, whose rules we do not know
    ],
)
def test_a_plain_form_with_nothing_marked_is_given_back(
    server: Running, fields: dict[str, str], status: int
) -> None:
    html = PAGE.replace("<fieldset", '<input type="hidden" name="assignmentId"><fieldset')
    hit = client(server).create_hit(**hit_values(html_question(html)))["HIT"]["HITId"]
    person = Person(server, invite(server.db)[0])
    page = person.accept(hit)
    sent = person.submit(page, **fields)
    assert sent.status_code == status
    assert ("None of these" in sent.text) == (status == 400)
    assert person.submit(page, answer="", none="yes").status_code in (200, 409)
