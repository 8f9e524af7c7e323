"""Verifying exports and manifests on disk: what was changed, is missing or was made up."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import replicate

from replicate.base.digests import digest_value
from replicate.base.errors import UsageError
from replicate.reporting.export import KINDS
from replicate.reporting.export_folder import json_text
from replicate.stages import export as stage
from replicate.stages.export import find_set, material
from replicate.stages.verify import verify
from replicate.study import Study


@pytest.mark.parametrize("kind", [*KINDS, "all"])
def test_every_file_that_is_changed_missing_or_added_is_named(
    kind: str, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole / kind if kind != "all" else whole, folder)
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    if kind == "all":
        files = files[:: len(files) // 12]
    for path in files:
        name, data = path.relative_to(folder).as_posix(), path.read_bytes()
        path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
        try:
            assert any(path.name in fault for fault in verify(folder).faults), name
        except UsageError as error:
            assert path.name == "export.json" and "cannot be read" in error.message
        path.write_bytes(data)
        if name == "export.json":
            continue
        path.rename(tmp_path / "aside")
        assert any("is missing" in f and path.name in f for f in verify(folder).faults), name
        (tmp_path / "aside").rename(path)
    assert verify(folder).faults == []
    (folder / "more.txt").touch()
    assert verify(folder).faults == ["more.txt does not belong to the export."]


@pytest.mark.parametrize("kind", ["imagefolder", "webdataset", "parquet"])
def test_an_export_that_was_made_up_anew_is_not_the_frozen_set(
    kind: str, whole: Path, published: Study, tmp_path: Path
) -> None:
    """Somebody swaps an image and writes all digests anew, but for the frozen set's own."""
    with published.session() as session:
        found = material(session, published, find_set(session, published, "top"), "prepared")
    first, second = found.images[0], found.images[20]
    swapped = [replace(first, published_id=second.published_id), *found.images[1:]]
    forged = replace(found, images=tuple(swapped))
    folder = tmp_path / "forged"
    folder.mkdir()
    stage.write_export(stage.Folder(folder), forged, kind, 12, stage.no_progress)
    assert verify(folder).faults == ["Image 0 has not the bytes that were frozen."]
    # The same, with the table of images left as it was.
    table = (whole / kind / "images.csv").read_bytes()
    (folder / "images.csv").write_bytes(table)
    about = json.loads((folder / "export.json").read_text())
    about["files"]["images.csv"] = json.loads((whole / kind / "export.json").read_text())["files"][
        "images.csv"
    ]
    about["export_digest"] = digest_value(
        {key: value for key, value in about.items() if key != "export_digest"}
    )
    (folder / "export.json").write_text(json_text(about))
    assert any("Image 0" in fault and "other bytes" in fault for fault in verify(folder).faults)


def test_verify_needs_no_study_and_knows_a_published_digest(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(whole / "imagefolder", folder)
    found = replicate("verify", folder, "--json", cwd=tmp_path)
    assert found.code == 0
    value = found.json()
    assert value["valid"] and value["images_checked"] == 30 and value["format"] == "imagefolder"
    assert replicate("verify", folder, "--digest", value["digest"][:12]).code == 0
    assert replicate("verify", folder, "--digest", "0" * 64).code == 1
    assert replicate("verify", tmp_path).code == 2


def test_verify_looks_at_the_images_of_the_study_beside_a_manifest(
    published: Study, tmp_path: Path
) -> None:
    copy = tmp_path / "study"
    shutil.copytree(published.root, copy)
    path = copy / "sets" / "top-1.json"
    assert verify(path).faults == [] and verify(path).images == 30
    image = json.loads(path.read_text())["images"][3][0]
    (copy / "images" / image[:2] / image).write_bytes(b"x")
    faults = verify(path).faults
    assert (
        len(faults) == 1 and image in faults[0] and "gathered file has other content" in faults[0]
    )
