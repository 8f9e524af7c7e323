"""Answers to further questions as sections of a page: a title, a sentence, a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replicate.reporting.words import count, percent, signed

Value = Mapping[str, Any]
Row = Sequence[Any]


@dataclass(frozen=True)
class Section:
    """One answer.

    Attributes:
        name: The name of its files.
        title: What is asked.
        text: What the numbers say, and how they are to be read.
        header: The table's columns.
        rows: Its rows: text, numbers, None for what is not known. Fractions stay fractions.
    """

    name: str
    title: str
    text: str
    header: Row
    rows: list[Row]


def sections(value: Value) -> list[Section]:
    """The sections of an analysis, in order; only those that have an answer.

    Args:
        value: The document of ``replicate analyze --json``.
    """
    return [*_of_pairs(value), *_of_all(value)]


def _of_pairs(value: Value) -> Iterator[Section]:
    for pair in value["pairs"]:
        new = pair["new"]
        if pair.get("families"):
            yield _families(new, pair["families"])
        if pair.get("relative_robustness"):
            yield _relative(new, pair["relative_robustness"])
        if pair.get("subgroups"):
            yield Section(
                f"subgroups-{new}",
                f"Subgroups of {new}",
                "The gap of each subgroup, mean over the models; items are the units; p-values ask "
                "whether it drops by another amount than the sets do, adjusted over all subgroups.",
                ("subgroup", "n_original", "n_new", "gap", "low", "high", "excess", "p_adjusted"),
                [
                    (row["class"], row["n_original"], row["n_new"], row["gap"],
                     *(row["ci"] or (None, None)), row["excess"], row["p_adjusted"])
                    for row in pair["subgroups"]
                ],
            )  # fmt: skip
        if pair.get("adjusted"):
            yield _adjusted(new, pair["adjusted"])


def _families(new: str, families: Value) -> Section:
    first = next(iter(families.values()))
    return Section(
        f"families-{new}",
        f"Families of models on {new}",
        f"{count(first['n_families'], 'family', 'families')}. Models of one family are not "
        "independent witnesses: here whole families are resampled. Between: the line through the "
        "families' means; within: models minus their family's mean; without: the range of slopes "
        "with one family left out.",
        ("scale", "slope", "low", "high", "between", "within", "without_low", "without_high"),
        [
            (scale, line["slope"], *(line["ci"] or (None, None)), line["between"], line["within"],
             *_range(line["without"].values()))
            for scale, line in families.items()
        ],
    )  # fmt: skip


def _range(values: Any) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else (None, None)


def _relative(new: str, rows: Sequence[Value]) -> Section:
    helped = sum(
        row["ci"] is not None and row["ci"][0] > 0 and (row["effective"] or 0) > 0 for row in rows
    )
    return Section(
        f"relative-{new}",
        f"Interventions on {new}",
        f"{helped} of {count(len(rows), 'intervention')} gained on {new} by more than chance and "
        "moved up beside the line. τ: accuracy minus that of the standard model, on the same "
        "images; effective: the gain in effective robustness. An intervention helps if both are "
        "above zero.",
        ("model", "standard", "on_original", "tau", "low", "high", "effective"),
        [
            (row["model"], row["standard"], row["on_original"], row["tau"],
             *(row["ci"] or (None, None)), row["effective"])
            for row in rows
        ],
    )  # fmt: skip


def _adjusted(new: str, found: Value) -> Section:
    told = f"{percent(found['raw']['gap'])} points as it is"
    if found["recommended"] is not None:
        best = found["estimators"][found["recommended"]]
        told += (
            f", {percent(best['gap'])} ({_between(best['ci'])}) at equal true selection "
            f"frequencies ({found['recommended']}, the recommended estimator). It holds if the new "
            "set's votes had no part in choosing its images"
        )
    cautions = "".join(f" {caution['message']}" for caution in found["warnings"])
    return Section(
        f"adjusted-{new}",
        f"The gap on {new} at equal selection frequencies",
        f"{told}.{cautions}",
        ("estimator", "gap", "low", "high"),
        [
            ("raw", found["raw"]["gap"], *(found["raw"]["ci"] or (None, None))),
            *(
                (name, row["gap"], *(row["ci"] or (None, None)))
                for name, row in found["estimators"].items()
            ),
        ],
    )


def _between(ends: Sequence[float] | None) -> str:
    if ends is None:
        return "interval not known"
    return f"{percent(ends[0])} to {percent(ends[1])}"


def _of_all(value: Value) -> Iterator[Section]:
    if len(value.get("by_frequency") or {}) > 1:
        yield _sets_by_frequency(value)
    for name, found in (value.get("by_frequency") or {}).items():
        yield Section(
            f"by-frequency-{name}",
            f"Accuracy by selection frequency on {name}",
            f"Mean selection frequency {signed(found['mean_frequency'], 3)}. Bins of the observed "
            "frequency, whose noise moves images between bins; accuracy is the mean over models.",
            ("low", "high", "n", "frequency", "accuracy", "ci_low", "ci_high"),
            [
                (row["low"], row["high"], row["n"], row["frequency"], row["accuracy"],
                 *(row["ci"] or (None, None)))
                for row in found["bins"]
            ],
        )  # fmt: skip
    if value.get("kinds"):
        yield Section(
            "kinds",
            "Kinds of shift",
            "Whether models that are robust to one kind of shift are robust to another: the "
            "correlation of their mean effective robustness.",
            ("first", "second", "shifts", "models", "pearson", "low", "high", "spearman"),
            [
                (*row["kinds"], " + ".join(map(str, row["n_shifts"])), row["n_models"],
                 row["pearson"], *(row["ci"] or (None, None)), row["spearman"])
                for row in value["kinds"]
            ],
        )  # fmt: skip
    if value.get("transfer"):
        yield _transfer(value["transfer"], value["original"])
    if value.get("cross_sets"):
        yield _cross(value["cross_sets"])
    if value.get("reuse"):
        yield _reuse(value)


def _sets_by_frequency(value: Value) -> Section:
    """Mean accuracy of the sets beside their mean frequency: do easier sets score higher?"""
    rows: list[Row] = []
    for name, found in value["by_frequency"].items():
        shares = [
            item["sets"][name]["accuracy"]
            for item in value["models"]
            if item["sets"].get(name, {}).get("accuracy") is not None
        ]
        mean = sum(shares) / len(shares) if shares else None
        rows.append((name, found["mean_frequency"], mean, sum(b["n"] for b in found["bins"])))
    rows.sort(key=lambda row: -(row[1] or 0))
    return Section(
        "sets-by-frequency",
        "Sets by their mean selection frequency",
        "Sets whose images people agree about are easier: accuracy is the mean over the models, "
        "items those that anybody was asked about.",
        ("set", "mean_frequency", "accuracy", "items"),
        rows,
    )


def _transfer(found: Value, source: str) -> Section:
    at = "" if found["ci"] is None else f" ({signed(found['ci'][0])} to {signed(found['ci'][1])})"
    correlation = "not known" if found["pearson"] is None else signed(found["pearson"]) + at
    return Section(
        "transfer",
        f"Transfer from {source}",
        f"Over {count(found['n_models'], 'model')} the correlation of log odds on {source} with "
        f"mean centred log odds over the tasks is {correlation}. Below, each task by itself.",
        ("task", "models", "pearson", "spearman", "slope"),
        [
            (row["task"], row["n_models"], row["pearson"], row["spearman"], row["slope"])
            for row in found["tasks"]
        ],
    )


def _cross(found: Value) -> Section:
    return Section(
        "cross-sets",
        "Trained on one set, tested on another",
        "Mean accuracy by training set (rows) and test set; self: on its own test set; drop: "
        "what is lost on the others, as a share of self (Torralba and Efros 2011).",
        ("trained_on", *found["tested"], "self", "others", "drop"),
        [
            (train, *row, found["own"][train], found["others"][train], found["percent_drop"][train])
            for train, row in zip(found["trained"], found["accuracy"], strict=True)
        ],
    )


def _reuse(value: Value) -> Section:
    return Section(
        "reuse",
        "What reuse of a test set can have done",
        "The largest difference, over all models at once, between accuracy on the set and on its "
        "whole distribution. Fixed: had all models been chosen before any was scored (Hoeffding; "
        "and the exact binomial exponent at the mean accuracy); alike: with the effective number "
        "of models; adaptive: had each model been chosen after seeing all accuracies before it, "
        "the worst that users could do.",
        ("set", "n", "models", "one_model", "fixed", "fixed_at_accuracy", "alike", "adaptive"),
        [
            (name, row["n"], row["models"], row["single"], row["fixed"], row["fixed_at_accuracy"],
             row["alike"], row["adaptive"])
            for name, row in value["reuse"].items()
        ],
    )  # fmt: skip
