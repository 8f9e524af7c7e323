"""50,000 photos of a Flickr that goes wrong, gathered by a command that is killed 20 times."""

from pathlib import Path

import pytest
from support.gathering import gather_killed, least_calls, reachable
from support.studies import tiny_study

from replicate.sandbox.photo_drawn import make_drawn

N, KILLS = 50_000, 20


@pytest.mark.timeout(3000)
def test_fifty_thousand_photos(tmp_path: Path, benchmark) -> None:
    photos = tmp_path / "photos"
    make_drawn(photos, 1, N)
    study = tiny_study(tmp_path / "terms")
    terms = {item.class_id: [term.text for term in item.terms] for item in study.classes}
    there = reachable(photos, terms)
    least = least_calls(there)
    whole = gather_killed(tmp_path / "whole", photos, 0, download=True, least=least)
    killed = benchmark.pedantic(
        lambda: gather_killed(tmp_path / "killed", photos, KILLS, download=True, least=least),
        rounds=1,
    )
    for name, found in (("undisturbed", whole), (f"killed {killed.kills} times", killed)):
        print(
            f"\n{name}: {len(found.candidates):,} candidates of {N:,} photos; least calls {least}, "
            f"answered {len(found.queries)} ({len(found.queries) / least:.2f}), made "
            f"{found.asked.searches} ({found.asked.searches / least:.2f})"
        )
        for class_id, words in terms.items():
            expected = set().union(*(there[class_id, word] for word in words))
            assert found.ids[class_id] == expected
        assert len(found.candidates) == sum(map(len, found.ids.values()))
        assert len(found.queries) <= 1.3 * least
        # Tries that failed count as well; each kill while searching may lose the call on its way.
        assert found.asked.searches <= 1.3 * least + found.kills // 2
    assert killed.kills == KILLS
    assert killed.queries == whole.queries
    assert killed.candidates == whole.candidates
