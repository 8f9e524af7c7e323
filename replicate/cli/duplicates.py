"""`replicate duplicates`: does a test folder leak into a train folder? Without a study."""

import shutil
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import UsageError
from replicate.cli.duplicates_calibrate import RADIUS, calibrate
from replicate.cli.duplicates_features import by_features, check_features
from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say, shown_progress

if TYPE_CHECKING:
    from replicate.duplicates.leaks import Leak
    from replicate.duplicates.sides import Hasher, Side
    from replicate.stages.common import Progress

_MANY = ("--reference", "--candidates")
_SHOWN = 20
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


class _Paths(click.Group):
    """A command whose options take as many paths as follow them: --reference A B C."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name the option again before every further path, which is what click reads."""
        spread: list[str] = []
        option = ""
        for word in args:
            if word.startswith("-"):
                option = word if word in _MANY else ""
            elif option and spread[-1] != option:
                spread.append(option)
            spread.append(word)
        return super().parse_args(ctx, spread)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Paths without an option before them are no command's name: say where they belong."""
        if args and args[0] not in self.commands and not ctx.resilient_parsing:
            first, *rest = [*args, "MORE"]
            raise UsageError(
                f"{args[0]} stands alone: folders and files belong to --reference or --candidates.",
                f"replicate duplicates --reference {first} --candidates {rest[0]}",
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Paths,
    invoke_without_command=True,
    epilog=example(
        "replicate duplicates --reference train --candidates test",
        "replicate duplicates --reference train --candidates test --report pairs.html",
        "replicate duplicates --reference train --save-hashes train.npz",
        "replicate duplicates --reference train.npz --candidates test --output pairs.csv --json",
        "replicate duplicates --reference train --within --bits 256 --summary",
        "replicate duplicates --reference train --candidates test "
        "--features-reference train-features.csv --features-candidates test-features.csv",
    ),
)
@click.option(
    "--reference", multiple=True, metavar="PATH...",
    help="Folders, tables with a column 'path', hash files (H.npz), bare arrays of hashes (.npy).",
)  # fmt: skip
@click.option("--candidates", multiple=True, metavar="PATH...", help="What to compare with them.")
@click.option("--within", is_flag=True, help="Compare the reference's images among themselves.")
@click.option(
    "--hash", "algorithm", type=click.Choice(["phash", "phash-fast", "dhash", "whash", "average"]),
    help="How images are hashed.  [default: phash]",
)  # fmt: skip
@click.option("--bits", type=click.Choice(["64", "256"]), help="Bits of a hash.  [default: 64]")
@click.option(
    "--radius", type=click.IntRange(min=0), metavar="R",
    help="Bits that may differ.  [default: 10 of 64, 31 of 256]",
)  # fmt: skip
@click.option(
    "--transforms/--no-transforms", default=None,
    help="Find flipped and quarter-turned images too.  [default: where images are hashed here]",
)  # fmt: skip
@click.option("--no-confirm", is_flag=True, help="Trust the hash; do not look at the images again.")
@click.option(
    "--cuts", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="CUTS.json",
    help="Where pairs are cut into sure, unsure and different.  [default: measured on photos]",
)  # fmt: skip
@click.option(
    "--features-reference", type=_FILE, metavar="FILE",
    help="Features of the reference's images, as `replicate features` writes them (.arrow), or "
    ".parquet, .npy, .csv: they find heavy crops and rotations, too.",
)  # fmt: skip
@click.option(
    "--features-candidates", type=_FILE, metavar="FILE", help="Those of the candidates' images.",
)  # fmt: skip
@click.option(
    "--features-sure", type=click.FloatRange(-1, 1), metavar="COSINE",
    help="From this cosine of features on a pair is sure.  [default: measured on the reference]",
)  # fmt: skip
@click.option(
    "--features-unsure", type=click.FloatRange(-1, 1), metavar="COSINE",
    help="From this cosine on it is proposed.  [default: measured on the reference]",
)  # fmt: skip
@click.option(
    "--save-hashes", type=click.Path(path_type=Path, dir_okay=False), metavar="H.npz",
    help="Keep the reference's hashes, to be named as --reference another time.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="pairs.csv",
    help="Write the pairs as a table.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.html",
    help="Write a page of the pairs, side by side.",
)  # fmt: skip
@click.option("--summary", is_flag=True, help="Leave the pairs themselves out.")
@click.option(
    "--max-pairs", type=click.IntRange(min=1), default=5_000_000, show_default=True,
    help="Stop when there are more pairs than this.",
)  # fmt: skip
@click.option(
    "--executor", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="What hashes images: processes of this machine, or Ray's workers.",
)  # fmt: skip
@click.option(
    "--processes", type=click.IntRange(min=1), metavar="N",
    help="How many hash at a time.  [default: one a core]",
)  # fmt: skip
@json_option
@click.pass_context
def duplicates(ctx: click.Context, /, as_json: bool, **given: Any) -> None:
    """Find images that occur in two sets, or twice in one: near-duplicates, without a study.

    Hashes propose every pair within the radius, exactly; a longer hash and the pixels cut the
    pairs into sure, unsure and different, the surest first. Exit code 3: all done, but some
    images could not be read; they are listed.
    """
    if ctx.invoked_subcommand is not None:
        return
    from replicate.duplicates.leaks import leaks
    from replicate.duplicates.proposing import propose

    if not given["reference"]:
        raise UsageError(
            "There is no reference.",
            "Name it: replicate duplicates --reference PATH --candidates PATH",
        )
    if given["within"] and given["candidates"]:
        raise UsageError(
            "--within compares the reference's images among themselves.",
            "Leave out --within, or --candidates.",
        )
    if not (given["within"] or given["candidates"] or given["save_hashes"]):
        raise UsageError(
            "There is nothing to compare the reference with.",
            "Name --candidates PATH, or give --within, or only --save-hashes H.npz.",
        )
    check_features(given)
    seconds = {"hash": 0.0, "search": 0.0, "confirm": 0.0}
    with shown_progress() as progress:
        begin = perf_counter()
        reference, candidates = _sides(given, progress)
        seconds["hash"] = perf_counter() - begin
        if candidates is None and not given["within"]:
            _only_saved(reference, given["save_hashes"], as_json)
            return
        other = candidates or reference
        turned = _whether_turned(given["transforms"], reference, other)
        begin = perf_counter()
        radius = RADIUS[reference.hashes.bits] if given["radius"] is None else given["radius"]
        progress("searching")
        proposed = propose(reference, candidates, radius, turned, given["max_pairs"])
        features = None
        if given["features_reference"] is not None:
            progress("searching among features")
            proposed, features = by_features(given, proposed, reference, candidates, radius)
        seconds["search"] = perf_counter() - begin
        begin = perf_counter()
        looks = _looks(given["no_confirm"])
        found = leaks(
            proposed, reference, other, looks, _cuts(given["cuts"], turned),
            lambda done, total: progress("confirming", done, total), features=features,
        )  # fmt: skip
        seconds["confirm"] = perf_counter() - begin
    unseen = dict(looks.failed) if looks else {}
    value = _value(found, reference, candidates, unseen, seconds, radius, turned)
    value["features"] = features and features.as_dict()
    if not given["summary"]:
        value["pairs"] = [leak.as_dict() for leak in found]
    if given["output"] is not None:
        _write_table(found, given["output"])
    if given["report"] is not None:
        from replicate.reporting.duplicates_page import write_duplicates_page

        write_duplicates_page(given["report"], value, [leak.as_dict() for leak in found])
    emit(value, as_json, _text(value, found, given))
    if value["failed"]:
        sys.exit(3)


