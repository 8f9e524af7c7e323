"""What the options of `replicate analyze` stand for."""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from replicate.analysis.fits import Scale
from replicate.analysis.measures import OF_PREDICTIONS
from replicate.analysis.replication_data import Options
from replicate.analysis.scores import Scores, mean_per_class
from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.zoo.published import read_published
from replicate.zoo.published_files import read_column
from replicate.zoo.published_folders import Published
from replicate.zoo.published_names import clean, match, parse_renames
from replicate.zoo.score_tables import read_table


def read_inputs(given: Mapping[str, Any]) -> tuple[Published, Scores, list[Scores]]:
    """Read the folders or the table.

    Args:
        given: The command's options.

    Returns:
        All that was read, the original's scores, and those of the new sets.

    Raises:
        UsageError: Options are missing or do not fit each other.
    """
    if given["original"] is None:
        raise UsageError(
            "Which is the original?",
            "replicate analyze TABLE --original SET, or --original DIR --labels-original FILE …",
        )
    published, names = _table(given) if given["table"] is not None else _folders(given)
    if given["metric"] in OF_PREDICTIONS:
        _only_whole_sets(given)
    by_name = {scores.name: scores for scores in published.sets}
    original, others = by_name[names[0]], [by_name[name] for name in names[1:]]
    groups = values_by_set(given["groups"], [original, *others], "groups")
    original, others = _grouped(original, groups), [_grouped(x, groups) for x in others]
    if given["same_classes"]:
        if given["subgroups"] or given["frequencies"]:
            raise UsageError("--same-classes leaves items out: give files of those that are left.")
        original, others = _same_classes(original, others, published)
    if given["metric"] == "mean-per-class":
        if groups:
            raise UsageError("--metric mean-per-class resamples within classes: without --groups.")
        original, others = mean_per_class(original), [mean_per_class(x) for x in others]
    return published, original, others


def _only_whole_sets(given: Mapping[str, Any]) -> None:
    """Refuse what would be another score than the one that was asked for."""
    for option, name in (("pairs", "--pairs"), ("same_classes", "--same-classes")):
        if given[option]:
            raise UsageError(f"--metric {given['metric']} is of whole sets: without {name}.")
    if given["top"] != 1:
        raise UsageError(f"--metric {given['metric']} is of first choices: without --top.")
    if given["table"] is not None:
        raise UsageError(
            f"--metric {given['metric']} is computed from predictions, and a TABLE holds scores.",
            "Leave out --metric: a column score is taken as it is.",
        )


def _class_names(path: Path | None) -> list[str] | None:
    if path is None:
        return None
    if not path.is_file():
        raise MissingError(f"There is no list of classes at {path}.")
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    names = [line for line in lines if line]
    if len(set(names)) < len(names) or not names:
        raise UsageError(f"{path} is no list of classes.", "Write one class a line, none twice.")
    return names


def _folders(given: Mapping[str, Any]) -> tuple[Published, list[str]]:
    if given["labels_original"] is None:
        raise UsageError("The original's labels are missing.", "Add --labels-original FILE.")
    if not given["new"]:
        raise UsageError("There is no new set.", "Add --new NAME=DIR --labels-new NAME=FILE.")
    new, labels = _named(given["new"], "--new"), _named(given["labels_new"], "--labels-new")
    if "original" in new:
        raise UsageError("A new set cannot be called original.", "Give it another name.")
    for name in labels:
        if name not in new:
            raise UsageError(
                f"--labels-new names {name!r}, but --new does not.",
                f"The new sets are: {', '.join(new)}.",
            )
    published = read_published(
        [("original", Path(given["original"])), *new.items()],
        {"original": given["labels_original"], **labels},
        renames=parse_renames(given["rename"]),
        repair=given["repair"],
        top=given["top"],
        metric=given["metric"],
        lower_is_better=given["lower_is_better"],
        classes=_class_names(given["classes"]),
    )
    return published, ["original", *new]


def _named(texts: Sequence[str], option: str) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (equals and name.strip() and path.strip()):
            raise UsageError(f"{option} has the form NAME=PATH, not {text!r}.")
        if name.strip() in named:
            raise UsageError(f"{option} names {name.strip()!r} twice.")
        named[name.strip()] = Path(path.strip())
    return named


