"""Votes of old batches: what real files look like, and what nobody expects of a file."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.crowd import html_question

from replicate.base.errors import MissingError, UsageError
from replicate.crowd.imports import Columns, Imported, read_imports
from replicate.crowdserver.form_answers import answers_xml

BASE = {
    "HITId": "3HIT",
    "AssignmentId": "3ASSIGNMENT",
    "WorkerId": "A1WORKER",
    "AssignmentStatus": "Approved",
    "SubmitTime": "Tue Jul 02 09:15:34 PDT 2019",
    "WorkTimeInSeconds": "64",
    "Input.wnid": "n01443537",
    "Input.image_1": "http://images/a.jpg",
    "Input.image_2": "http://images/b.jpg",
    "Input.image_3": "http://images/c.jpg",
    "Approve": "x",
    "Reject": "",
}


def _batch(path: Path, rows: list[dict[str, str]], bom: bool = True) -> Path:
    out = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + out.getvalue().encode())
    return path


def _votes(found: Imported) -> dict[str, str]:
    return {vote.image.rpartition("/")[2]: vote.vote for vote in found.votes}


BOXES = {"a.jpg": "yes", "b.jpg": "no", "c.jpg": "yes"}


@pytest.mark.parametrize(
    "answer",
    [
        {"Answer.image_1.on": "true", "Answer.image_2.on": "false", "Answer.image_3.on": "true"},
        {"Answer.image_1": "on", "Answer.image_3": "image_3"},
        {"Answer.selected": "image_1|image_3"},
        {"Answer.selected": "http://images/a.jpg|http://images/c.jpg"},
        {"Answer.selected": "1, 3"},
        {"Answer.selected": "image_3,image_1", "Answer.comment": "nice work"},
        {"Answer.taskAnswers": '[{"image_1":{"on":true},"image_2":{"on":false},'
                               '"image_3":{"on":true}}]'},
        {"Answer.taskAnswers": '[{"selected": ["image_1", "image_3"]}]'},
        {"Answer.taskAnswers": '[{"selected": "image_1|image_3"}]'},
        {"Answer.answer": '{"version":1,"selected":["image_1","image_3"],"none":false}'},
    ],
)  # fmt: skip
def test_the_shapes_of_answers(tmp_path, answer):
    found = read_imports([_batch(tmp_path / "b.csv", [{**BASE, **answer}])], "mturk-csv")
    assert _votes(found) == BOXES, found
    assert (found.rows, found.used, dict(found.left_out)) == (1, 1, {})
    vote = found.votes[0]
    assert (vote.class_id, vote.worker, vote.hit) == ("n01443537", "A1WORKER", "3HIT")
    assert vote.seconds == 64
    assert vote.submitted == datetime(2019, 7, 2, 9, 15, 34, tzinfo=UTC)


@pytest.mark.parametrize("word", ["", "none", "{}", "[]"])
def test_nothing_selected_is_no_to_all(tmp_path, word):
    found = read_imports(
        [_batch(tmp_path / "b.csv", [{**BASE, "Answer.selected": word}])], "mturk-csv"
    )
    assert set(_votes(found).values()) == {"no"}


def test_one_image_and_a_word(tmp_path):
    row = {key: value for key, value in BASE.items() if not key.startswith("Input.image")}
    row |= {"Input.image_url": "d.jpg", "Answer.category.label": "Yes", "Answer.time": "3 s"}
    other = {**row, "AssignmentId": "2", "Answer.category.label": "No"}
    found = read_imports([_batch(tmp_path / "b.csv", [row, other])], "mturk-csv")
    assert [vote.vote for vote in found.votes] == ["yes", "no"]


def test_what_is_left_out_is_counted_by_reason(tmp_path):
    good = {**BASE, "Answer.selected": "image_1"}
    rows = [
        good,
        {**good, "AssignmentId": "2", "AssignmentStatus": "Rejected"},
        {**good, "AssignmentId": "3", "Approve": "", "Reject": "x"},
        {**good, "AssignmentId": "4", "WorkerId": ""},
        {**good, "AssignmentId": "5", "Answer.selected": "image_1|image_9"},
        {**good, "AssignmentId": "6", "Answer.selected": "I like fish"},
        {**good, "AssignmentId": "7", "Input.wnid": ""},
        {**good, "AssignmentId": "8", "AssignmentStatus": "Lost"},
        {
            **good,
            "AssignmentId": "9",
            "Input.image_1": "",
            "Input.image_2": "",
            "Input.image_3": "",
        },
    ]
    path = _batch(tmp_path / "b.csv", rows, bom=False)
    found = read_imports([path], "mturk-csv")
    assert (found.rows, found.used) == (9, 1)
    assert dict(found.left_out) == {
        "rejected": 2, "no_worker": 1, "unknown_image": 1, "unclear_answer": 1, "no_class": 1,
        "unknown_status": 1, "no_images": 1,
    }  # fmt: skip
    assert found.examples["unknown_image"] == "b.csv, row 6"
    named = read_imports([path], "mturk-csv", Columns(class_id="goldfish"))
    assert "no_class" not in named.left_out and {v.class_id for v in named.votes} == {"goldfish"}


def test_columns_of_other_names(tmp_path):
    row = {"Who": "w", "Input.fish7": "a.jpg", "Input.fish8": "b.jpg", "Input.what": "n1",
           "Answer.picked": "fish8", "Answer.email": "fish7", "HITId": "h"}  # fmt: skip
    columns = Columns(
        {"worker": "Who", "image": "Input.fish*", "class": "Input.what", "answer": "Answer.picked"}
    )
    found = read_imports([_batch(tmp_path / "b.csv", [row])], "mturk-csv", columns)
    assert _votes(found) == {"a.jpg": "no", "b.jpg": "yes"}


def test_saved_answers_of_the_api(tmp_path):
    def item(number: int, fields: list[tuple[str, str]], **more) -> dict:
        return {
            "AssignmentId": f"A{number}", "WorkerId": f"W{number}", "HITId": "H",
            "AssignmentStatus": "Submitted", "AcceptTime": "2019-07-02T16:15:34+00:00",
            "SubmitTime": 1562084234.5, "Answer": answers_xml(fields), **more,
        }  # fmt: skip

    html = "".join(
        f'<img data-slot="i0{n[0]}" src="replicate-image:{n * 32}" alt="">' for n in ("1a", "2b")
    )
    question = html_question(f'<form data-class-id="3">{html}</form>')
    ours = json.dumps({"version": 1, "selected": ["i02"], "broken": ["i01"], "none": False})
    saved = [
        {"HIT": {"HITId": "H", "Question": question}},
        {"NumResults": 2, "Assignments": [
            item(1, [("answer", ours)]),
            item(2, [("i01", "on")]),
            item(3, [("answer", ours)], AssignmentStatus="Rejected"),
            item(4, [], Answer="<oops"),
            item(5, [("answer", ours.replace("i02", "i09"))]),
        ]},
    ]  # fmt: skip
    path = tmp_path / "saved.json"
    path.write_text(json.dumps(saved, default=str))
    found = read_imports([path], "boto3-json")
    assert [(v.worker, v.image[:2], v.vote) for v in found.votes] == [
        ("W1", "1a", "broken"), ("W1", "2b", "yes"), ("W2", "1a", "yes"), ("W2", "2b", "no"),
    ]  # fmt: skip
    assert dict(found.left_out) == {"rejected": 1, "not_xml": 1, "unknown_image": 1}
    assert found.votes[0].seconds == pytest.approx(100.5)
    lines = tmp_path / "saved.jsonl"
    lines.write_text("\n".join(json.dumps(value) for value in saved))
    assert read_imports([lines], "boto3-json").votes == found.votes
    # without the page, boxes name the images themselves
    boxes = [("a.jpg.on", "true"), ("b.jpg.on", "false"), ("comment", "hi")]
    path.write_text(json.dumps([item(1, boxes)]))
    found = read_imports([path], "boto3-json", Columns(class_id="3"))
    assert _votes(found) == {"a.jpg": "yes", "b.jpg": "no"}


def test_plain_tables_and_label_studio(tmp_path):
    table = tmp_path / "votes.csv"
    table.write_text("image_id,class_id,worker,vote\na,3,w,yes\nb,3,w,perhaps\nc,3,,no\n,3,w,no\n")
    found = read_imports([table], "csv")
    assert _votes(found) == {"a": "yes"}
    assert dict(found.left_out) == {"unknown_vote": 1, "no_worker": 1, "no_image": 1}
    export = tmp_path / "export.json"
    result = [{"value": {"choices": ["no"]}}]
    export.write_text(
        json.dumps(
            [{"data": {"image": "a", "class": "3"},
              "annotations": [{"completed_by": 4, "result": result}]}]
        )
    )  # fmt: skip
    found = read_imports([export], "label-studio")
    assert [(v.image, v.class_id, v.worker, v.vote) for v in found.votes] == [("a", "3", "4", "no")]


def test_files_that_overlap_give_each_vote_once(tmp_path):
    one = _batch(tmp_path / "1.csv", [{**BASE, "Answer.selected": "image_1"}])
    two = _batch(tmp_path / "2.csv", [{**BASE, "Answer.selected": "image_1"}])
    found = read_imports([one, two], "mturk-csv")
    assert len(found.votes) == 3 and found.left_out["repeated"] == 3
    other = _batch(tmp_path / "3.csv", [{**BASE, "Answer.selected": "image_1|image_2"}])
    found = read_imports([one, other], "mturk-csv")
    assert _votes(found) == {"a.jpg": "yes", "c.jpg": "no"}  # of b two things are said
    assert found.left_out["two_votes"] == 1


def test_mistakes_of_the_user(tmp_path):
    with pytest.raises(MissingError, match=r"no file .*nothing.csv"):
        read_imports([tmp_path / "nothing.csv"], "csv")
    with pytest.raises(UsageError, match="no format 'excel'"):
        read_imports([], "excel")
    with pytest.raises(UsageError, match="no 'colour'"):
        read_imports([], "csv", Columns({"colour": "x"}))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["Assignments", "AssignmentId", "Answer", "WorkerId", "HITId", "HIT", "Question",
                 "SubmitTime", "AssignmentStatus", "data", "annotations", "image", "vote"]
            ),
            inner | st.just(answers_xml([("image_1.on", "true")])),
            max_size=6,
        )
    ),
    max_leaves=25,
)  # fmt: skip
CELLS = st.sampled_from(
    ["", "image_1", "image_1|image_9", "true", "on", "1,2", '{"version":1,"selected":[1]}', "[[[",
     '{"image_1":{"on":true}}', "Rejected", "Approved", "x", "\x00", "é", "9" * 400]
) | st.text(max_size=8)  # fmt: skip
ROWS = st.lists(
    st.dictionaries(
        st.sampled_from([*BASE, "Answer.selected", "Answer.taskAnswers", "Answer.image_1.on"]),
        CELLS,
        min_size=1,
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(["mturk-csv", "boto3-json", "label-studio", "csv"]),
    data=st.one_of(st.binary(max_size=120), JSON_VALUES.map(lambda v: json.dumps(v).encode())),
    suffix=st.sampled_from([".csv", ".json", ".jsonl"]),
)
def test_no_file_whatever_is_in_it_is_an_error(tmp_path, kind, data, suffix):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(data)
    _is_exact(read_imports([path], kind))


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
def test_no_batch_whatever_is_in_its_cells_is_an_error(tmp_path, rows):
    path = tmp_path / "file.csv"
    _batch(path, [{**BASE, **row} for row in rows])
    _is_exact(read_imports([path], "mturk-csv"))


def _is_exact(found: Imported) -> None:
    assert all(v.image and v.class_id and v.worker for v in found.votes)
    assert all(v.vote in ("yes", "no", "broken") for v in found.votes)
    later = found.left_out["repeated"] + found.left_out["two_votes"]
    assert found.used + found.left_out.total() - later <= found.rows
    assert found.left_out.keys() == found.examples.keys()
