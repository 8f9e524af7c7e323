"""Pipeline files: the packed ones, and the messages for wrong ones."""

from decimal import Decimal
from pathlib import Path

import pytest

from replicate.base.errors import MissingError, PipelineError
from replicate.base.resources import data_dir
from replicate.pipeline import load_pipeline, parse_pipeline, pipeline_digest
from replicate.pipeline.keys import key_table
from replicate.pipeline.lines import key_lines

DIGITS = (data_dir("pipelines") / "digits" / "pipeline.toml").read_text(encoding="utf-8")


def _packed() -> list[Path]:
    return sorted(data_dir("pipelines").glob("*/pipeline*.toml"))


@pytest.mark.parametrize("path", _packed(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_packed_pipeline_is_valid(path: Path) -> None:
    assert load_pipeline(path).pipeline.sample


def test_imagenet_v2_has_the_papers_parameters() -> None:
    folder = data_dir("pipelines") / "imagenet_v2"
    pipeline = load_pipeline(folder / "pipeline.toml").pipeline
    label = pipeline.label
    assert (label.candidates, label.positive, label.negative, label.assignments) == (42, 3, 3, 10)
    assert (label.reward, label.seconds) == (Decimal("0.10"), 600)
    assert (label.auto_approval_days, label.lifetime_days) == (3, 7)
    window = pipeline.gather.date_windows[0]
    assert (window.start.isoformat(), window.end.isoformat()) == ("2012-07-11", "2013-07-11")
    by_strategy = {block.strategy: block for block in pipeline.sample}
    assert set(by_strategy) == {"matched-frequency", "threshold", "top"}
    assert {block.per_class for block in pipeline.sample} == {10}
    assert by_strategy["threshold"].threshold == 0.7
    assert by_strategy["matched-frequency"].bins == (0.2, 0.4, 0.6, 0.8)
    wnids = (folder / str(pipeline.classes.wnids)).read_text().split()
    assert len(set(wnids)) == 1000 and wnids[1] == "n01443537" and wnids == sorted(wnids)


def test_cifar10_1_has_the_papers_parameters() -> None:
    path = data_dir("pipelines") / "cifar10_1" / "pipeline.toml"
    pipeline = load_pipeline(path).pipeline
    v4, v6 = pipeline.sample
    assert (v4.strategy, v4.keywords, v4.total_per_class) == ("quota", 25, None)
    assert (v6.strategy, v6.keywords, v6.total_per_class) == ("quota", 50, 200)
    assert pipeline.dedup.threshold == pytest.approx(1000**2 / (3072 * 255**2), rel=1e-5)
    assert len(pipeline.class_) == 10
    label = pipeline.label
    assert (label.provider, label.mode, label.assignments) == ("annotate", "expert", 2)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("radius = 12", "raduis = 12", "raduis = 12", "Did you mean 'radius'?"),
        ("[score]", "[scroe]", "[scroe]", "Did you mean 'score'?"),
        ('strategy = "top"', 'strategy = "tops"', '"tops"', "Did you mean 'top'?"),
        ("seed = 2019", "seed = -1", "seed = -1", "greater than or equal to 0"),
        ("radius = 12", 'radius = "wide"', 'radius = "wide"', "valid integer"),
        ("threshold = 0.7\n", "", 'name = "threshold-0.7"', "needs a threshold"),
        ('similar = "6"', 'similar = "six"', 'id = "0"', "is no class id"),
    ],
)
def test_a_wrong_key_or_value_names_line_and_nearest(
    old: str, new: str, line: str, said: str
) -> None:
    text = DIGITS.replace(old, new, 1)
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text, Path("pipeline.toml"))
    message = caught.value.message
    assert said in message
    numbers = [n for n, content in enumerate(text.splitlines(), 1) if line in content]
    named = int(message.split("line ")[1].split(":")[0])
    assert any(abs(named - number) <= 1 for number in numbers), message


def test_missing_and_malformed_files(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no pipeline file"):
        load_pipeline(tmp_path / "pipeline.toml")
    with pytest.raises(PipelineError, match=r"not valid TOML.*line 1"):
        parse_pipeline("[study\nname = 1")
    (tmp_path / "pipeline.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PipelineError, match="cannot be read"):
        load_pipeline(tmp_path / "pipeline.toml")
    with pytest.raises(PipelineError, match="'study' is missing"):
        parse_pipeline("")


def test_names_are_taken_once() -> None:
    with pytest.raises(PipelineError, match="occur twice"):
        parse_pipeline(DIGITS.replace('name = "top"', 'name = "matched"'))
    with pytest.raises(PipelineError, match="taken twice"):
        parse_pipeline(DIGITS.replace('name = "top"', 'name = "test-rest"'))
    with pytest.raises(PipelineError, match="occur twice: 0"):
        parse_pipeline(DIGITS.replace('id = "1"', 'id = "0"'))
    with pytest.raises(PipelineError, match="not both"):
        parse_pipeline(DIGITS + '\n[classes]\nwnids = "w.txt"\n')


def test_the_digest_follows_values_not_comments() -> None:
    digest = pipeline_digest(parse_pipeline(DIGITS).pipeline)
    assert pipeline_digest(parse_pipeline("# more\n" + DIGITS).pipeline) == digest
    changed = parse_pipeline(DIGITS.replace("radius = 12", "radius = 11")).pipeline
    assert pipeline_digest(changed) != digest


def test_every_key_is_documented() -> None:
    undocumented = [row.key for row in key_table() if not row.meaning]
    assert undocumented == []


def test_lines_of_arrays_of_tables() -> None:
    lines = key_lines('[a]\nb = 1\n[[c]]\nd = 1\n[[c]]\nd = 2\n[c.e]\n"f g" = 1\n')
    assert lines[("a", "b")] == 2
    assert lines[("c", 0, "d")] == 4
    assert lines[("c", 1, "d")] == 6
    assert lines[("c", 1, "e", "f g")] == 8
