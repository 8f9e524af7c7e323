"""The dedup stage on photographs: flips and turns, files of hashes, and which candidate stays."""

from pathlib import Path

import pytest
from PIL import Image, ImageEnhance
from sqlalchemy import select
from stages.photo_study import context_of, jpeg, photo_study
from support.photos import photo_tiles

from replicate.base.errors import MissingError, UsageError
from replicate.duplicates.hash_many import Recipe, hash_paths
from replicate.stages.dedup import dedup
from replicate.stages.review_status import status
from replicate.store.reviews import horizons
from replicate.store.tables import DedupDecision, DuplicatePair, Hash
from replicate.study import Study


def run(study: Study) -> tuple[dict[str, DedupDecision], dict[tuple[str, str], DuplicatePair]]:
    dedup(context_of(study))
    with study.session() as session:
        decisions = {row.image_id: row for row in session.scalars(select(DedupDecision))}
        pairs = session.scalars(select(DuplicatePair)).all()
    return decisions, {(row.reference_id, row.candidate_id): row for row in pairs}


@pytest.mark.parametrize("transforms", [False, True])
def test_flips_and_quarter_turns_are_found_where_they_are_wished(
    tmp_path: Path, transforms: bool
) -> None:
    tiles = photo_tiles()[:24:2]
    flipped = tiles[3].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = tiles[10].transpose(Image.Transpose.ROTATE_90)
    candidates = [("0", jpeg(image, 80)) for image in (flipped, turned, tiles[9], tiles[10])]
    study, ids = photo_study(
        tmp_path / "study", [jpeg(tile) for tile in tiles[:8]], candidates, transforms=transforms
    )
    decisions, pairs = run(study)
    if not transforms:
        assert all(row.keep for row in decisions.values()) and not pairs
        return
    assert decisions[ids[0]].reason == "duplicate_of_reference"
    pair = pairs[decisions[ids[0]].because_of, ids[0]]
    assert (pair.transform, pair.verdict) == ("flip_left_right", "sure")
    assert pair.distance <= 10 and pair.distance256 <= 40 and pair.ssim > 0.8
    assert pair.dssim == pytest.approx((1 - pair.ssim) / 2, abs=1e-6)
    assert pair.squared32 <= pair.squared < 0.01 and pair.pixel_distance < 0.05
    # Of the two candidates that are each other's turn one stays, and the pair says which way.
    gone = {image for image in ids[1:] if not decisions[image].keep}
    assert len(gone) == 1 and gone < {ids[1], ids[3]}
    between = [row for (first, _), row in pairs.items() if first in ids]
    assert [row.transform for row in between] in (["rotate_90"], ["rotate_270"])
    with study.session() as session:
        kinds = set(session.scalars(select(Hash.algorithm)))
    assert kinds == {"phash-64", "phash-64-turned"}
    assert dedup(context_of(study)).tally.done == 0


def _leaking(root: Path, bits: int, gone: bool, **keys: object) -> tuple[Study, list[str]]:
    """A study of which one candidate is in a folder that was hashed, and the folder may be gone."""
    tiles = photo_tiles()[:60:5]
    folder = root / "seen"
    folder.mkdir(parents=True)
    for place, tile in enumerate(tiles[:5]):
        tile.save(folder / f"{place}.png")
    files = sorted(str(path) for path in folder.iterdir())
    made = hash_paths(files, Recipe(bits=bits, turned=True))
    again = ImageEnhance.Brightness(tiles[2]).enhance(1.2)
    candidates = [("0", jpeg(again, 70)), ("0", jpeg(tiles[9])), ("0", jpeg(tiles[10]))]
    study, ids = photo_study(
        root / "study",
        [jpeg(tile) for tile in tiles[6:9]],
        candidates,
        references=("test", "seen.npz"),
        bits=bits,
        radius={64: 10, 256: 31}[bits],
        **keys,
    )
    made.write(study.root / "seen.npz")
    if gone:
        for file in files:
            Path(file).unlink()
    return study, ids


@pytest.mark.parametrize(
    ("bits", "gone", "confirm", "verdict"),
    [
        (64, False, "pixels", "sure"),  # the images are there: pixels confirm
        (64, True, "pixels", "unsure"),  # they are not: 64 bits are not enough
        (256, True, "pixels", "sure"),  # 256 are
        (64, True, "none", "sure"),  # pixels were not asked
    ],
)
def test_files_of_hashes_are_reference_sets(
    tmp_path: Path, bits: int, gone: bool, confirm: str, verdict: str
) -> None:
    study, ids = _leaking(tmp_path, bits, gone, confirm=confirm, transforms=bits == 256)
    decisions, pairs = run(study)
    (pair,) = pairs.values()
    assert pair.candidate_id == ids[0] and pair.reference_id.endswith("seen/2.png")
    assert (pair.reference_set, pair.verdict) == ("seen.npz", verdict)
    assert (pair.pixel_distance is None) == gone
    assert decisions[ids[0]].keep == (verdict == "unsure")
    if verdict == "sure":
        assert decisions[ids[0]].because_of == pair.reference_id
    assert all(decisions[image].keep for image in ids[1:])
    with study.session() as session:  # nobody can look at such a pair
        assert horizons(session) == {}
    assert status(study)["duplicates"].total == 0


def test_hashes_made_otherwise_are_refused(tmp_path: Path) -> None:
    study, _ = _leaking(tmp_path, 64, True)
    made = hash_paths([], Recipe("phash-fast"))
    made.write(study.root / "seen.npz")
    with pytest.raises(UsageError, match="different ways"):
        dedup(context_of(study))
    (study.root / "seen.npz").unlink()
    with pytest.raises(MissingError, match=r"seen\.npz"):
        dedup(context_of(study))


@pytest.mark.parametrize(
    ("keep", "stays"), [("fewest", 1), ("first", 0), ("largest", 2), ("none", None)]
)
def test_which_of_several_candidates_stays(tmp_path: Path, keep: str, stays: int | None) -> None:
    tile, others = photo_tiles()[0], photo_tiles()[40:64:4]
    copies = [
        ("many", jpeg(tile.resize((180, 180)))),
        ("few", jpeg(tile.resize((150, 150)))),
        ("many", jpeg(tile.resize((220, 220)))),
    ]
    study, ids = photo_study(
        tmp_path / "study",
        [jpeg(other) for other in others[:3]],
        [*copies, *(("many", jpeg(other)) for other in others[3:])],
        keep=keep,
    )
    decisions, pairs = run(study)
    kept = [place for place in range(3) if decisions[ids[place]].keep]
    assert kept == ([] if stays is None else [stays])
    for place in {0, 1, 2} - set(kept):
        row = decisions[ids[place]]
        assert row.reason == "duplicate_of_candidate"
        pair = pairs.get((row.because_of, row.image_id)) or pairs[row.image_id, row.because_of]
        assert pair.verdict == "sure"
    assert all(decisions[image].keep for image in ids[3:])
