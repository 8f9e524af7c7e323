"""Drawing a test set from plain tables."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from replicate.crowd.frequency import Checked
    from replicate.sampling.frequencies import Frequencies
    from replicate.sampling.quota import Keywords
    from replicate.sampling.request import Request
    from replicate.sampling.tables import Drawn

NAMES = ("matched-frequency", "matched-estimated", "threshold", "top", "uniform", "quota")
TABLE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    epilog=example(
        "replicate sample table --original original.csv --pool new.csv --strategy "
        "matched-estimated --per-class 10 --min-votes 5 --seed 1 --holdout-votes 2 "
        "--output set.csv"
    )
)
@click.option("--original", required=True, type=TABLE, metavar="A.csv", help="Its votes.")
@click.option("--pool", required=True, type=TABLE, metavar="B.csv", help="The candidates' votes.")
@click.option(
    "--strategy", required=True, type=click.Choice(NAMES), help="How to draw; there is no default."
)
@click.option(
    "--per-class", required=True, type=click.IntRange(min=0), metavar="N",
    help="Images a class. quota: 0 for one in thirty of each keyword's original images.",
)  # fmt: skip
@click.option("--seed", required=True, type=click.IntRange(min=0), help="The seed of the draw.")
@click.option(
    "--bins", default="0.2,0.4,0.6,0.8", show_default=True, help="Inner edges of the bins."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    metavar="T",
    help="threshold, quota: smallest frequency.",
)
@click.option(
    "--min-votes", type=click.IntRange(min=1), default=10, show_default=True,
    help="Votes an image needs, those set aside not counted.",
)  # fmt: skip
@click.option(
    "--min-original-images", type=click.IntRange(min=1), default=20, show_default=True,
    help="Matching: original images with enough votes a class.",
)  # fmt: skip
@click.option("--fill", is_flag=True, help="Let other images stand in for missing ones; marked.")
@click.option(
    "--holdout-votes", type=click.IntRange(min=0), default=0, show_default=True, metavar="K",
    help="Votes an image set aside before drawing, to check the match.",
)  # fmt: skip
@click.option(
    "--keywords", type=click.IntRange(min=1), metavar="K",
    help="quota: the K most frequent keywords of the original count; both tables have a column "
    "keyword.",
)  # fmt: skip
@click.option(
    "--covariates", metavar="NAME,…",
    help="matched-estimated: columns of both tables whose means are matched, too.",
)  # fmt: skip
@click.option("--plan", is_flag=True, help="Show what is wanted, there and missing; draw nothing.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="SET.csv",
    help="Where the set goes: image_id, class_id, stratum, filled.",
)  # fmt: skip
@json_option
def table(
    original: Path,
    pool: Path,
    strategy: str,
    per_class: int,
    seed: int,
    bins: str,
    threshold: float | None,
    min_votes: int,
    min_original_images: int,
    fill: bool,
    holdout_votes: int,
    keywords: int | None,
    covariates: str | None,
    plan: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Draw a test set from tables of votes, without a study.

    The tables have the columns image_id, class_id, shown, selected. The set has images of every
    class of the pool.
    """
    from replicate.base.tables import read_table, write_table
    from replicate.crowd.frequency import Checked, check_table
    from replicate.sampling.request import Request
    from replicate.sampling.tables import draw_from_tables

    if (strategy == "quota") != (keywords is not None):
        raise UsageError("--keywords K belongs to --strategy quota, and that needs it.")
    if strategy != "quota" and not per_class:
        raise UsageError("--per-class 0 belongs to --strategy quota.", "Say 1 or more.")
    if covariates is not None and (strategy != "matched-estimated" or plan):
        raise UsageError("--covariates belongs to --strategy matched-estimated, without --plan.")
    names = tuple(name.strip() for name in (covariates or "").split(",") if name.strip())
    request = Request(
        name=strategy,
        strategy=strategy,
        per_class=per_class,
        seed=seed,
        min_votes=min_votes,
        edges=_edges(bins),
        min_original_images=min_original_images,
        fill=fill,
        threshold=threshold,
        keywords=keywords,
        covariates=names,
    )
    frames = read_table(original), read_table(pool)
    words = None if keywords is None else _keywords(frames, (original.name, pool.name))
    fresh = check_table(frames[1])
    if words is not None and not {"shown", "vote", "value", "selected"} & {*frames[0].columns}:
        # Quotas need the original's keywords alone; CIFAR-10 has no votes.
        old = Checked(fresh.counts.iloc[:0], None, ())
    else:
        old = check_table(frames[0])
    candidates = _frequencies(fresh)
    if plan:
        _show_plan(request, candidates, _frequencies(old), holdout_votes, words, as_json)
        return
    if output is None:
        raise UsageError("Say where the set goes.", "Add --output SET.csv, or --plan")
    extra = None
    if covariates is not None:
        extra = _numbers(frames[1], names, pool), _numbers(frames[0], names, original)
    drawn = draw_from_tables(
        request, candidates, _frequencies(old), candidates.class_ids(), holdout_votes, extra, words
    )
    write_table(_rows(drawn), output)
    left_out = Counter(item.reason for item in (*old.left_out, *fresh.left_out))
    value = {
        "n": len(drawn.chosen),
        "per_class": drawn.per_class,
        "filled": sum(item.filled for item in drawn.chosen),
        "digest": drawn.digest,
        "heldout": None if drawn.heldout is None else drawn.heldout.as_dict(),
        "covariates": [item.as_dict() for item in drawn.balance],
        "frequency_shift": None if drawn.shift is None else drawn.shift.as_dict(),
        "output": str(output),
        "left_out": dict(sorted(left_out.items())),
    }
    emit(value, as_json, _text(drawn, output))
    if left_out:
        say(f"{left_out.total()} rows were left out: {dict(sorted(left_out.items()))}")
        sys.exit(3)