def _sides(given: dict[str, Any], progress: "Progress") -> "tuple[Side, Side | None]":
    """Both sides' hashes; the reference's are kept if that is wished."""
    from replicate.duplicates.sides import gather_side

    bits = int(given["bits"] or 64)
    save: Path | None = given["save_hashes"]
    keep = None if save is None else save.with_name(f".{save.name}.shards")
    read_as = given["algorithm"]
    if read_as is None and given["bits"] is not None:
        read_as = "phash"
    progress("listing")  # a folder of a million files takes some seconds
    reference = gather_side(given["reference"], _hasher(given, keep, progress), read_as, bits)
    if save is not None and keep is not None:
        reference.hashes.write(save)
        shutil.rmtree(keep, ignore_errors=True)
    if not given["candidates"]:
        return reference, None
    hasher = _hasher(given, None, progress, reference)
    return reference, gather_side(given["candidates"], hasher, read_as, bits)


def _hasher(
    given: dict[str, Any], keep: Path | None, progress: "Progress", like: "Side | None" = None
) -> "Hasher":
    """What hashes images; before it does, it sees that they can be compared with ``like``."""
    from replicate.base.resources import usable_cores
    from replicate.duplicates.hash_many import Recipe, hash_paths
    from replicate.duplicates.hashing import current_info, require_comparable

    algorithm = given["algorithm"] or "phash"
    turned = given["transforms"] is not False and algorithm.startswith("phash")
    recipe = Recipe(algorithm, int(given["bits"] or 64), turned=turned)

    def hasher(paths: Any) -> Any:
        if like is not None:
            require_comparable(like.hashes.info, current_info(recipe.bits, algorithm))
        return hash_paths(
            paths,
            recipe,
            processes=given["processes"] or usable_cores(),
            executor=given["executor"],
            keep=keep,
            progress=lambda done, total: progress("hashing", done, total),
        )

    return hasher


def _whether_turned(wished: bool | None, reference: "Side", candidates: "Side") -> bool:
    kept = reference.hashes.turned is not None or candidates.hashes.turned is not None
    return kept if wished is None else wished


