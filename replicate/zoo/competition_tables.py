"""Tables of competitions: a row a team, with its public and its private score."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from replicate.analysis.competitions import Competition
from replicate.base.errors import UsageError
from replicate.zoo.score_tables import read_frame, renamed

if TYPE_CHECKING:
    import pandas as pd

_ALIASES = {
    "competition": "competition competition_id competition_name contest challenge",
    "team": "team team_id team_name user submission model name",
    "public": "public public_score publicscore public_leaderboard score_public",
    "private": "private private_score privatescore private_leaderboard score_private",
    "n_public": "n_public public_n num_public size_public",
    "n_private": "n_private private_n num_private size_private",
    "direction": "direction higher_is_better lower_is_better order metric_direction",
}
_LOWER = ("lower", "min", "minimize", "minimise", "asc", "ascending", "down", "-1", "-", "error")
_HIGHER = ("", "nan", "none", "higher", "max", "maximize", "maximise", "desc", "descending", "up",
           "1", "1.0", "+")  # fmt: skip


def read_competitions(path: Path) -> tuple[list[Competition], list[str]]:
    """Read a table of competitions.

    Scores where lower is better (``direction`` lower, min, −1) change their sign, so that higher
    is better throughout.

    Args:
        path: CSV, TSV, JSON, JSON lines or Parquet.

    Returns:
        The competitions, and what had to be guessed.

    Raises:
        UsageError: It cannot be read, or columns are missing.
    """
    frame, columns = renamed(read_frame(path), _ALIASES)
    lacking = [name for name in ("competition", "public", "private") if name not in columns]
    if lacking:
        raise UsageError(
            f"{path.name} lacks the columns {', '.join(lacking)} (it has: "
            f"{', '.join(map(str, frame.columns))}).",
            "Its columns are competition, team, public, private, n_public, n_private, direction.",
        )
    warnings: list[str] = []
    found = []
    for name, rows in frame.groupby("competition", sort=True):
        public, private = (_numbers(rows, side) for side in ("public", "private"))
        gone = int((~np.isfinite(public) | ~np.isfinite(private)).sum())
        if gone:
            warnings.append(f"{name}: {gone} of {len(rows)} teams lack a score and were left out")
        if gone == len(rows):
            continue
        sign = _sign(str(name), rows, columns.get("direction", ""))
        sizes = [_size(rows, column) for column in ("n_public", "n_private")]
        found.append(Competition(str(name), sign * public, sign * private, sizes[0], sizes[1]))
    if not found:
        raise UsageError(f"No team of {path.name} has both scores.")
    return found, warnings


def _numbers(rows: "pd.DataFrame", column: str) -> Any:
    import pandas as pd

    return pd.to_numeric(rows[column], errors="coerce").to_numpy(np.float64)


def _size(rows: "pd.DataFrame", column: str) -> int | None:
    if column not in rows:
        return None
    values = _numbers(rows, column)
    values = values[np.isfinite(values) & (values > 0)]
    return int(values.max()) if values.size else None


def _sign(name: str, rows: "pd.DataFrame", column: str) -> int:
    if "direction" not in rows:
        return 1
    words = {str(word).strip().casefold() for word in rows["direction"]}
    lower_column = "lower" in column.casefold()
    yes, no = {"true", "yes"}, {"false", "no"}
    lower = words & (set(_LOWER) | (yes if lower_column else no))
    higher = words & (set(_HIGHER) | (no if lower_column else yes))
    if len(lower) + len(higher) != len(words) or (lower and higher):
        raise UsageError(
            f"The direction of {name} is not clear: {', '.join(sorted(words))}.",
            "Write higher or lower, the same for all teams of a competition.",
        )
    return -1 if lower else 1
