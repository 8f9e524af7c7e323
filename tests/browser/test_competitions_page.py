"""The report of competitions, and the choice of families, in a real browser."""

import numpy as np
import pytest
from selenium.webdriver.support.ui import Select
from support.command import replicate
from support.zoos import planted

from replicate.analysis.further import Material, further
from replicate.analysis.replication import analyse
from replicate.analysis.replication_data import Options
from replicate.base.randomness import stream
from replicate.reporting.analysis_json import as_json
from replicate.reporting.analysis_page import write_page
from replicate.reporting.further_json import add_further

pytestmark = pytest.mark.chromium
NAMES = ("alexnet", "resnet_50", "resnet_18", "vgg", "vit_b_16")


def find(browser, selector):
    return browser.find_elements("css selector", selector)


def test_competitions_under_each_other(chromium, tmp_path):
    rows = ["competition,team,public,private"]
    for c in range(4):
        share = stream(1, "page", c).uniform(0.5, 0.9, size=30)
        rows += [f"c{c},t{i},{x},{x - 0.02 * (c == 3)}" for i, x in enumerate(np.round(share, 3))]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    outcome = replicate(
        "competitions", tmp_path / "t.csv", "--report", tmp_path / "out.html", "--json"
    )
    assert outcome.code == 0 and outcome.json()["report"].endswith("out.html")
    chromium.set_window_size(1000, 900)
    chromium.get((tmp_path / "out.html").as_uri())
    points = find(chromium, "#gaps .pt")
    assert points[0].get_attribute("data-name") == "c3"  # the largest gap first
    chromium.execute_script("arguments[0].focus()", points[0])
    assert find(chromium, "#gaps .says")[0].text.startswith("c3: 0.0200")
    find(chromium, "#table th:nth-child(1) button.sort")[0].click()
    assert find(chromium, "#table tbody td")[0].text == "c3"
    assert chromium.get_log("browser") == []
    header = (tmp_path / "out_files" / "competitions.csv").read_text().splitlines()[0]
    assert header.startswith("name,n_teams,gap")


def test_readers_choose_a_family(chromium, tmp_path):
    old, new, _, _ = planted(5, NAMES)
    found = analyse(old, [new], Options(resamples=200))
    value = as_json(found)
    families = {name: name.split("_")[0] for name in NAMES}
    add_further(value, further(found, Material(families=families)), families)
    page = write_page(tmp_path / "out.html", found, value)[0]
    chromium.get(page.as_uri())
    choice = Select(find(chromium, ".finder select")[0])
    choice.select_by_visible_text("resnet (2)")
    assert find(chromium, ".finder output")[0].text == "2 found"
    find(chromium, ".finder input")[0].send_keys("18")
    assert find(chromium, ".finder output")[0].text == "1 found"
    choice.select_by_visible_text("all")
    assert find(chromium, ".finder output")[0].text == "1 found"
    assert chromium.get_log("browser") == []
