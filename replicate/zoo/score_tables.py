"""Tables of published scores: counts, scores or per-item scores, in whatever order of columns.

One row a model and set (``model, test_set, correct, n`` or ``model, test_set, score``), one a
model, set and item (``model, test_set, item, score``), or one a model with a column a set.
"""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from replicate.analysis.scores import Scores, from_items
from replicate.base.errors import MissingError, UsageError
from replicate.zoo.published_folders import Excluded, Published

if TYPE_CHECKING:
    import pandas as pd

_ALIASES = {
    "model": "model model_name modelname name system method classifier network arch architecture "
    "submission",
    "test_set": "test_set testset set set_name dataset data_set test split benchmark eval_set "
    "evaluation_set eval_setting distribution",
    "correct": "correct n_correct num_correct correct_count right hits n_right successes",
    "n": "n total n_images num_images n_items num_items n_examples num_examples n_total size "
    "images count n_samples num_samples",
    "item": "item item_id image image_id example example_id index question question_id sample_id "
    "id filename",
    "error": "error error_rate err top1_error top_1_error wer",
    "score": "score accuracy acc top1 top_1 top1_accuracy top_1_accuracy value f1 auc em "
    "exact_match metric is_correct",
    "human": "human is_human",
    "group": "group cluster writer owner",
}


def read_table(
    path: Path, *, lower_is_better: bool = False, renames: dict[str, str] | None = None
) -> Published:
    """Read a table of scores.

    Args:
        path: ``.csv``, ``.tsv``, ``.txt``, ``.json``, ``.jsonl`` or ``.parquet``.
        lower_is_better: Whether scores are errors; they become 1 − score.
        renames: A model's name in the table → the name in use.

    Raises:
        UsageError: It cannot be read, or its columns are not those of such a table.
    """
    frame = read_frame(path)
    found = Published()
    columns = _columns(frame, _ALIASES)
    if "test_set" not in columns:
        frame, columns = _from_wide(frame, columns, path)
    frame = frame.rename(columns={old: new for new, old in columns.items()})
    for name in ("model", "test_set"):
        frame[name] = frame[name].astype(str).str.strip()
    known = (frame["model"] != "") & (frame["model"] != "nan") & (frame["test_set"] != "")
    if not known.all():
        found.warnings.append(f"{int((~known).sum())} rows without a model or a set were left out")
        frame = frame[known]
    frame["model"] = frame["model"].replace(renames or {})
    if frame.empty:
        raise UsageError(f"{path.name} has no rows.")
    if "human" in columns:
        truth = frame["human"].astype(str).str.lower().isin({"1", "true", "yes", "y", "1.0"})
        found.human = set(frame.loc[truth, "model"])
    frame = _scored(frame, path, lower_is_better, found)
    for name in dict.fromkeys(frame["test_set"]):
        rows = frame[frame["test_set"] == name]
        found.sets.append(
            _item_set(name, rows, found) if "item" in frame else _total_set(name, rows, found)
        )
    return found


def read_frame(path: Path) -> "pd.DataFrame":
    """A table from a CSV, TSV, JSON, JSON lines or Parquet file.

    Raises:
        UsageError: It is not there or cannot be read.
    """
    import pandas as pd

    if not path.is_file():
        raise MissingError(f"There is no table at {path}.")
    suffix = path.suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        elif suffix in (".json", ".jsonl", ".ndjson"):
            frame = pd.DataFrame(_records(path.read_text(encoding="utf-8-sig")))
        else:
            text = path.read_text(encoding="utf-8-sig")
            head = next((x for x in text.splitlines() if x.strip() and x[0] != "#"), "")
            mark = max("\t;,", key=head.count)
            frame = pd.read_csv(
                path, sep=mark, comment="#", skipinitialspace=True, encoding="utf-8-sig"
            )
    except ImportError as error:
        raise MissingError(
            f"{path.name} is a Parquet file, which needs pyarrow.", "pip install pyarrow"
        ) from error
    except pd.errors.EmptyDataError:
        raise UsageError(
            f"{path.name} is empty.", "Give a table with a row of column names."
        ) from None
    except (ValueError, OSError, UnicodeError, KeyError) as error:
        raise UsageError(f"{path.name} cannot be read as a table: {error}") from error
    frame.columns = pd.Index([str(name) for name in frame.columns])
    return frame


