"""The report of an analysis: self-contained, its data beside it, honest in words."""

import csv
import hashlib
import re
from base64 import b64encode
from xml.etree import ElementTree

import numpy as np
import pytest
from support.zoos import planted

from replicate.analysis.replication import analyse
from replicate.analysis.replication_data import Options
from replicate.analysis.scores import Scores
from replicate.reporting.analysis_json import as_json
from replicate.reporting.analysis_page import write_page
from replicate.reporting.analysis_words import decomposition, findings, headline, methods

EVIL = "<script>alert(1)</script>&$_^"
NAMES = ("human_a", "alexnet", "resnet_50", "resnet_18", "vgg", EVIL)


@pytest.fixture(scope="module")
def found():
    old, new, _, _ = planted(1, NAMES)
    options = Options(
        resamples=300,
        human=frozenset({"human_a"}),
        baseline=frozenset({"alexnet", "resnet_50", "resnet_18", EVIL}),
        margin=0.3,
    )
    return analyse(old, [new], options)


@pytest.fixture(scope="module")
def value(found):
    excluded = [{"model": "bad", "set": "new", "reason": "worst_first: 3 % against 90 %"}]
    return as_json(found, excluded, ["a guess"])


@pytest.fixture(scope="module")
def written(found, value, tmp_path_factory):
    return write_page(tmp_path_factory.mktemp("page") / "out.html", found, value)


def test_the_page_needs_nothing_else_and_runs_only_its_own_script(written):
    html = written[0].read_text(encoding="utf-8")
    assert "alert(1)</script>" not in html
    assert not re.search(r"(src|href)=\"(https?:)?//", html)
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    for link in re.findall(r'href="(out_files/[^"]+)"', html):
        assert (written[0].parent / link).is_file(), link


def test_every_figure_is_there_without_scripts(written):
    html = written[0].read_text(encoding="utf-8")
    drawings = re.findall(r'<svg class="scatter.*?</svg>', html, flags=re.DOTALL)
    assert len(drawings) == 4  # three scales, and robustness
    for text in drawings:
        root = ElementTree.fromstring(text)
        points = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("data-name")]
        assert {g.get("data-name") for g in points} == set(NAMES)
        assert all(len(g.findall("{http://www.w3.org/2000/svg}title")) == 1 for g in points)
    assert html.count(" checked") == 1
    assert "people" in html and "not fitted" in html


def test_data_beside_it_in_full(written, value):
    folder = written[0].parent / "out_files"
    with (folder / "models.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 2 * len(NAMES)
    for row in rows:
        assert int(row["correct"]) / int(row["n"]) == pytest.approx(float(row["score"]))
    assert (folder / "scatter-new-probit.pdf").read_bytes().startswith(b"%PDF")
    ElementTree.parse(folder / "scatter-new-probit.svg")
    latex = (folder / "models.tex").read_text(encoding="utf-8")
    assert r"\textless" not in latex and r"\&\$\_\textasciicircum{}" in latex
    assert latex.count(r"\\") == 1 + 2 * len(NAMES)


def test_the_same_analysis_gives_the_same_bytes(found, value, written, tmp_path):
    again = write_page(tmp_path / "out.html", found, value)
    assert [p.name for p in again] == [p.name for p in written]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(again, written, strict=True))


def test_the_words_say_what_is_known(found, value):
    text = headline(value)
    assert text.startswith("The 5 models lose ") and "95 % interval" in text
    topics = dict(findings(value))
    assert "It is shown that the mean gap lies within ±30.0" in topics["Equivalence on new"]
    assert "probit scale" in topics["Progress on new"]
    assert "not told apart by one new set" in decomposition(value)[0]
    told = methods(found, value)
    for part in ("300 resamples", "seed 0", "declared baseline", "Rows of people", "3,000 items"):
        assert part in told


def test_no_change_and_nothing_to_compare_are_said():
    old, new, _, _ = planted(2, ("a", "b", "c"), slope=1.0, intercept=0.0)
    value = as_json(analyse(old, [new], Options(resamples=200)))
    assert "no change that can be told from chance" in headline(value)
    one = old.columns(("a",))
    value = as_json(analyse(one, [new.columns(("b",))], Options(resamples=200)))
    assert "nothing to tell" in headline(value)


def test_methods_tell_only_what_was_run():
    scores = [Scores(n, tuple("abcd"), np.array(v), np.zeros(4, np.int64)) for n, v in
              (("old", [0.5, 0.6, 0.7, 0.8]), ("new", [0.4, 0.5, 0.65, 0.7]))]  # fmt: skip
    found = analyse(scores[0], scores[1:], Options(resamples=100))
    told = methods(found, as_json(found))
    assert "over models" in told and "over images" not in told and "Clopper" not in told
    assert "McNemar" not in told


def test_an_analysis_of_nothing_still_has_a_page(tmp_path):
    old, new, _, _ = planted(3, ("a", "b"))
    found = analyse(old.columns(("a",)), [new.columns(("b",))], Options(resamples=50))
    page = write_page(tmp_path / "o.html", found, as_json(found))[0].read_text(encoding="utf-8")
    assert "No model has scores on both sets" in page
