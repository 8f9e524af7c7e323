import re
import xml.etree.ElementTree as ElementTree

import pytest

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.crowd import pages
from replicate.crowd.composition import Numbers, compose
from replicate.crowd.pages import PageText, html_question, image_address, render_page

TEXT = PageText(
    class_id='n01"<1>',
    class_name="goldfish <b>",
    question="Which of these images contain at least one object of type",
    synonyms=("Carassius auratus",),
    gloss="small golden or orange-red freshwater fishes",
    links=(("Wikipedia", "https://en.wikipedia.org/wiki/Goldfish"), ("bad", "javascript:alert(1)")),
)


@pytest.fixture
def plan():
    numbers = Numbers(8, 2, 2)
    (found,) = compose("c", "abcdefgh", ["p1", "p2"], ["n1", "n2"], seed=1, numbers=numbers)
    return found


@pytest.fixture
def displays(plan):
    return {slot.image_id: f"{place:064x}" for place, slot in enumerate(plan.slots)}


def test_the_page_shows_every_image_in_its_slot_and_no_role(plan, displays):
    html = render_page(plan, TEXT, displays)
    shown = re.findall(r'<img[^>]*data-slot="(\w+)"[^>]*src="([^"]*)"', html)
    assert shown == [(s.slot_id, image_address(displays[s.image_id])) for s in plan.slots]
    tiles = re.findall(r"<li class=\"tile\">.*?</li>", html)
    alike = {re.sub(r'data-slot="\w+" src="[^"]*"', "", tile) for tile in tiles}
    assert len(alike) == 1  # markup tells nothing either
    for word in ("positive", "negative", "candidate"):
        assert f'"{word}"' not in html


def test_names_are_escaped_and_only_web_links_shown(plan, displays):
    html = render_page(plan, TEXT, displays)
    assert "goldfish &lt;b&gt;" in html
    assert "goldfish <b>" not in html
    assert 'data-class-id="n01&#34;&lt;1&gt;"' in html
    assert "https://en.wikipedia.org/wiki/Goldfish" in html
    assert "javascript:alert" not in html
    assert "Photographs only" in html
    fewer = PageText(class_id="c", class_name="x", question="Which show", photographs_only=False)
    assert "Photographs only" not in render_page(plan, fewer, displays)


def test_the_question_is_xml_that_holds_the_page(plan, displays):
    html = render_page(plan, TEXT, displays) + "<!-- ]]> -->"
    root = ElementTree.fromstring(html_question(html, frame_height=600))
    content, height = list(root)
    assert root.tag.endswith("2011-11-11/HTMLQuestion.xsd}HTMLQuestion")
    assert content.text == html
    assert height.text == "600"


def test_a_full_page_fits_and_a_huge_one_is_refused(displays):
    ids = [f"{n:03d}" for n in range(400)]
    text = PageText("c", "x", "Which show")
    (full,) = compose("c", ids[:42], ids[42:45], ids[45:48], seed=1)
    where = dict.fromkeys(ids, "f" * 64)
    assert len(html_question(render_page(full, text, where)).encode()) < 40_000
    (huge,) = compose("c", ids, [], [], seed=1, numbers=Numbers(400, 0, 0))
    with pytest.raises(UsageError, match=r"65,535") as caught:
        html_question(render_page(huge, text, where))
    assert "[label]" in caught.value.hint


def test_an_image_without_a_display_copy(plan, displays):
    displays.pop(plan.slots[3].image_id)
    with pytest.raises(ItemError) as caught:
        render_page(plan, TEXT, displays)
    assert caught.value.reason == "no_display_copy"


def test_a_wrong_template_is_named(plan, displays, tmp_path, monkeypatch):
    with pytest.raises(MissingError, match=r"nowhere\.j2"):
        render_page(plan, TEXT, displays, "nowhere.j2")
    (tmp_path / "own.j2").write_text("{{ title }} {{ worker_name }}")
    monkeypatch.setattr(pages, "data_dir", lambda name: tmp_path)
    pages._environment.cache_clear()
    try:
        with pytest.raises(UsageError, match="worker_name") as caught:
            render_page(plan, TEXT, displays, "own.j2")
        assert "class_name" in caught.value.hint
    finally:
        pages._environment.cache_clear()
