"""The small study with its images on S3 is the one with them in its folder (--benchmark-only)."""

from pathlib import Path

from support.command import digests, replicate
from support.s3 import s3_server

from replicate.study import init_study


def test_the_small_study_is_the_same_on_s3(benchmark, tmp_path: Path) -> None:
    folder, study = tmp_path / "folder", tmp_path / "s3"
    done = replicate("demo", "--dir", folder, "--size", "small")
    assert done.code == 0, done.err
    init_study(study, "digits", "small").close()
    pipeline = study / "pipeline.toml"
    text = pipeline.read_text().replace("\nseed =", '\nimages = "s3://photos/demo"\nseed =', 1)
    pipeline.write_text(text)

    def run() -> None:
        first = replicate("run", "-C", study)
        assert first.code == 4, first.err  # the cost is to be confirmed
        done = replicate("publish", "-C", study, "--confirm-cost", "9.00")
        assert done.code == 0, done.err
        done = replicate("run", "-C", study)
        assert done.code == 0, done.err

    with s3_server("photos"):
        benchmark.pedantic(run, rounds=1)
        assert digests(study) == digests(folder)
        assert not [name for name in ("images", "prepared", "display") if (study / name).exists()]
