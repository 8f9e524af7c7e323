"""`replicate duplicates --features-reference …`: what features find beside the hashes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from replicate.base.errors import UsageError

if TYPE_CHECKING:
    from replicate.duplicates.cuts import FeatureCuts
    from replicate.duplicates.neighbours import Embedded
    from replicate.duplicates.proposing import Proposed
    from replicate.duplicates.sides import Side

_SEED = 1  # of the images on which the cuts are measured


def check_features(given: Mapping[str, Any]) -> None:
    """Refuse features of one side alone, and cuts without any.

    Raises:
        UsageError: The options do not fit.
    """
    named = [given[f"features_{side}"] is not None for side in ("reference", "candidates")]
    if named != [named[0], named[0] and bool(given["candidates"])]:
        raise UsageError(
            "Features are needed of both sides (with --within, of the reference alone).",
            "Give --features-reference FILE and --features-candidates FILE.",
        )
    cuts = [given["features_sure"] is not None, given["features_unsure"] is not None]
    if any(cuts) and not (named[0] and all(cuts)):
        raise UsageError(
            "--features-sure and --features-unsure belong together, and to --features-reference.",
            "Give all of them, or neither of the cuts: then they are measured.",
        )


def by_features(
    given: Mapping[str, Any],
    proposed: "Proposed",
    reference: "Side",
    candidates: "Side | None",
    radius: int,
) -> "tuple[Proposed, FeatureCuts]":
    """The pairs of both channels, and where features are cut.

    Args:
        given: The command's options.
        proposed: What the hashes propose.
        reference: One side.
        candidates: The other; None for pairs within the first.
        radius: Of the hashes.
    """
    from replicate.duplicates.cuts import FeatureCuts
    from replicate.duplicates.embedding import measured_cuts, with_features
    from replicate.duplicates.leaks import poor_of

    first = _embedded(reference, given["features_reference"])
    second = first
    if candidates is not None:
        second = _embedded(candidates, given["features_candidates"])
    if given["features_sure"] is not None:
        cuts = FeatureCuts(given["features_sure"], given["features_unsure"])
    else:
        poor = poor_of(reference)
        cuts = measured_cuts(
            reference, first, radius, _SEED, lambda at: poor is not None and bool(poor[at])
        )
    both = (first, second)
    return with_features(proposed, reference, candidates, both, cuts, given["max_pairs"]), cuts


def _embedded(side: "Side", path: Any) -> "Embedded":
    from replicate.duplicates.embedding import embedded
    from replicate.zoo.feature_files import read_features

    found = read_features(path)
    return embedded(side, found.names, found.values)
