"""The stage over sources that a researcher has: tars, and a folder with a table."""

import io
import tarfile
from collections import Counter
from pathlib import Path

from sqlalchemy import select
from support.flickr import picture
from support.studies import context, tiny_study

from replicate.stages.gather import gather
from replicate.store.tables import Candidate, Query

NUMBERS = {"limit_per_class": 2, "per_class": 8}


def _from(source: str, filters: str = ""):
    def change(text: str) -> str:
        lines = [
            line for line in text.splitlines() if not line.startswith(("date_windows", "licences"))
        ]
        return "\n".join(lines).replace('source = "flickr"', f"source = {source}\n{filters}")

    return change


def test_candidates_from_tars_one_of_which_is_broken(tmp_path: Path):
    for shard in range(2):
        with tarfile.open(tmp_path / f"part-{shard}.tar", "w") as tar:
            for number in range(20):
                parts = {"cls": str(number % 10).encode(), "png": picture(40 * shard + number)}
                for ending, data in parts.items():
                    member = tarfile.TarInfo(f"{number:03}.{ending}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    last = tmp_path / "part-1.tar"
    with tarfile.open(last) as tar:
        end = tar.getmember("018.png").offset_data + 30
    last.write_bytes(last.read_bytes()[:end])
    study = tiny_study(tmp_path, _from('"webdataset"\npath = "part-{0..1}.tar"'), **NUMBERS)
    result = gather(context(study))
    with study.session() as session:
        rows = session.scalars(select(Candidate)).all()
    assert Counter((row.status, row.reason) for row in rows) == {
        ("ok", None): 38,
        ("failed", "truncated"): 1,
    }
    (failed,) = (row for row in rows if row.status == "failed")
    assert (failed.source_id, failed.class_id) == ("part-1/018", "8")
    assert {row.class_id for row in rows} == set("0123456789")
    for row in rows:
        if row.image_id is not None:
            number = 40 * int(row.source_id[5]) + int(row.source_id[-3:])
            assert study.images.get(row.image_id) == picture(number)
    assert any("part-1.tar is broken" in note for note in result.tally.notes)
    study.close()


def test_candidates_from_a_folder_that_is_searched_like_flickr(tmp_path: Path):
    lines = ["file,tags,title,licence,uploaded"]
    for number in range(12):
        word = "zero" if number % 2 else "nought; ink"
        path = tmp_path / "photos" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(number))
        year = 2012 if number < 8 else 2014
        lines.append(f"{number}.png,{word},photo {number},{4 if number else 0},{year}-10-01")
    (tmp_path / "photos" / "alone.png").write_bytes(picture(99))
    (tmp_path / "tags.csv").write_text("\n".join(lines))
    filters = "date_windows = [{ start = 2012-07-11, end = 2013-07-11 }]\nlicences = [4, 5]"
    study = tiny_study(
        tmp_path, _from('"folder"\npath = "photos"\nmetadata = "tags.csv"', filters), **NUMBERS
    )
    result = gather(context(study))
    with study.session() as session:
        rows = session.execute(select(Candidate, Query.term).join(Query)).all()
    found = {(row.title, term, row.status) for row, term in rows}
    # Zeros first, and of the other term what is left of the budget: seven photos pass the filters.
    assert found == {(f"photo {n}", "zero" if n % 2 else "nought", "ok") for n in range(1, 8)}
    assert all(row.licence == "4" and row.uploaded.startswith("2012") for row, _ in rows)
    assert any("alone.png" in note for note in result.tally.notes)
    study.close()
