"""The accuracy gap between two sets at equal selection frequencies."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicate.analysis.adjust import AdjustedGaps, AtVotes, Gap
    from replicate.crowd.judged import JudgedTable

TABLE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    epilog=example("replicate adjust --original original.csv --new new.csv --seed 1 --json")
)
@click.option("--original", required=True, type=TABLE, metavar="A.csv", help="Its images.")
@click.option("--new", required=True, type=TABLE, metavar="B.csv", help="The new set's images.")
@click.option(
    "--votes-original", type=TABLE, metavar="VOTES.csv",
    help="Its single votes: image_id, class_id, worker_id, selected (or vote).",
)  # fmt: skip
@click.option(
    "--votes-new", type=TABLE, metavar="VOTES.csv", help="The new set's single votes, likewise."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Bootstrap.")
@click.option(
    "--resamples", type=click.IntRange(min=100), default=1000, show_default=True,
    help="Bootstrap resamples over images.",
)  # fmt: skip
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95,
    show_default=True, help="Confidence level of the intervals.",
)  # fmt: skip
@click.option(
    "--figure", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.svg",
    help="Draw the gap against 1 / votes there.",
)  # fmt: skip
@json_option
def adjust(
    original: Path,
    new: Path,
    votes_original: Path | None,
    votes_new: Path | None,
    seed: int,
    resamples: int,
    level: float,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Show how much of an accuracy gap is left at equal selection frequencies.

    The tables have the columns image_id, class_id, shown, selected, and correct: the share of
    models that are right on the image; or correct:MODEL, one column a model. The gap is original
    minus new. Votes are noisy, so that comparing images of the same observed frequency leaves a
    gap where there is none; the recommended estimator does not, as long as the new set's votes
    had no part in choosing its images. None is recommended where the sets are too small, or too
    unlike, for the answer to say anything; the cautions say why.

    Votes of one worker hang together. Give single votes, in tables of their own or with worker_id
    and selected (1 or 0) instead of shown and selected, and the intervals are over images and
    workers; a worker is the same in both tables if the id is.
    """
    from replicate.analysis.adjust import adjusted_gaps, gaps_by_votes
    from replicate.crowd.judged import WANTED

    old, fresh = _read(original, votes_original), _read(new, votes_new)
    if old.enough() and fresh.enough():
        old, fresh = old.at_least(WANTED), fresh.at_least(WANTED)

    def found(model: str | None) -> "AdjustedGaps":
        numbers: dict[str, int] = {}
        sides = old.judged(model, numbers), fresh.judged(model, numbers)
        return adjusted_gaps(*sides, seed, resamples=resamples, level=level)

    gaps = found(None)
    by_votes = gaps_by_votes(
        old.judged(), fresh.judged(), seed, resamples=min(resamples, 200), level=level
    )
    by_model = {model: found(model) for model in old.models if model in fresh.models}
    alone = sorted({*old.models} ^ {*fresh.models})
    value = {
        **_as_json(gaps),
        "n": {"original": len(old.rows), "new": len(fresh.rows)},
        "degree": gaps.degree,
        "held_out_votes": gaps.held,
        "level": level,
        "workers": gaps.workers,
        "by_votes": [_at_votes(each) for each in by_votes],
        "models": {name: _as_json(each) for name, each in by_model.items()},
        "excluded": [{"model": name, "reason": "only in one table"} for name in alone],
        "left_out": {
            original.name: _left_out(old),
            new.name: _left_out(fresh),
        },
    }
    if figure is not None:
        _draw(figure, by_votes)
        value["figure"] = str(figure)
    emit(value, as_json, _text(gaps, by_model, old, fresh))
    if as_json:  # else the text says them
        for line in _cautions(gaps, by_model):
            say(line)
    if _say_left_out(original.name, old) + _say_left_out(new.name, fresh) or alone:
        for name in alone:
            say(f"Left out: the model {name} is in one table only.")
        sys.exit(3)


def _read(table: Path, votes: Path | None) -> "JudgedTable":
    from replicate.base.tables import read_table
    from replicate.crowd.judged import judged_table

    return judged_table(read_table(table), table.name, None if votes is None else read_table(votes))


def _draw(path: Path, by_votes: "Sequence[AtVotes]") -> None:
    from replicate.base.files import write_text
    from replicate.reporting.adjusted import by_votes_svg

    if path.suffix.lower() != ".svg":
        raise UsageError(f"{path} is no SVG file by its name.", "Name it like gap.svg")
    write_text(path, by_votes_svg(by_votes))


def _at_votes(found: "AtVotes") -> dict[str, Any]:
    return {
        "votes": found.votes,
        "estimators": {name: _gap(gap) for name, gap in found.estimators.items()},
        "recommended": found.recommended,
    }


def _as_json(gaps: "AdjustedGaps") -> dict[str, Any]:
    return {
        "raw": _gap(gaps.raw),
        "estimators": {name: _gap(gap) for name, gap in gaps.estimators.items()},
        "recommended": gaps.recommended,
        "warnings": [vars(caution) for caution in gaps.cautions],
    }


def _gap(gap: "Gap") -> dict[str, Any]:
    ends = [gap.interval.low, gap.interval.high]
    return {"gap": gap.gap, "ci": ends, "worker_sd": gap.worker_sd, "allowance": gap.allowance}


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
    lines = [
        f"Gap in accuracy, original ({len(old.rows)} images) minus new ({len(fresh.rows)}), "
        "in points:",
        f"  raw         {_points(gaps.raw)}",
        *(
            f"  {name:11} {_points(gap)}{'  (recommended)' if name == gaps.recommended else ''}"
            for name, gap in gaps.estimators.items()
        ),
        *(
            f"  {model}: raw {_points(found.raw)}, adjusted {_recommended(found)}"
            for model, found in by_model.items()
        ),
        "Intervals are over images and their votes"
        + (f", and over {gaps.workers} workers." if gaps.workers else "; who voted is not known."),
        _left(gaps),
        *_cautions(gaps, by_model),
    ]
    return "\n".join(lines)


def _cautions(gaps: "AdjustedGaps", by_model: dict[str, "AdjustedGaps"]) -> list[str]:
    """What there is to say against the estimates; of models, what is not said of their mean."""
    known = {caution.code for caution in gaps.cautions}
    return [
        *(f"Warning: {caution.message}" for caution in gaps.cautions),
        *(
            f"Warning: {model}: {caution.message}"
            for model, found in by_model.items()
            for caution in found.cautions
            if caution.code not in known
        ),
    ]


def _left(gaps: "AdjustedGaps") -> str:
    if gaps.recommended is None:
        return "How much is left at equal selection frequencies cannot be told."
    best = gaps.estimators[gaps.recommended]
    raw = 100 * gaps.raw.gap
    return f"At equal selection frequencies {100 * best.gap:.1f} of {raw:.1f} points are left."


def _recommended(gaps: "AdjustedGaps") -> str:
    if gaps.recommended is None:
        return "cannot be told"
    return _points(gaps.estimators[gaps.recommended])


def _points(gap: "Gap") -> str:
    low, high = 100 * gap.interval.low, 100 * gap.interval.high
    return f"{100 * gap.gap:6.2f} [{low:.2f}, {high:.2f}]"