def _records(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(value, dict) and len(value) <= 3:
        lists = [item for item in value.values() if isinstance(item, list)]
        if len(lists) == 1 and all(isinstance(row, dict) for row in lists[0]):
            return lists[0]
    return value


def _plain(name: str) -> str:
    return re.sub(r"[\s\-.]+", "_", name.strip().casefold()).strip("_")


def renamed(
    frame: "pd.DataFrame", aliases: Mapping[str, str]
) -> tuple["pd.DataFrame", dict[str, str]]:
    """A table whose columns have our names, and our name → the one that it had.

    Args:
        frame: The table.
        aliases: Our name → other spellings, with spaces between them.
    """
    columns = _columns(frame, aliases)
    return frame.rename(columns={old: new for new, old in columns.items()}), columns


def _columns(frame: "pd.DataFrame", known: Mapping[str, str]) -> dict[str, str]:
    """Our name of a column → the table's."""
    plain = {_plain(name): name for name in frame.columns}
    chosen: dict[str, str] = {}
    for ours, aliases in known.items():
        for alias in aliases.split():
            if alias in plain and plain[alias] not in chosen.values():
                chosen[ours] = plain[alias]
                break
    return chosen


def _from_wide(
    frame: "pd.DataFrame", columns: dict[str, str], path: Path
) -> tuple["pd.DataFrame", dict[str, str]]:
    """A table with one column a set, as one with a row a model and set."""
    taken = {columns.get("model"), columns.get("human")}
    sets = [name for name in frame.columns if name not in taken and frame[name].dtype.kind in "iuf"]
    if "model" not in columns or len(sets) < 2:
        raise UsageError(
            f"{path.name} has no columns that say model and test set (it has: "
            f"{', '.join(frame.columns)}).",
            "Name them model, test_set, and correct and n, or score.",
        )
    kept = [columns[name] for name in ("model", "human") if name in columns]
    long = frame.melt(id_vars=kept, value_vars=sets, var_name="test_set", value_name="score")
    wide: dict[str, str] = {name: columns[name] for name in ("model", "human") if name in columns}
    long = long[long["score"].notna()]
    return long, {**wide, "test_set": "test_set", "score": "score"}


def _scored(frame: "pd.DataFrame", path: Path, lower: bool, found: Published) -> "pd.DataFrame":
    """The table with a column ``score`` in which higher is better."""
    import pandas as pd

    for name in ("correct", "n", "score", "error"):
        if name in frame:
            values = frame[name]
            if values.dtype.kind == "b":
                frame[name] = values.astype(float)
            elif values.dtype.kind not in "iuf":
                text = values.astype(str).str.strip().str.rstrip("%").str.replace(",", "")
                text = text.str.lower().replace({"true": "1", "false": "0"})
                frame[name] = pd.to_numeric(text, errors="coerce")
    if "score" not in frame and "error" in frame:
        frame["score"], lower = frame["error"], True
    if "item" in frame and "score" not in frame and "correct" in frame:
        frame["score"] = frame["correct"]
    if "item" in frame and "n" in frame:
        frame = frame.drop(columns=["n"])
    if "score" not in frame:
        if not {"correct", "n"} <= set(frame.columns):
            raise UsageError(
                f"{path.name} has neither a column score nor columns correct and n (it has: "
                f"{', '.join(frame.columns)}).",
                "Name them correct and n, or score.",
            )
        bad = ~(frame["n"] > 0) | ~(frame["correct"] >= 0) | (frame["correct"] > frame["n"])
        _drop(frame, bad, "correct is not between 0 and n", found)
        frame = frame[~bad].copy()
        frame["score"] = frame["correct"] / frame["n"]
        return frame
    bad = ~np.isfinite(frame["score"])
    _drop(frame, bad, "the score is missing", found)
    frame = frame[~bad].copy()
    if len(frame) and 1.5 < frame["score"].max() <= 100 and frame["score"].min() >= 0:
        found.warnings.append("scores lie between 0 and 100: they were read as percentages")
        frame["score"] = frame["score"] / 100
    if lower:
        inside = len(frame) and frame["score"].between(0, 1).all()
        frame["score"] = (1 - frame["score"]) if inside else -frame["score"]
        found.warnings.append(
            "lower scores are better: each was turned into "
            + ("1 − score" if inside else "−score (linear scale only)")
        )
    return frame


def _drop(frame: "pd.DataFrame", bad: Any, why: str, found: Published) -> None:
    for model, name in frame.loc[bad, ["model", "test_set"]].drop_duplicates().to_numpy():
        found.excluded.append(Excluded(str(model), str(name), "out_of_range", why))


def _total_set(name: str, rows: "pd.DataFrame", found: Published) -> Scores:
    keep = ["score", "n"] if "n" in rows else ["score"]
    rows = rows.drop_duplicates(["model", *keep])
    twice = sorted(set(rows.loc[rows["model"].duplicated(keep=False), "model"]))
    for model in twice:
        text = "several rows that do not agree"
        found.excluded.append(Excluded(model, name, "duplicate", text))
    rows = rows[~rows["model"].isin(twice)].sort_values("model")
    n = rows["n"].fillna(0).to_numpy() if "n" in rows else np.zeros(len(rows))
    score = rows["score"].to_numpy(np.float64)
    count = n.astype(np.int64)
    # A rounded share of n items is a whole number of them.
    exact = np.round(score * count) / np.maximum(count, 1)
    near = (count > 0) & (np.abs(exact - score) <= 6e-4) & (score >= 0) & (score <= 1)
    score = np.where(near, exact, score)
    return Scores(name, tuple(rows["model"]), score, count)


def _item_set(name: str, rows: "pd.DataFrame", found: Published) -> Scores:
    rows = rows.drop_duplicates(["model", "item", "score"])
    twice = rows.duplicated(["model", "item"], keep=False)
    gone: Collection[str] = sorted(set(rows.loc[twice, "model"]))
    for model in gone:
        text = "several scores of one item that do not agree"
        found.excluded.append(Excluded(model, name, "duplicate", text))
    outside = ~rows["score"].between(0, 1) & ~rows["model"].isin(gone)
    for model in sorted(set(rows.loc[outside, "model"])):
        text = "per-item scores must lie between 0 and 1"
        found.excluded.append(Excluded(model, name, "out_of_range", text))
        gone = [*gone, model]
    table = rows[~rows["model"].isin(gone)].pivot(index="item", columns="model", values="score")
    if table.empty:
        return Scores(name, (), np.zeros(0), np.zeros(0, np.int64))
    # The items that most models have; who lacks one of them cannot be compared item by item.
    have = table.notna()
    sizes = have.sum()
    usual = have[sizes[sizes == sizes.mode().max()].index[0]]
    lacking = ~have[usual].all()
    for model in table.columns[lacking]:
        text = f"no score for {int((~have.loc[usual, model]).sum())} of {int(usual.sum())} items"
        found.excluded.append(Excluded(str(model), name, "missing_items", text))
    table = table.loc[usual, ~lacking]
    if int((~usual).sum()):
        found.warnings.append(f"{name}: {int((~usual).sum())} items that few models have were cut")
    groups = None
    if "group" in rows:
        of_item = rows.drop_duplicates("item").set_index("item")["group"]
        groups = of_item.reindex(table.index).astype(str).to_numpy()
    names = tuple(str(model) for model in table.columns)
    return from_items(name, names, table.to_numpy(np.float64), None, groups)
