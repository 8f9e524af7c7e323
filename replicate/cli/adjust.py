"""The accuracy gap between two sets at equal selection frequencies."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    from replicate.analysis.adjust import AdjustedGaps, Gap
    from replicate.crowd.judged import JudgedTable

TABLE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    epilog=example("replicate adjust --original original.csv --new new.csv --seed 1 --json")
)
@click.option("--original", required=True, type=TABLE, metavar="A.csv", help="Its images.")
@click.option("--new", required=True, type=TABLE, metavar="B.csv", help="The new set's images.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Bootstrap.")
@click.option(
    "--resamples", type=click.IntRange(min=100), default=1000, show_default=True,
    help="Bootstrap resamples over images.",
)  # fmt: skip
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95,
    show_default=True, help="Confidence level of the intervals.",
)  # fmt: skip
@json_option
def adjust(
    original: Path, new: Path, seed: int, resamples: int, level: float, as_json: bool
) -> None:
    """Show how much of an accuracy gap is left at equal selection frequencies.

    The tables have the columns image_id, class_id, shown, selected, and correct: the share of
    models that are right on the image; or correct:MODEL, one column a model. The gap is original
    minus new. Votes are noisy, so that comparing images of the same observed frequency leaves a
    gap where there is none; the recommended estimator does not, as long as the new set's votes
    had no part in choosing its images.
    """
    from replicate.analysis.adjust import adjusted_gaps
    from replicate.base.tables import read_table
    from replicate.crowd.judged import WANTED, judged_table

    old = judged_table(read_table(original), original.name)
    fresh = judged_table(read_table(new), new.name)
    if old.enough() and fresh.enough():
        old, fresh = old.at_least(WANTED), fresh.at_least(WANTED)

    def found(model: str | None) -> "AdjustedGaps":
        sides = old.judged(model), fresh.judged(model)
        return adjusted_gaps(*sides, seed, resamples=resamples, level=level)

    gaps = found(None)
    by_model = {model: found(model) for model in old.models if model in fresh.models}
    alone = sorted({*old.models} ^ {*fresh.models})
    value = {
        **_as_json(gaps),
        "n": {"original": len(old.rows), "new": len(fresh.rows)},
        "degree": gaps.degree,
        "held_out_votes": gaps.held,
        "level": level,
        "models": {name: _as_json(each) for name, each in by_model.items()},
        "excluded": [{"model": name, "reason": "only in one table"} for name in alone],
        "left_out": {
            original.name: _left_out(old),
            new.name: _left_out(fresh),
        },
    }
    emit(value, as_json, _text(gaps, by_model, old, fresh))
    if _say_left_out(original.name, old) + _say_left_out(new.name, fresh) or alone:
        for name in alone:
            say(f"Left out: the model {name} is in one table only.")
        sys.exit(3)


def _as_json(gaps: "AdjustedGaps") -> dict[str, Any]:
    return {
        "raw": _gap(gaps.raw),
        "estimators": {name: _gap(gap) for name, gap in gaps.estimators.items()},
        "recommended": gaps.recommended,
    }


def _gap(gap: "Gap") -> dict[str, Any]:
    return {"gap": gap.gap, "ci": [gap.interval.low, gap.interval.high]}


def _left_out(table: "JudgedTable") -> list[dict[str, Any]]:
    return [vars(item) for item in table.left_out[:20]]


def _say_left_out(name: str, table: "JudgedTable") -> int:
    for item in table.left_out[:5]:
        say(f"Left out of {name}: row {item.row}: {item.message}")
    if table.left_out:
        say(f"{len(table.left_out)} rows of {name} were left out.")
    return len(table.left_out)


def _text(
    gaps: "AdjustedGaps",
    by_model: dict[str, "AdjustedGaps"],
    old: "JudgedTable",
    fresh: "JudgedTable",
) -> str:
    best = gaps.estimators[gaps.recommended]
    lines = [
        f"Gap in accuracy, original ({len(old.rows)} images) minus new ({len(fresh.rows)}), "
        "in points:",
        f"  raw         {_points(gaps.raw)}",
        *(
            f"  {name:11} {_points(gap)}{'  (recommended)' if name == gaps.recommended else ''}"
            for name, gap in gaps.estimators.items()
        ),
        *(
            f"  {model}: raw {_points(found.raw)}, adjusted "
            f"{_points(found.estimators[found.recommended])}"
            for model, found in by_model.items()
        ),
        f"At equal selection frequencies {100 * best.gap:.1f} of {100 * gaps.raw.gap:.1f} points "
        "are left.",
    ]
    return "\n".join(lines)


def _points(gap: "Gap") -> str:
    low, high = 100 * gap.interval.low, 100 * gap.interval.high
    return f"{100 * gap.gap:6.2f} [{low:.2f}, {high:.2f}]"
