"""The original, its train set and controls come into the store under the study's class ids."""

from pathlib import Path

import pytest
from sqlalchemy import select
from support.studies import context, tiny_study

from replicate.base.errors import UsageError
from replicate.sources.digits import load_digits
from replicate.stages.common import Tally
from replicate.stages.gather_sets import gather_sets
from replicate.store.tables import SetImage
from replicate.study import Study

NAMES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def write(root: Path, names: list[str]) -> None:
    """Two originals of each digit in a folder of the digit's new name, and a table of them."""
    lines = ["file,label"]
    for class_id, name in enumerate(names):
        files = [item.data for item in load_digits("original") if item.class_id == str(class_id)]
        (root / "set" / name).mkdir(parents=True)
        for place, data in enumerate(files[:2]):
            (root / "set" / name / f"{place}.png").write_bytes(data)
            lines.append(f"set/{name}/{place}.png,{name}")
    (root / "set.csv").write_text("\n".join(lines) + "\n")


def study_of(root: Path, place: str, class_map: str = "") -> Study:
    def change(text: str) -> str:
        head, _, rest = text.partition("[original]\n")
        body, _, tail = rest.partition("\n[")
        del body
        while tail.startswith("[control]]"):
            tail = tail.partition("\n[")[2]
        return f'{head}[original]\ntest = "{place}"\n{class_map}\n[{tail}'

    return tiny_study(root, change)


def found(study: Study) -> dict[str, str]:
    tally = Tally()
    gather_sets(context(study), tally)
    with study.session() as session:
        rows = session.scalars(select(SetImage).where(SetImage.status == "ok")).all()
    study.close()
    return {row.name: row.class_id for row in rows}


@pytest.mark.parametrize("place", ["set", "set.csv"])
def test_a_class_map_says_what_folders_and_labels_are(tmp_path: Path, place: str):
    write(tmp_path, NAMES)
    table = ", ".join(f'{name} = "{n}"' for n, name in enumerate(NAMES))
    rows = found(study_of(tmp_path, place, f"class_map = {{ {table} }}"))
    prefix = "set/" if place.endswith("csv") else ""
    assert rows == {
        f"{prefix}{name}/{place}.png": str(n) for n, name in enumerate(NAMES) for place in (0, 1)
    }


def test_numbers_that_are_not_the_study_s_are_refused_until_they_are_explained(tmp_path: Path):
    write(tmp_path, [str(n + 1) for n in range(10)])  # 1 … 10, of which 1 … 9 look like ids
    with pytest.raises(UsageError) as caught:
        found(study_of(tmp_path, "set"))
    assert "1, 10, 2, 3, 4, …" in caught.value.message
    assert "class_map" in caught.value.hint
    table = ", ".join(f'"{n + 1}" = "{n}"' for n in range(10))
    rows = found(study_of(tmp_path, "set", f"class_map = {{ {table} }}"))
    assert rows["10/0.png"] == "9"
    assert rows["2/0.png"] == "1"


def test_a_class_whose_images_cannot_be_read_is_missed(tmp_path: Path):
    write(tmp_path, [str(n) for n in range(10)])
    for path in (tmp_path / "set" / "7").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"no image that can be read of 1 of 10 classes: 7 \(not"):
        found(study_of(tmp_path, "set"))
