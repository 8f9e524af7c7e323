import time

import pytest
from support.command import replicate

from replicate.base.errors import PipelineError, UsageError
from replicate.pipeline import parse_pipeline
from replicate.stages.gather_plan import plan_gather
from replicate.study import init_study, open_study


@pytest.mark.wordnet
def test_a_thousand_classes_are_planned(tmp_path):
    study = init_study(tmp_path / "study", "imagenet_v2")
    begin = time.process_time()
    plan = plan_gather(study)
    assert time.process_time() - begin < 5  # it takes a twentieth of that
    assert len(plan.classes) == 1000
    said = plan.as_json()
    terms = sum(len(each["terms"]) for each in said["classes"])
    # One window, and shares of 208 that fit on one page of 500: one call a term.
    assert said["queries"] == said["calls"] == terms
    assert said["most_calls"] == 8 * terms
    assert said["hours"] == pytest.approx(terms / 3600)
    assert said["candidates"] == 208_000
    assert len(said["ambiguous"]) == 35


@pytest.mark.wordnet
def test_calls_follow_from_windows_pages_and_shares(tmp_path):
    study = init_study(tmp_path / "study", "imagenet_v2")
    path = study.root / "pipeline.toml"
    text = path.read_text().replace("per_page = 500", "per_page = 100")
    text = text.replace("2013-07-11 }]", "2013-07-11 }, { start = 2013-07-11, end = 2014-01-01 }]")
    path.write_text(text)
    (study.root / "wnids.txt").write_text("n01443537\nn02091134\n")
    plan = plan_gather(open_study(study.root))
    goldfish, whippet = plan.classes
    assert len(goldfish.terms) == 5 and len(whippet.terms) == 3
    assert (goldfish.queries, goldfish.calls, goldfish.most_calls) == (10, 5, 400)
    assert (whippet.queries, whippet.calls, whippet.most_calls) == (6, 3, 240)


@pytest.mark.wordnet
def test_the_command_shows_it_without_a_database(tmp_path):
    study = init_study(tmp_path / "study", "imagenet_v2").root
    shown = replicate("-C", study, "gather", "--plan")
    assert shown.code == 0 and "1,000 classes" in shown.out
    assert "n01443537: goldfish" in shown.out and "disambiguate" in shown.out
    assert replicate("-C", study, "gather", "--plan", "--json").json()["n_classes"] == 1000
    assert not (study / "study.db").exists()


def test_own_vocabularies_need_no_wordnet(tmp_path):
    study = init_study(tmp_path / "study", "digits")
    plan = plan_gather(study)
    assert [each.class_id for each in plan.classes] == list("0123456789")
    assert {term.origin for each in plan.classes for term in each.terms} <= {"own", "name"}


def test_a_folder_is_asked_for_the_class_s_id_first(tmp_path):
    study = init_study(tmp_path / "study", "digits")
    path = study.root / "pipeline.toml"
    text = path.read_text().replace('source = "flickr"', 'source = "folder"\npath = "photos"')
    path.write_text(text)
    (study.root / "photos").mkdir()
    plan = plan_gather(open_study(study.root))
    assert [each.terms[0].text for each in plan.classes] == list("0123456789")
    assert plan.total("calls") == 0 and plan.as_json()["calls_per_hour"] is None


def test_terms_by_wnid_are_keys_of_the_pipeline_file(tmp_path):
    study = init_study(tmp_path / "study", "imagenet_v2")
    path = study.root / "pipeline.toml"
    text = path.read_text().replace(
        "compounds = true", 'compounds = true\nmore_terms = { n01443537 = ["goldfish pond"] }'
    )
    assert parse_pipeline(text, path).pipeline.classes.more_terms == {
        "n01443537": ("goldfish pond",)
    }


def _planned(folder, *changes):
    study = init_study(folder, "digits")
    path = study.root / "pipeline.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return plan_gather(open_study(study.root))


def test_arguments_that_flickr_does_not_have_are_refused_by_the_plan(tmp_path):
    change = ("[gather]\n", "[gather]\narguments = { min_uploaded_date = 1 }\n")
    with pytest.raises(UsageError, match="min_uploaded_date"):
        _planned(tmp_path, change)


@pytest.mark.parametrize(
    ("source", "first"),
    [
        ('"webdataset"\npath = "s.tar"', "0"),
        ('"folder"\npath = "p"\nmetadata = "t.csv"', "zero"),
        ('"table"\npath = "classes.csv"', "0"),
        ('"table"\npath = "texts.jsonl"', "zero"),
    ],
)
def test_every_source_is_planned_without_reading_its_images(tmp_path, source, first):
    (tmp_path / "classes.csv").write_text("path,label\n1.png,0\n")
    (tmp_path / "texts.jsonl").write_text('{"path": "1.png", "caption": "zero"}\n')
    (tmp_path / "p").mkdir()
    for name in ("s.tar", "t.csv"):  # nothing is read of them
        (tmp_path / name).write_bytes(b"")
    plan = _planned(tmp_path, ('source = "flickr"', f"source = {source}"))
    assert plan.classes[0].terms[0].text == first
    assert plan.total("calls") == 0


def test_a_source_that_there_is_not_is_refused_by_the_plan(tmp_path):
    with pytest.raises(PipelineError, match="flikcr"):
        _planned(tmp_path, ('source = "flickr"', 'source = "flikcr"'))


def test_what_is_not_there_is_said_before_gathering(tmp_path):
    study = init_study(tmp_path / "study", "cifar10_1").root
    refused = replicate("-C", study, "gather", "--plan")
    assert refused.code == 2 and "There is no folder" in refused.err, refused.err
    assert "tinyimages" in refused.err and "[gather] path" in refused.err
    (study / "tinyimages").mkdir()
    refused = replicate("-C", study, "gather", "--plan")
    assert refused.code == 2 and "There is no table" in refused.err
    (study / "tinyimages.csv").write_text("file,class,keyword\n")
    shown = replicate("-C", study, "gather", "--plan")
    assert shown.code == 0 and "original (cifar10/test), train (cifar10/train)" in shown.out
    missing = replicate("-C", study, "gather", "--plan", "--json").json()["missing"]
    assert missing == [
        "original (cifar10/test)",
        "train (cifar10/train)",
        "[original] metadata (cifar10-keywords.csv)",
    ]