def _edges(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise UsageError(f"{text!r} are no bin edges.", "Write them like 0.2,0.4,0.6,0.8") from None


def _numbers(
    frame: "pd.DataFrame", names: "Sequence[str]", path: Path
) -> dict[tuple[str, str], tuple[float, ...]]:
    """The covariates of every image that has them all."""
    import math

    import pandas as pd

    from replicate.base.tables import need_columns

    if not names or len(set(names)) < len(names):
        raise UsageError("--covariates names no column, or one twice.", "Write year,query_rank")
    need_columns(frame, ("image_id", "class_id", *names), path.name)
    columns = [pd.to_numeric(frame[name], errors="coerce").tolist() for name in names]
    keys = zip(frame["image_id"].tolist(), frame["class_id"].tolist(), strict=True)
    rows = zip(keys, zip(*columns, strict=True), strict=True)
    return {key: row for key, row in rows if all(map(math.isfinite, row))}


def _frequencies(checked: "Checked") -> "Frequencies":
    import numpy as np

    from replicate.sampling.frequencies import tabulated

    texts = (checked.counts[name].to_numpy(dtype=np.str_) for name in ("image_id", "class_id"))
    counts = (checked.counts[name].to_numpy(dtype=np.int64) for name in ("selected", "shown"))
    return tabulated(*texts, *counts)


def _rows(drawn: "Drawn") -> Any:
    import pandas as pd

    return pd.DataFrame(
        [(c.image_id, c.class_id, c.stratum, c.filled) for c in drawn.chosen],
        columns=["image_id", "class_id", "stratum", "filled"],
    )


def _text(drawn: "Drawn", output: Path) -> str:
    lines = [
        f"{len(drawn.chosen)} images of {len(drawn.per_class)} classes in {output}",
        f"digest {drawn.digest}",
    ]
    if filled := sum(item.filled for item in drawn.chosen):
        lines.append(f"{filled} of them stand in for images that are missing (column filled)")
    if drawn.shift is not None:
        lines.append(
            f"Matching covariates would have moved the mean true frequency by "
            f"{drawn.shift.expected:+.4f} (standard error {drawn.shift.se:.4f}), which the choice "
            "of votes makes up for"
        )
    if drawn.heldout is not None:
        lines.append(
            f"On the votes set aside: original {drawn.heldout.original:.4f}, new "
            f"{drawn.heldout.new:.4f}, difference {drawn.heldout.difference:.4f} "
            f"(standard error {drawn.heldout.se:.4f})"
        )
    lines += [
        f"{item.name}: original {item.original:.6g}, new {item.after:.6g}; by frequencies alone "
        f"it would be {item.before:.6g} (standard deviation {item.sd:.4g})"
        for item in drawn.balance
    ]
    return "\n".join(lines)


def show_needs(rows: "Sequence[Mapping[str, Any]]", as_json: bool) -> None:
    """Print what sets want, by class and stratum, and what it would take."""
    from replicate.sampling.advice import ASSUMPTION

    names = ("wanted", "there", "filled", "missing", "more_votes", "more_candidates")
    short = [row for row in rows if row["missing"]]
    head = " ".join(f"{name.replace('_', ' '):>15}" for name in names)
    lines = [f"{'set':18} {'class':>10} {'stratum':>15} {head}"]
    lines += [
        f"{row['set']:18} {row['class_id']:>10} {row['stratum']:>15} "
        + " ".join(f"{row[name]:>15}" for name in names)
        for row in rows
    ]
    lines.append(f"{len(short)} strata are short." if short else "Every stratum can be filled.")
    if short:
        lines.append(ASSUMPTION)
    value = {"strata": list(rows), "feasible": not short, "assumption": ASSUMPTION}
    emit(value, as_json, "\n".join(lines))


def _show_plan(
    request: "Request",
    pool: "Frequencies",
    original: "Frequencies",
    holdout_votes: int,
    keywords: "Keywords | None",
    as_json: bool,
) -> None:
    from dataclasses import asdict

    from replicate.sampling.advice import more_needed
    from replicate.sampling.feasibility import ORIGINAL_IMAGES
    from replicate.sampling.strategies import plan
    from replicate.sampling.tables import set_aside

    classes = pool.class_ids()
    pool, _ = set_aside(pool, holdout_votes, request.seed)
    original, _ = set_aside(original, holdout_votes, request.seed)
    rows = []
    for need in plan(request, pool, original, classes, keywords=keywords).needs:
        side = original if need.stratum == ORIGINAL_IMAGES else pool
        more = more_needed(need, side.of_class(need.class_id), request.min_votes)
        told = {"more_votes": more.votes, "more_candidates": more.candidates}
        rows.append({"set": request.name, **asdict(need), **told})
    show_needs(rows, as_json)


def _keywords(frames: "tuple[pd.DataFrame, pd.DataFrame]", names: tuple[str, str]) -> "Keywords":
    """The keywords of both tables; an image counts once for each keyword that it has."""
    from replicate.base.tables import need_columns
    from replicate.sampling.quota import Keywords

    columns = ["image_id", "class_id", "keyword"]
    sides = []
    for frame, name in zip(frames, names, strict=True):
        need_columns(frame, columns, name)
        rows = frame.loc[frame["keyword"] != "", columns].drop_duplicates()
        sides.append(list(rows.itertuples(index=False, name=None)))
    original: dict[str, Counter[str]] = {}
    for _, class_id, keyword in sides[0]:
        original.setdefault(class_id, Counter())[keyword] += 1
    pool: dict[tuple[str, str], set[str]] = {}
    for image, class_id, keyword in sides[1]:
        pool.setdefault((image, class_id), set()).add(keyword)
    return Keywords(original, pool)
