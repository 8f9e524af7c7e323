"""`--retry failed --reason R`, from the command line to the server and back."""

import csv
import time
from collections import Counter
from pathlib import Path

import pytest
from support import image_server
from support.command import replicate
from support.flickr import picture
from support.studies import tiny_study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A study whose candidates are in a table of addresses; some servers fail at first."""
    broken = {"slow": True}

    def slow_at_first(handler: image_server.Handler, times: int) -> None:
        if broken["slow"]:
            time.sleep(0.6)
        handler.answer(200, picture(300 + int(handler.path[-1])))

    for number in range(3):
        monkeypatch.setitem(image_server.PAGES, f"/slow{number}", slow_at_first)
    for number in range(10):
        body = picture(400 + number)
        monkeypatch.setitem(
            image_server.PAGES, f"/good{number}", lambda h, _, body=body: h.answer(200, body)
        )
    with image_server.serving() as (base, asked):
        names = [
            *(f"good{n}" for n in range(10)),
            "slow0",
            "slow1",
            "slow2",
            "gone.png",
            "dead.png",
        ]
        with (tmp_path / "candidates.csv").open("w", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["url", "class"])
            writer.writerows([f"{base}/{name}", number % 10] for number, name in enumerate(names))

        def change(text: str) -> str:
            text = text.replace(
                'source = "flickr"',
                'source = "table"\npath = "candidates.csv"\ntimeout = 0.2\nattempts = 1',
            )
            return text.replace("date_windows", "# ").replace("licences =", "# licences =")

        tiny_study(tmp_path, change, limit_per_class=1, per_class=5).close()
        yield tmp_path, broken, asked


def test_only_what_failed_for_the_reason_is_fetched_again(study):
    folder, broken, asked = study
    first = replicate("gather", "-C", folder, "--json")
    assert first.code == 3, first.err
    assert first.json()["failed"] == {"gone": 1, "placeholder": 1, "timeout": 3}
    broken["slow"] = False
    before = Counter(asked)
    again = replicate("gather", "-C", folder, "--retry", "failed", "--reason", "timeout", "--json")
    assert again.code == 0, again.err
    assert (again.json()["done"], again.json()["failed"]) == (3, {})
    assert Counter(asked) - before == Counter({f"/slow{n}": 1 for n in range(3)})
    rows = replicate(
        "db", "query", "SELECT status, reason, attempts, count(*) AS n FROM candidates "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2", "-C", folder, "--json",
    )  # fmt: skip
    assert [tuple(row.values()) for row in rows.json()] == [
        ("failed", "gone", 1, 1),
        ("failed", "placeholder", 1, 1),
        ("ok", None, 1, 13),
    ]
