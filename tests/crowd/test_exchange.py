"""Files out and in: what is written, what may be filled in, and what is left out and why."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicate.base.files import BlobStore
from replicate.base.images import encode_png
from replicate.crowd.answers import parse_answer
from replicate.crowd.exchange import FilesProvider
from replicate.crowd.filled import read_filled
from replicate.crowd.providers import HitRequest, Sheet

from .test_provider_contract import TERMS

SLOTS = ("i01", "i02", "i03")


def _request(images: BlobStore, key: str) -> HitRequest:
    import numpy as np

    names = [f"{key} {slot}".encode().ljust(64)[:64] for slot in SLOTS]
    digests = [
        images.put(encode_png(np.frombuffer(name, dtype=np.uint8).reshape(8, 8))) for name in names
    ]
    return HitRequest(
        key, "", "", Sheet("3", "Which show a 3?", tuple(zip(SLOTS, digests, strict=True)))
    )


@pytest.fixture
def images(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "images")


def _open(tmp_path: Path) -> FilesProvider:
    return FilesProvider(tmp_path / "labels", tmp_path / "images", b"key")


def _publish(tmp_path: Path, images: BlobStore, *keys: str) -> list[str]:
    provider = _open(tmp_path)
    hit_type = provider.hit_type(TERMS)
    return [provider.publish(_request(images, key), hit_type, TERMS) for key in keys]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _write(path: Path, rows: list[list[object]], head: str = "hit,slot,worker,vote") -> None:
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(head.split(","))
        writer.writerows(rows)


def _votes(provider: FilesProvider, hit: str) -> dict[str, dict]:
    return {
        item.worker_id: parse_answer(item.answer).__dict__ for item in provider.assignments(hit)
    }


def test_a_batch_is_complete_and_alike_in_all_formats(tmp_path, images):
    hits = _publish(tmp_path, images, "a", "b")
    batch = tmp_path / "labels" / "batch-001"
    with (batch / "tasks.csv").open(newline="") as handle:
        table = list(csv.DictReader(handle))
    lines = [json.loads(line) for line in (batch / "tasks.jsonl").read_text().splitlines()]
    assert lines == table
    assert [(row["hit"], row["slot"]) for row in table] == [(h, s) for h in hits for s in SLOTS]
    studio = [item["data"] for item in json.loads((batch / "label-studio.json").read_text())]
    assert [(row["hit"], row["slot"]) for row in studio] == [(h, s) for h in hits for s in SLOTS]
    dates = set()
    for row, other in zip(table, studio, strict=True):
        path = batch / row["image"]
        assert path.read_bytes().startswith(b"\x89PNG")
        assert other["image"].endswith(row["image"])
        dates.add(path.stat().st_mtime)
    assert len(dates) == 1  # which of them are controls cannot be told from a date
    assert "candidate" not in (batch / "tasks.csv").read_text()
    assert (batch / "README.md").exists() and (batch / "label-studio.xml").exists()


def test_a_run_is_a_batch_and_is_never_touched_again(tmp_path, images):
    first = _publish(tmp_path, images, "a", "b")
    before = _files(tmp_path / "labels" / "batch-001")
    assert _publish(tmp_path, images, "a", "b") == first
    assert _publish(tmp_path, images, "b", "c")[0] == first[1]
    assert _files(tmp_path / "labels" / "batch-001") == before
    assert len(_files(tmp_path / "labels" / "batch-002" / "images")) == 3


@pytest.mark.parametrize("kept", [0, 1, 40, 150, -1])
@pytest.mark.parametrize("name", ["tasks.csv", "tasks.jsonl", "label-studio.json"])
def test_a_run_that_was_cut_off_is_completed(tmp_path, images, name, kept):
    hits = _publish(tmp_path, images, "a", "b")
    whole = _files(tmp_path / "labels")
    path = tmp_path / "labels" / "batch-001" / name
    path.write_bytes(path.read_bytes()[:kept])
    _open(tmp_path).check()
    assert _files(tmp_path / "labels") == whole
    assert _publish(tmp_path, images, "a", "b") == hits


def test_half_a_page_is_no_page_and_the_rest_may_come_in_another_file(tmp_path, images):
    (hit,) = _publish(tmp_path, images, "a")
    batch = tmp_path / "labels" / "batch-001"
    _write(batch / "votes.csv", [[hit, "i01", "ada", "yes"], [hit, "i02", "ada", "no"]])
    provider = _open(tmp_path)
    assert _votes(provider, hit) == {}
    assert (provider.progress(hit).pending, provider.progress(hit).available) == (1, 2)
    (batch / "more.jsonl").write_text(
        json.dumps({"hit": hit, "slot": "i03", "worker": "ada", "vote": "broken"}) + "\n"
    )
    found = _votes(provider, hit)["ada"]
    assert (found["selected"], found["broken"], found["order"]) == (("i01",), ("i03",), SLOTS)
    assert list(provider.left_out()) == []


def test_names_are_nowhere_in_what_is_handed_on_but_the_worker(tmp_path, images):
    (hit,) = _publish(tmp_path, images, "a")
    batch = tmp_path / "labels" / "batch-001"
    _write(batch / "votes.csv", [[hit, slot, "quinn", "no"] for slot in SLOTS])
    (item,) = _open(tmp_path).assignments(hit)
    other = FilesProvider(tmp_path / "labels", tmp_path / "images", b"another key")
    assert "quinn" not in item.answer + item.assignment_id
    assert next(other.assignments(hit)).assignment_id != item.assignment_id


def test_a_spreadsheet_of_another_country(tmp_path, images):
    (hit,) = _publish(tmp_path, images, "a")
    lines = [f"{hit};{slot};Zoë;X;1,5" for slot in SLOTS]
    text = "\ufeffHIT;Slot;Worker;Vote;Seconds\r\n" + "\r\n".join(lines)
    (tmp_path / "labels" / "batch-001" / "votes.csv").write_bytes(text.encode())
    found = _votes(_open(tmp_path), hit)["Zoë"]
    assert found["selected"] == SLOTS
    assert found["times"] == {"i01": 1500, "i02": 3000, "i03": 4500}


def test_an_export_of_label_studio(tmp_path, images):
    (hit,) = _publish(tmp_path, images, "a")
    batch = tmp_path / "labels" / "batch-001"
    tasks = json.loads((batch / "label-studio.json").read_text())

    def done(person, word, **more):
        result = [{"type": "choices", "from_name": "vote", "value": {"choices": [word]}}]
        return {"completed_by": person, "result": result, "lead_time": 2.5, **more}

    export = [
        {
            "id": number,
            "data": task["data"],
            "annotations": [
                done(1, "yes"),
                done({"id": 2, "email": "bob@example.org"}, "no"),
                done(3, "yes", was_cancelled=True),
            ],
        }
        for number, task in enumerate(tasks)
    ]
    (batch / "project-1.json").write_text(json.dumps(export))
    found = _votes(_open(tmp_path), hit)
    assert {name: len(each["selected"]) for name, each in found.items()} == {
        "1": 3,
        "bob@example.org": 0,
    }
    # its shorter export, as JSON and as CSV
    rows = [{**task["data"], "choice": "yes", "annotator": 7, "lead_time": 1} for task in tasks]
    (batch / "min.json").write_text(json.dumps(rows))
    _write(
        batch / "min.csv", [list({**r, "annotator": 8}.values()) for r in rows], ",".join(rows[0])
    )
    assert sorted(_votes(_open(tmp_path), hit)) == ["1", "7", "8", "bob@example.org"]


def test_what_cannot_be_used_is_named_with_its_line_and_reason(tmp_path, images):
    (hit,) = _publish(tmp_path, images, "a")
    batch = tmp_path / "labels" / "batch-001"
    good = [[hit, slot, "ada", "yes"] for slot in SLOTS]
    bad = [
        [hit, "i09", "ada", "yes"],
        ["0123", "i01", "ada", "yes"],
        [hit, "i01", "bob", "perhaps"],
        [hit, "i01", "", "yes"],
        [hit, "i01", "eve", "yes"],
        [hit, "i01", "eve", "no"],
        [hit, "i02", "eve", ""],
        ["", "i02", "eve", "yes"],
    ]
    _write(batch / "votes.csv", good + bad)
    (batch / "lines.jsonl").write_text("{oops\n[1]\n")
    (batch / "broken.csv").write_bytes(b"\xff\xfe\x00")
    provider = _open(tmp_path)
    assert list(_votes(provider, hit)) == ["ada"]
    left = {item.reason: item.where for item in provider.left_out()}
    assert left.keys() == {
        "unknown_slot", "unknown_hit", "unknown_vote", "no_worker", "two_votes", "no_hit",
        "not_json", "not_a_row", "not_text",
    }  # fmt: skip
    assert left["unknown_vote"].startswith("batch-001/votes.csv, line 7: 'perhaps'")
    # mended, it is used
    _write(batch / "votes.csv", good)
    (batch / "lines.jsonl").unlink()
    (batch / "broken.csv").unlink()
    assert list(provider.left_out()) == []
    assert list(_votes(provider, hit)) == ["ada"]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    suffix=st.sampled_from([".csv", ".tsv", ".json", ".jsonl"]),
    data=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
            lambda inner: st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["hit", "slot", "vote", "worker", "data", "annotations", "result", "value",
                     "choices", "completed_by", "lead_time"]
                ),
                inner,
                max_size=5,
            ),
            max_leaves=20,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)  # fmt: skip
def test_no_file_whatever_is_in_it_is_an_error(tmp_path, suffix, data):
    path = tmp_path / f"votes{suffix}"
    path.write_bytes(data)
    rows, left = read_filled(path, "votes")
    assert all(row.vote in ("yes", "no", "broken") and row.hit and row.worker for row in rows)
    assert all(item.reason and item.where for item in left)