def _table(given: Mapping[str, Any]) -> tuple[Published, list[str]]:
    refused = [name for name in ("labels_original", "labels_new") if given[name]]
    if refused:
        raise UsageError("A TABLE of scores needs no labels.", "Leave out --labels-….")
    path: Path = given["table"]
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder, not a table.",
            "replicate analyze --original DIR --labels-original FILE --new NAME=DIR …",
        )
    renames = parse_renames(given["rename"])
    published = read_table(path, lower_is_better=given["lower_is_better"], renames=renames)
    there = [scores.name for scores in published.sets]
    original = _set_name(given["original"], there, path)
    named = [_set_name(name, there, path) for name in given["new"]]
    names = named or [name for name in there if name != original]
    if not names:
        raise UsageError(f"{path.name} has no set but {original!r}: there is nothing to compare.")
    chosen = {original, *names}
    published.excluded = [item for item in published.excluded if item.set in chosen]
    models = {scores.name: set(scores.models) for scores in published.sets}
    for name in names:
        lacking = sorted(models[original] ^ models[name])
        if lacking:
            published.warnings.append(
                f"{name}: models with scores on only one of {original} and {name} are not "
                f"compared: {', '.join(lacking[:8])}"
                + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
            )
    return published, [original, *dict.fromkeys(name for name in names if name != original)]


def _set_name(text: str, there: Sequence[str], path: Path) -> str:
    folded = {name.casefold().replace("-", "_").replace(" ", "_"): name for name in there}
    key = text.strip().casefold().replace("-", "_").replace(" ", "_")
    if text in there:
        return text
    if key not in folded:
        raise UsageError(
            f"There is no set {text!r} in {path.name}.", f"Its sets are: {', '.join(there)}."
        )
    return folded[key]


def options_of(given: Mapping[str, Any], published: Published, original: Scores) -> Options:
    """The options of the analysis.

    Raises:
        UsageError: A number is out of range or a file cannot be used.
    """
    if not 0 < given["level"] < 1:
        raise UsageError("--level lies between 0 and 1, such as 0.95.")
    if given["resamples"] < 20:
        raise UsageError("--resamples must be at least 20.")
    margin = given["margin"]
    if margin is not None and not 0 < margin < 100:
        raise UsageError("--margin is in percentage points, above 0.")
    patterns = [text.casefold() for text in given["human"] or ("human*",)]
    names = {name for scores in published.sets for name in scores.models}
    human = {n for n in names if any(fnmatch.fnmatch(n.casefold(), p) for p in patterns)}
    scale: Scale = given["scale"]
    return Options(
        baseline=_baseline(given["baseline"], original),
        human=frozenset(human | published.human),
        scale=scale,
        seed=given["seed"],
        resamples=given["resamples"],
        level=given["level"],
        margin=None if margin is None else margin / 100,
        pairs=_pairs(given["pairs"], original, published.sets),
        dates=_dates(given["dates"], original),
    )


