import re
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.base.resources import data_dir
from replicate.crowd import pages
from replicate.crowd.composition import Numbers, compose
from replicate.crowd.judgements import IMAGE_VERDICTS, PAIR_VERDICTS
from replicate.crowd.pages import (
    PageText,
    html_question,
    image_address,
    render_image,
    render_page,
    render_pair,
)
from replicate.crowd.templates import linked, load_words, own_digest

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
    assert len(tiles) == len(plan.slots)
    alike = {re.sub(r"i\d\d|replicate-image:\w+", "", tile) for tile in tiles}
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
    assert len(html_question(render_page(full, text, where)).encode()) < 53_000
    (huge,) = compose("c", ids, [], [], seed=1, numbers=Numbers(400, 0, 0))
    with pytest.raises(UsageError, match=r"65,535") as caught:
        html_question(render_page(huge, text, where))
    assert "[label]" in caught.value.hint


def test_an_image_without_a_display_copy(plan, displays):
    displays.pop(plan.slots[3].image_id)
    with pytest.raises(ItemError) as caught:
        render_page(plan, TEXT, displays)
    assert caught.value.reason == "no_display_copy"


def test_a_wrong_template_is_named(plan, displays, tmp_path):
    with pytest.raises(MissingError, match=r"nowhere\.j2") as caught:
        render_page(plan, TEXT, displays, "nowhere.j2", tmp_path)
    assert "select-images.html.j2" in caught.value.hint
    (tmp_path / "own.j2").write_text("{{ title }} {{ worker_name }}")
    with pytest.raises(UsageError, match="worker_name") as caught:
        render_page(plan, TEXT, displays, "own.j2", tmp_path)
    assert "class_name" in caught.value.hint
    (tmp_path / "own.j2").write_text("\n{% if %}")
    with pytest.raises(UsageError, match=r"own\.j2' is wrong in line 2"):
        render_page(plan, TEXT, displays, "own.j2", tmp_path)


OWN = """<form method="post"
action="https://x.org/mturk/externalSubmit" data-class-id="{{ class_id }}">
<input type="hidden" name="assignmentId"><input type="hidden" name="answer">
{% for slot in slots %}<img src="{{ slot.src }}" data-slot="{{ slot.id }}">{% endfor %}</form>"""


def test_a_studys_own_template_comes_first_and_must_have_what_the_server_needs(
    plan, displays, tmp_path
):
    own = tmp_path / "select-images.html.j2"
    own.write_text(OWN)
    assert render_page(plan, TEXT, displays, folder=tmp_path).startswith("<form")
    for part, said in [
        ("/mturk/externalSubmit", "a form with action"),
        ("data-class-id", "data-class-id"),
        ('name="assignmentId"', "assignmentId"),
        ('name="answer"', "field answer"),
        ("data-slot", "for each slot"),
        ("{{ slot.src }}", "for each slot"),
    ]:
        own.write_text(OWN.replace(part, "x"))
        with pytest.raises(UsageError, match=said):
            render_page(plan, TEXT, displays, folder=tmp_path)
    own.write_text('{% extends "shared/page.html.j2" %}')  # our parts are there for it
    with pytest.raises(UsageError, match="lacks one <img data-slot"):
        render_page(plan, TEXT, displays, folder=tmp_path)


def test_a_digest_tells_own_templates_and_words_apart(tmp_path):
    assert own_digest(pages.SELECT, "en", tmp_path) == own_digest(pages.SELECT, "en", None) == ""
    seen = set()
    for name, text in [
        ("select-images.html.j2", "a"),
        ("select-images.html.j2", "b"),
        ("words.en.toml", ""),
    ]:
        (tmp_path / name).write_text(text)
        seen.add(own_digest(pages.SELECT, "en", tmp_path))
    assert len(seen) == 3
    with pytest.raises(MissingError, match="gone"):
        own_digest("gone.j2", "en", tmp_path)


def test_consent_contact_and_own_instructions_are_shown_and_escaped(plan, displays):
    text = replace(
        TEXT,
        consent="We study <b>images</b>.\n\nRead https://lab.org/a?b=1&c=2.",
        contact="Ann, ann@lab.org",
        instructions=("Toys count too.",),
    )
    html = render_page(plan, text, displays)
    assert "<p>We study &lt;b&gt;images&lt;/b&gt;.</p>" in html
    assert '<a href="https://lab.org/a?b=1&amp;c=2" target="_blank"' in html
    assert 'href="mailto:ann@lab.org"' in html
    assert "<li>Toys count too.</li>" in html
    assert "About this study" not in render_page(plan, TEXT, displays)


@given(st.text())
def test_no_text_becomes_markup(text):
    html = str(linked(text))
    bare = re.sub(r'<a href="[^"<>]*" target="_blank" rel="noopener noreferrer">|</a>', "", html)
    assert not set("<>\"'") & set(bare)
    assert unescape(bare) == text


def test_another_language(plan, displays, tmp_path):
    german = render_page(plan, replace(TEXT, language="de"), displays)
    assert '<html lang="de"' in german and "Nichts davon" in german
    assert "None of these" not in german
    (tmp_path / "words.fr.toml").write_text('none = "Aucune"\n[script]\nenlarge = "agrandir"\n')
    own = render_page(plan, replace(TEXT, language="fr"), displays, folder=tmp_path)
    assert "Aucune" in own and "agrandir" in own and "Submit" in own
    for wrong, said in [('nune = "x"', "nune"), ("none = 3", "none = 3"), ("none =", "not TOML")]:
        (tmp_path / "words.it.toml").write_text(wrong)
        with pytest.raises(UsageError, match=said):
            load_words("it", tmp_path)
    with pytest.raises(MissingError, match=r"words\.xx\.toml"):
        load_words("xx", tmp_path)


def test_the_packed_languages_are_whole():
    folder = data_dir("mturk_templates")
    english = tomllib.loads((folder / "words.en.toml").read_text())
    for path in folder.glob("words.*.toml"):
        words = tomllib.loads(path.read_text())
        assert _places(words) == _places(english), path.name


def _places(words, prefix=""):
    """Every key with the placeholders of its text."""
    found = {}
    for key, value in words.items():
        if isinstance(value, dict):
            found |= _places(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = sorted(re.findall(r"\{\w+\}", value))
    return found


def test_pages_that_judge():
    pair = render_pair(PageText("p", "", "Is this the same photo?"), "a" * 64, "b" * 64)
    assert re.findall(r'name="verdict" value="(\w+)"', pair) == list(PAIR_VERDICTS)
    assert "<h1>Is this the same photo?</h1>" in pair
    single = render_image(replace(TEXT, question="Does this image show a"), "a" * 64)
    assert re.findall(r'name="verdict" value="(\w+)"', single) == list(IMAGE_VERDICTS)
    assert len(html_question(pair)) < 30_000
