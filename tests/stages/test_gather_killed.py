"""A large local Flickr with planted faults, gathered whole by a command that is killed on the way.

The full size of this is `tests/bench/test_gathering.py`.
"""

from pathlib import Path

import pytest
from support.gathering import gather_killed, least_calls, reachable
from support.studies import tiny_study

from replicate.sandbox.photo_drawn import make_drawn


@pytest.mark.timeout(300)
def test_all_that_can_be_reached_is_found_once_whatever_happens_on_the_way(tmp_path: Path) -> None:
    make_drawn(tmp_path / "photos", 1, 7500, ratio=0.15)
    study = tiny_study(tmp_path / "terms")
    terms = {item.class_id: [term.text for term in item.terms] for item in study.classes}
    there = reachable(tmp_path / "photos", terms)
    least = least_calls(there)
    assert max(map(len, there.values())) > 4000
    found = gather_killed(tmp_path / "study", tmp_path / "photos", 3, download=False, least=least)
    assert found.kills == 3
    for class_id, words in terms.items():
        expected = set().union(*(there[class_id, word] for word in words))
        assert found.ids.get(class_id, set()) == expected
    assert len(found.candidates) == sum(map(len, found.ids.values()))
    assert len(found.queries) <= 1.3 * least
    assert found.asked.searches <= 1.3 * least + 3  # tries that failed, and calls that were cut off
