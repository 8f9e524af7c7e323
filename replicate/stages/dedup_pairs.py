"""Which pairs of images dedup finds: those of the same code as `replicate duplicates`."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import ItemError
from replicate.base.images import decode, grey
from replicate.base.randomness import stream
from replicate.duplicates.calibrate import Calibration, calibrate, plant
from replicate.duplicates.cuts import SURE, UNSURE, Cuts, usual_cuts
from replicate.duplicates.edits import posted_again
from replicate.duplicates.embedding import with_features
from replicate.duplicates.evidence import Looks, Read, Scale
from replicate.duplicates.hash_files import HashSet
from replicate.duplicates.leaks import UNCONFIRMED, Leak, leaks
from replicate.duplicates.neighbours import Embedded
from replicate.duplicates.proposing import NAMES, propose
from replicate.duplicates.sides import Side
from replicate.duplicates.transforms import turned
from replicate.pipeline.dedup import DedupConfig
from replicate.sources.prepare import prepare
from replicate.stages.common import Context
from replicate.stages.dedup_features import Features, study_features
from replicate.stages.dedup_hashes import stored_hashes
from replicate.study import Study

Pixels = npt.NDArray[np.uint8]
Row = dict[str, Any]  # of duplicate_pairs

CANDIDATES = "candidates"
_PLANTED = 200  # near-duplicates planted to calibrate the cuts
_PEEKED = 100  # prepared images whose size says at which size all are compared
_NO_DOUBT = Cuts.of_moved(1.0, 1.0)
_MEASURES = ("distance256", "ssim", "dssim", "squared", "squared32", "similarity", "found_by")


@dataclass(frozen=True)
class Compared:
    """The images of a study, ready to be compared.

    Attributes:
        references: Those of the reference sets, by image id.
        candidates: Those of the candidate pool, by image id.
        looks: Gives prepared images by image id.
        sets: Image id of a reference image to the name of its set.
        features: What `[dedup] features` names; None if it names nothing.
    """

    references: Side
    candidates: Side
    looks: Looks
    sets: Mapping[str, str]
    features: Features | None


def compared(
    context: Context,
    sets: Mapping[str, str],
    candidates: Sequence[str],
    prepared: Mapping[str, str],
) -> Compared:
    """Hash what has no hash yet, and make all ready.

    Args:
        context: The stage's context.
        sets: Image id of each reference image to the name of its set.
        candidates: Image ids.
        prepared: Image id to the digest of the prepared bytes.
    """
    study, references = context.study, sorted(sets)
    turned = study.pipeline.dedup.transforms
    read = _reader(study.prepared)
    sides = [
        _side(stored_hashes(context, ids, [prepared[image] for image in ids], read, turned))
        for ids in (references, candidates)
    ]
    some = sorted({prepared[image] for image in (*references, *candidates)})[:_PEEKED]
    scale = Scale.of({(pixels.shape[1], pixels.shape[0]) for pixels in map(read, some)})
    looks = Looks(lambda image: read(prepared[image]), scale)
    features = study_features(context, sides[0], sides[1], prepared, looks)
    return Compared(sides[0], sides[1], looks, sets, features)


def _side(hashes: HashSet) -> Side:
    return Side(hashes, np.ones(len(hashes), bool), Counter())


def _reader(blobs: Any) -> Read:
    return lambda digest: grey(decode(blobs.get(digest)))


def calibrations(study: Study, images: Compared) -> dict[str, Calibration]:
    """The measured cuts: against `references`, and within the `candidates`.

    Empty if pixels are not asked, the threshold is given, or there are not two images to measure
    on. The planted near-duplicates go through `[prepare]`, as a real one would.
    """
    config, steps = study.pipeline.dedup, study.pipeline.prepare.steps
    reference = images.references if len(images.references) > 1 else images.candidates
    measured_here = config.confirm == "pixels" and config.threshold is None
    if not measured_here or len(reference) < 2:
        return {}

    def edit(image: str, random: np.random.Generator) -> Pixels | None:
        pixels = images.looks.read(image)
        if config.transforms:  # what is sought is planted, too
            pixels = turned(pixels, NAMES[random.integers(len(NAMES))])
        copy = posted_again(pixels, random)
        try:
            return grey(decode(prepare(copy, steps)))
        except ItemError:
            return None

    random = stream(study.seed, "duplicates", "calibrate")
    planted = plant(
        reference,
        images.looks,
        edit,
        random,
        radius=config.radius,
        transforms=config.transforms,
        sample=_PLANTED,
    )
    # Candidates can go by mistake in two ways; each gets half of what is allowed.
    share = config.false_drops / 2 if config.within else config.false_drops
    measured = calibrate(planted, reference, images.looks, random, max_false=share)
    within = calibrate(
        planted,
        images.candidates,
        images.looks,
        stream(study.seed, "duplicates", "tightened"),
        max_false=share,
        within=measured.cuts,
    )
    return {"references": measured, CANDIDATES: within}


def found_pairs(
    context: Context, images: Compared, calibrated: Mapping[str, Calibration]
) -> list[Row]:
    """Rows of `duplicate_pairs`: what the hashes propose and the pixels do not rule out."""
    config = context.study.pipeline.dedup
    against, within = (_cuts(config, calibrated.get(name)) for name in ("references", CANDIDATES))
    first, second, features = images.references, images.candidates, images.features
    both = None if features is None else (features.references, features.candidates)
    found = _leaks(context, first, second, images.looks, against, features, both)
    rows = [_row(leak, images.sets[leak.reference], against) for leak in found]
    rows += _from_hash_files(context, images.candidates.hashes.paths)
    if config.within:
        both = None if features is None else (features.candidates, features.candidates)
        found = _leaks(context, second, None, images.looks, within, features, both)
        rows += [_row(leak, CANDIDATES, within) for leak in found]
    return rows


def _cuts(config: DedupConfig, measured: Calibration | None) -> Cuts:
    if config.confirm == "none":
        return _NO_DOUBT
    if config.threshold is not None:
        # A threshold that is given is one of plain squared L2, as the papers have it.
        return Cuts(squared=config.threshold)
    return measured.cuts if measured is not None else _NO_DOUBT


def _leaks(
    context: Context,
    first: Side,
    second: Side | None,
    looks: Looks,
    cuts: Cuts,
    features: Features | None = None,
    both: tuple[Embedded, Embedded] | None = None,
) -> list[Leak]:
    """Pairs of two sides, or within the first, that are not ruled out."""
    config = context.study.pipeline.dedup
    proposed = propose(first, second, config.radius, config.transforms)
    if features is not None and both is not None:
        proposed = with_features(proposed, first, second, both, features.cuts)
    found = leaks(
        proposed,
        first,
        second or first,
        looks,
        cuts,
        lambda done, total: context.progress("confirming near-duplicates", done, total),
        different=False,
        features=None if features is None else features.cuts,
    )
    return sorted(found, key=lambda leak: (leak.reference, leak.candidate))


def _row(leak: Leak, reference_set: str, cuts: Cuts) -> Row:
    return {
        "reference_id": leak.reference,
        "candidate_id": leak.candidate,
        "reference_set": reference_set,
        "transform": leak.transform,
        "distance": leak.distance,
        "pixel_distance": leak.moved if cuts.squared is None else leak.squared,
        "verdict": leak.verdict,
        **{name: getattr(leak, name) for name in _MEASURES},
    }


def _from_hash_files(context: Context, candidates: Sequence[str]) -> list[Row]:
    """Pairs with the images of hash files, whose own files need not be here.

    The hashes are those of files as they are, so that candidates are hashed as they were
    gathered, not as they were prepared.
    """
    study = context.study
    config = study.pipeline.dedup
    if not config.hash_files:
        return []
    read = _reader(study.images)
    raw = _side(stored_hashes(context, candidates, candidates, read, config.transforms))
    cuts = (
        _NO_DOUBT
        if config.confirm == "none"
        else replace(usual_cuts(config.transforms), squared=config.threshold)
    )
    rows: list[Row] = []
    for place in config.hash_files:
        path = study.root / place
        side = _side(HashSet.read(path))
        looks = Looks(_either(read, frozenset(candidates), path.parent))
        found = [_row(leak, place, cuts) for leak in _leaks(context, side, raw, looks, cuts)]
        rows += [row | {"verdict": _unseen(row, config)} for row in found]
    return rows


def _either(read: Read, own: Container[str], folder: Path) -> Read:
    """Gives a study's own images by their ids, others by their paths."""

    def pixels(name: str) -> Pixels:
        if name in own:
            return read(name)
        try:
            return grey(decode((folder / name).read_bytes()))
        except OSError as error:
            raise ItemError("missing", f"{name} cannot be read: {error.strerror}") from error

    return pixels


def _unseen(row: Row, config: DedupConfig) -> str:
    """The verdict on a pair of which one image cannot be looked at: long hashes are enough."""
    if row["verdict"] != UNCONFIRMED:
        return str(row["verdict"])
    long_and_near = (
        config.bits == 256 and row["distance"] <= usual_cuts(config.transforms).sure_bits
    )
    return SURE if config.confirm == "none" or long_and_near else UNSURE