def _looks(no_confirm: bool) -> Any:
    from replicate.base.errors import ItemError
    from replicate.base.images import decode, grey
    from replicate.duplicates.evidence import Looks

    def read(name: str) -> Any:
        try:
            return grey(decode(Path(name).read_bytes()))
        except OSError as error:
            raise ItemError("missing", str(error)) from error

    return None if no_confirm else Looks(read)


def _cuts(path: Path | None, turned: bool) -> Any:
    from replicate.duplicates.cuts import measured_without_turns, read_cuts, usual_cuts

    if path is None:
        return usual_cuts(turned)
    cuts = read_cuts(path)
    if turned and measured_without_turns(path):
        say(
            f"Warning: the cuts of {path} were measured without flips and turns. With them chance "
            "has eight positions, and more different images will be called sure. Measure again "
            "(replicate duplicates calibrate IMAGES --output cuts.json), or give --no-transforms."
        )
    return cuts


def _only_saved(reference: "Side", path: Path, as_json: bool) -> None:
    failed = Counter(reference.hashes.failed.values())
    value = {
        "n_reference": len(reference),
        "hashes": str(path),
        "failed": dict(sorted(failed.items())),
    }
    emit(value, as_json, f"{len(reference)} images' hashes are in {path}.")
    if failed:
        say(f"{failed.total()} images could not be hashed: {dict(sorted(failed.items()))}")
        sys.exit(3)


def _value(
    found: "list[Leak]",
    reference: "Side",
    candidates: "Side | None",
    unseen: dict[str, str],
    seconds: dict[str, float],
    radius: int,
    turned: bool,
) -> dict[str, Any]:
    from replicate.duplicates.leaks import n_poor, summary

    sides = {"reference": reference} | ({"candidates": candidates} if candidates else {})
    images = [
        {"side": name, "path": path, "reason": reason}
        for name, side in sides.items()
        for path, reason in side.hashes.failed.items()
    ]
    images += [{"side": "confirm", "path": p, "reason": why} for p, why in unseen.items()]
    others = sum((side.others for side in sides.values()), Counter())
    return {
        "n_reference": len(reference),
        "n_candidates": len(candidates or reference),
        "n_pairs": len(found),
        "verdicts": summary(found),
        "found_by": dict(sorted(Counter(leak.found_by for leak in found).items())),
        "hash": reference.hashes.algorithm,
        "bits": reference.hashes.bits,
        "radius": radius,
        "transforms": turned,
        "within": candidates is None,
        "low_structure": {name: n_poor(side) for name, side in sides.items()},
        "failed": dict(sorted(Counter(item["reason"] for item in images).items())),
        "failed_images": images,
        "passed_over": dict(sorted(others.items())),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def _write_table(found: "list[Leak]", path: Path) -> None:
    from dataclasses import fields

    import pandas as pd

    from replicate.base.tables import write_table
    from replicate.duplicates.leaks import Leak

    columns = [field.name for field in fields(Leak)]
    write_table(pd.DataFrame([leak.as_dict() for leak in found], columns=columns), path)


def _text(value: dict[str, Any], found: "list[Leak]", given: dict[str, Any]) -> str:
    what = "" if value["within"] else f" with {value['n_reference']:,} reference images"
    n = value["n_reference"] if value["within"] else value["n_candidates"]
    cut = ", ".join(f"{count} {name}" for name, count in value["verdicts"].items())
    alike = "" if value["features"] is None else ", or with features alike"
    lines = [
        f"{n:,} images compared{what}: {value['n_pairs']:,} pairs within {value['radius']} of "
        f"{value['bits']} bits{alike}" + (f" ({cut})." if cut else ".")
    ]
    if not given["summary"]:
        for leak in found[:_SHOWN]:
            turn = "" if leak.transform == "none" else f", {leak.transform}"
            alike = "" if leak.similarity is None else f", cosine {leak.similarity:.3f}"
            lines.append(
                f"  {leak.verdict:11} {leak.distance:3} bits{turn}{alike}  "
                f"{leak.candidate}  =  {leak.reference}"
            )
        if len(found) > _SHOWN:
            lines.append(f"  … and {len(found) - _SHOWN:,} more: --output pairs.csv, --json")
    poor = {name: n for name, n in value["low_structure"].items() if n}
    for name, count in poor.items():
        lines.append(
            f"{count:,} {name} images have too little structure for a hash to tell them apart; "
            "their pairs are at most unsure, unless the pixels are equal."
        )
    if value["verdicts"].get("unconfirmed") and not given["no_confirm"]:
        lines.append("Pairs are unconfirmed where an image is not here to be looked at.")
    if not value["transforms"]:
        lines.append("Flipped and turned images were not sought.")
    if value["failed"]:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(value["failed"].items()))
        lines.append(f"Images that could not be read: {reasons}")
        lines += [f"  {item['path']}: {item['reason']}" for item in value["failed_images"][:_SHOWN]]
    return "\n".join(lines)


duplicates.add_command(calibrate)
