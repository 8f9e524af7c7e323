"""The written report: self-contained, valid, honest about what is simulated, deterministic."""

import csv
import dataclasses
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from reporting.plausible import report_data

from replicate.base.digests import sha256_file
from replicate.base.files import read_json
from replicate.reporting.data import ModelInfo, SetInfo
from replicate.reporting.page import is_current, report_files, write_report

VOID = {"meta", "link", "img", "br"}


@pytest.fixture(scope="module")
def data():
    return report_data(n_models=8, resamples=200)


@pytest.fixture(scope="module")
def written(data, tmp_path_factory):
    return write_report(data, tmp_path_factory.mktemp("report"), key="k1")


@pytest.fixture(scope="module")
def html(written):
    return written.html.read_text(encoding="utf-8")


class Page(HTMLParser):
    """Collects what a browser would complain about."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.ids, self.links, self.tags, self.texts = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("href", "src", "xlink:href"):
            if name in attributes:
                self.links.append(attributes[name])
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def test_the_page_needs_nothing_but_itself(html):
    page = Page(html)
    assert page.stack == []
    assert not {"script", "iframe", "object", "audio", "video"} & set(page.tags)
    outside = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert outside == []
    assert "url(http" not in html and "@import" not in html
    assert "default-src 'none'" in html


def test_ids_are_unique_and_every_inner_link_has_its_target(html):
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    inner = {link[1:] for link in page.links if link.startswith("#")}
    inner |= set(re.findall(r"url\(#([^)]+)\)", html))
    assert len(inner) > 12
    assert inner <= set(page.ids)


def test_everything_is_shown(html, data):
    text = Page(html).text
    for item in data.comparisons:
        for score in item.scores:
            assert score.model.name in text
        assert item.set.name in text
        assert item.set.digest in text
    for item in data.controls:
        assert item.set.expect in text
    for step in data.funnel:
        assert step.name in text
    assert data.provenance.pipeline.splitlines()[0] in text
    assert data.provenance.votes_digest in text
    for row in data.labelling.records:
        assert row.worker[:10] in text
    assert "2 of 24 simulated workers flagged" in text
    assert "Rule min control accuracy 0.6: 2 of 24 judged." in text
    images = sum(len(strip.images) for group in data.samples for strip in group.strips)
    assert html.count("data:image/png;base64,") == images
    assert len(re.findall("<svg ", html)) == 1 + 7 + 4 + 5 + 1 + 2


def test_adjusted_gaps_and_what_speaks_against_them_are_in_the_page(html, data):
    text = Page(html).text
    assert "1 / votes of simulated workers an image" in html
    assert "Not adjusted: no votes were kept out" in text
    for item in data.adjusted:
        for caution in item.gaps.cautions if item.gaps else ():
            assert caution.message in text
    assert data.adjusted[2].gaps.recommended is None


def test_simulated_workers_are_named_wherever_their_numbers_are(html, data):
    assert html.count("simulated workers") > 20
    real = dataclasses.replace(data, simulated=False, simulated_source=False)
    from replicate.reporting.figures import all_figures
    from replicate.reporting.page import render

    page = render(real, all_figures(real))
    assert "imulated" not in page
    assert "the people who saw it" in Page(page).text


def test_exploratory_studies_say_so(html):
    from replicate.reporting.figures import all_figures
    from replicate.reporting.page import render

    assert "Exploratory" not in html
    data = report_data(n_models=3, resamples=50, exploratory=True, bare=True)
    page = render(data, all_figures(data))
    assert "<strong>Exploratory.</strong>" in page


def test_a_study_without_votes_or_candidates_still_has_a_report(tmp_path):
    data = report_data(n_models=2, resamples=50, bare=True)
    page = Page(write_report(data, tmp_path).html.read_text(encoding="utf-8"))
    assert page.stack == []
    assert "There are no votes yet." in page.text
    assert "No candidates were gathered" in page.text


def test_a_study_without_any_comparison_still_has_a_report(tmp_path, data):
    nothing = dataclasses.replace(data, comparisons=())
    page = Page(write_report(nothing, tmp_path).html.read_text(encoding="utf-8"))
    assert "nothing to compare" in page.text


def test_names_cannot_break_the_page(tmp_path, data):
    evil = "<script>alert(1)</script>&$x^2$"
    first, *rest = data.comparisons
    scores = tuple(
        dataclasses.replace(s, model=ModelInfo(evil, "f\"'>")) if i == 0 else s
        for i, s in enumerate(first.scores)
    )
    info = SetInfo(evil, "new", 500)
    changed = dataclasses.replace(
        data, title=evil, comparisons=(dataclasses.replace(first, set=info, scores=scores), *rest)
    )
    files = write_report(changed, tmp_path)
    page = Page(files.html.read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert page.stack == []
    assert evil in page.text
    assert all(path.parent.parent == tmp_path for path in files.figures)


def test_figures_are_xml_with_a_description_and_readable_text(written):
    assert len(written.figures) == 20
    for path in written.figures:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.attrib["role"] == "img"
        assert len(root.attrib["aria-label"]) > 20
        assert root.findall(".//{http://www.w3.org/2000/svg}text")
        assert "Date" not in path.read_text(encoding="utf-8")


def test_tables_hold_the_numbers(written, data):
    tables = {}
    for path in written.tables:
        with path.open(newline="", encoding="utf-8") as handle:
            tables[path.stem] = list(csv.DictReader(handle))
    scores = [score for item in data.comparisons for score in item.scores]
    assert len(tables["accuracy"]) == len(scores)
    for row, score in zip(tables["accuracy"], scores, strict=True):
        assert int(row["correct"]) == score.correct_new
        assert float(row["accuracy"]) == pytest.approx(int(row["correct"]) / int(row["n"]))
        assert float(row["gap"]) == pytest.approx(score.gap, abs=1e-9)
        assert float(row["gap_low"]) < score.gap < float(row["gap_high"])
    assert len(tables["lines"]) == 7 * 9
    assert {row["workers"] for row in tables["frequencies"]} == {"simulated"}
    votes = sum(int(row["images"]) for row in tables["frequencies"])
    assert votes == sum(len(item.selected) for item in data.frequencies)
    lost = sum(int(row["lost"]) for row in tables["funnel"])
    assert lost == 3000 - data.funnel[-1].left
    assert len(tables["heldout"]) == 4
    by_votes = tables["by-votes"]
    assert {row["workers"] for row in by_votes} == {"simulated"}
    assert [row["set"] for row in by_votes if row["estimator"] == "raw"] == [
        "matched", "top", "uniform",
    ]  # fmt: skip
    chosen = {
        row["set"] for row in by_votes if row["recommended"] == "True" and row["votes"] == "3"
    }
    assert chosen == {"matched", "top"}
    assert "none_recommended" in by_votes[-1]["warnings"]
    assert [row["covariate"] for row in tables["covariates"]] == ["year", "size"]
    assert tables["covariates"][0]["difference_after"] == "0.05"
    workers = data.labelling.records
    assert [row["worker"] for row in tables["workers"]] == [row.worker for row in workers]
    assert {row["workers"] for row in tables["workers"]} == {"simulated"}
    assert [row["left_out_by"] for row in tables["workers"][:3]] == ["min_control_accuracy"] * 2 + [
        ""
    ]
    assert [float(row["informedness"]) for row in tables["workers"]] == pytest.approx(
        [row.informedness for row in workers], abs=1e-9
    )
    assert [row["flagged"] for row in tables["rules"]] == ["2", "0"]


def test_the_index_lists_what_is_there(written):
    folder = written.html.parent
    files = report_files(folder)
    on_disk = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(files) == on_disk - {"report.json"}
    assert all(sha256_file(folder / name) == digest for name, digest in files.items())
    assert is_current(folder, "k1")
    assert not is_current(folder, "k2")


def test_what_an_earlier_report_left_is_removed_and_nothing_else(tmp_path):
    data = report_data(n_models=2, resamples=50, bare=True)
    write_report(data, tmp_path)
    (tmp_path / "figures" / "mine.svg").write_text("kept")
    fewer = dataclasses.replace(data, comparisons=data.comparisons[1:])
    write_report(fewer, tmp_path)
    assert not (tmp_path / "figures" / "accuracy-matched.svg").exists()
    assert (tmp_path / "figures" / "accuracy-top.svg").exists()
    assert (tmp_path / "figures" / "mine.svg").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": {"../../x": "d"}}'])
def test_a_damaged_index_is_no_report(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    assert report_files(tmp_path) == {}
    assert not is_current(tmp_path, "k1")


def test_a_missing_file_makes_the_report_stale(tmp_path):
    data = report_data(n_models=2, resamples=50, bare=True)
    files = write_report(data, tmp_path, key="k")
    assert is_current(tmp_path, "k")
    files.tables[0].unlink()
    assert not is_current(tmp_path, "k")


def test_a_full_disk_leaves_the_old_report(tmp_path, monkeypatch):
    data = report_data(n_models=2, resamples=50, bare=True)
    old = write_report(data, tmp_path, key="old").html.read_bytes()

    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_report(dataclasses.replace(data, title="New"), tmp_path, key="new")
    assert (tmp_path / "report.html").read_bytes() == old
    assert is_current(tmp_path, "old")
    assert not [p for p in tmp_path.rglob("*") if "partial" in p.name]


def test_the_same_data_give_the_same_bytes_whatever_the_hash_seed(tmp_path):
    code = (
        "import sys; from pathlib import Path; from reporting.plausible import report_data;"
        "from replicate.reporting.page import write_report;"
        "write_report(report_data(n_models=3, resamples=50, bare=True), Path(sys.argv[1]))"
    )
    started = []
    for hash_seed in ("1", "2"):
        paths = os.pathsep.join(str(p) for p in Path(__file__).resolve().parents[1:3])
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths}
        command = [sys.executable, "-c", code, str(tmp_path / hash_seed)]
        started.append(subprocess.Popen(command, env=env))
    assert [process.wait() for process in started] == [0, 0]
    indexes = [read_json(tmp_path / hash_seed / "report.json") for hash_seed in ("1", "2")]
    assert indexes[0] == indexes[1]