def _baseline(path: Path | None, original: Scores) -> frozenset[str] | None:
    if path is None:
        return None
    if not path.is_file():
        raise MissingError(f"The list of baseline models is not at {path}.")
    lines = [line.strip().strip('",') for line in path.read_text(encoding="utf-8-sig").splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise UsageError(f"{path} names no baseline model.", "Write one model a line.")
    cleaned = [name if name in original.models else clean(name) for name in names]
    found = match(original.models, cleaned)
    return frozenset(found.names.values())


def _dates(path: Path | None, original: Scores) -> dict[str, float]:
    """Model → release in years, from lines ``model,2019`` or ``model,2019-06-30``."""
    if path is None:
        return {}
    if not path.is_file():
        raise MissingError(f"The releases are not at {path}.")
    years: dict[str, float] = {}
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        name, _, text = line.rpartition(",")
        found = re.fullmatch(r"\s*\"?(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?\"?\s*", text)
        if found is None or not name.strip():
            is_header = not years and re.search("date|year|released", line, re.IGNORECASE)
            if line.strip() and not is_header:
                raise UsageError(
                    f"{path} has a line that is no model with a date: {line!r}.",
                    "Write model,2019 or model,2019-06-30 a line.",
                )
            continue
        month, day = int(found[2] or 7), int(found[3] or 1)
        years[name.strip().strip('"')] = int(found[1]) + (month - 1) / 12 + (day - 1) / 365
    names = match(original.models, list(years)).names
    return {names[name]: year for name, year in years.items()}


def values_by_set(texts: Sequence[str], sets: Sequence[Scores], what: str) -> dict[str, Any]:
    """Files of one value an item, for the set that they name or that has as many items."""
    found: dict[str, Any] = {}
    for text in texts:
        name, path = _maybe_named(text, [scores.name for scores in sets])
        if not path.is_file():
            raise MissingError(f"There is no file of {what} at {path}.")
        try:
            column = read_column(path).values[:, 0]
        except ItemError as error:
            raise UsageError(f"The {what} cannot be used: {error.message}.") from error
        fit = [
            s.name
            for s in sets
            if (s.classes is not None and len(s.classes) == len(column))
            or (s.items is not None and len(s.items) == len(column))
        ]
        if name is not None:
            fit = [item for item in fit if item == name]
        if len(fit) != 1:
            raise UsageError(
                f"{path} has {len(column)} {what}, and {who_fits(fit, name)}.",
                f"Say which set it is for: --{what} NAME={path}",
            )
        found[fit[0]] = column
    return found


def who_fits(fit: Sequence[str], name: str | None) -> str:
    """Which sets have as many items as a file, where that is not one."""
    if name is not None:
        return f"the set {name} has another number of items"
    if not fit:
        return "no set has that many items"
    return f"{len(fit)} sets have that many items: {', '.join(fit)}"


def _maybe_named(text: str, names: Sequence[str]) -> tuple[str | None, Path]:
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals and name in names else (None, Path(text))


def _grouped(scores: Scores, groups: Mapping[str, Any]) -> Scores:
    if scores.name not in groups or not scores.drawable:
        return scores
    return replace(scores, groups=groups[scores.name])


def _pairs(texts: Sequence[str], original: Scores, sets: Sequence[Scores]) -> dict[str, Any]:
    """Files of matched items: for each item of the new set, one of the original; or two columns."""
    found: dict[str, Any] = {}
    others = [scores for scores in sets if scores.name != original.name]
    for text in texts:
        name, path = _maybe_named(text, [scores.name for scores in others])
        if not path.is_file():
            raise MissingError(f"There is no file of pairs at {path}.")
        if name is None and len(others) != 1:
            raise UsageError("Which new set are the pairs of?", f"Write --pairs NAME={path}")
        left, right = _matched(path)
        found[name or others[0].name] = (left, right)
    return found


def _matched(path: Path) -> tuple[Any, Any]:
    header = path.read_text(encoding="utf-8-sig").splitlines()[:1] if path.suffix != ".npy" else []
    names = [x.strip().lower() for x in header[0].split(",")] if header else []
    if "original" in names and "new" in names:
        rows = np.genfromtxt(path, delimiter=",", skip_header=1, dtype=float, ndmin=2)
        table = rows[:, [names.index("original"), names.index("new")]]
    else:
        try:
            table = read_column(path).values
        except ItemError as error:
            raise UsageError(f"The pairs cannot be used: {error.message}.") from error
    if table.dtype.kind not in "iuf" or table.shape[1] > 2 or not np.isfinite(table).all():
        raise UsageError(
            f"{path} does not hold pairs of items.",
            "Two columns original,new of item numbers from 0, or the original's for each new item.",
        )
    values = table.astype(np.int64)
    if values.shape[1] == 1:
        return values[:, 0], np.arange(len(values))
    return values[:, 0], values[:, 1]


def _same_classes(
    original: Scores, others: list[Scores], published: Published
) -> tuple[Scores, list[Scores]]:
    sets = [original, *others]
    if any(scores.classes is None for scores in sets):
        raise UsageError("--same-classes needs labels, which a table of scores does not have.")
    common = set.intersection(*(set(np.unique(np.asarray(s.classes)).tolist()) for s in sets))
    if not common:
        raise UsageError("The sets have no class in common.")
    kept = []
    for scores in sets:
        keep = np.isin(np.asarray(scores.classes), sorted(common))
        kept.append(scores if keep.all() else scores.rows(keep))
        if not keep.all():
            published.warnings.append(
                f"{scores.name}: {int(keep.sum())} of {keep.size} items are of the {len(common)} "
                f"classes that all sets have; the others were left out"
            )
    return kept[0], kept[1:]
