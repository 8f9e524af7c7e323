"""An analysis in sentences that claim no more than its intervals allow."""

from collections.abc import Mapping
from typing import Any

from replicate.analysis.replication_data import Analysis
from replicate.analysis.resampling import is_balanced
from replicate.reporting.words import count, joined, percent, signed

Value = Mapping[str, Any]


def _between(ends: list[float] | None, factor: float = 100, decimals: int = 1) -> str:
    if ends is None:
        return "interval not known"
    return f"{signed(factor * ends[0], decimals)} to {signed(factor * ends[1], decimals)}"


def _fractions(value: Value) -> bool:
    shares = [on["accuracy"] for item in value["models"] for on in item["sets"].values()]
    return all(share is None or 0 <= share <= 1 for share in shares)


_METRICS = {
    "mean-per-class": "mean-per-class accuracy",
    "macro-f1": "macro-F1",
    "auc": "area under the ROC curve",
}
_HOW_MEASURED = {
    "mean-per-class": "Scores are means over classes of each class's share of right items.",
    "macro-f1": "Scores are macro-F1: means over the labels' classes of 2·TP / (predicted + "
    "labelled), resampled by the items' influence (infinitesimal jackknife, logit scale).",
    "auc": "Scores are areas under the ROC curve (with several classes the mean of each against "
    "the rest), resampled by the items' influence (DeLong's variance, logit scale).",
}


def headline(value: Value) -> str:
    """The main finding in one sentence, with its uncertainty."""
    pair = next((pair for pair in value["pairs"] if pair["n_models"]), None)
    if pair is None:
        return "No model could be compared, so there is nothing to tell."
    level = f"{100 * value['options']['level']:g} %"
    n, drop = pair["n_models"], pair["mean_drop"]
    who = "The one model" if n == 1 else f"The {n} models"
    many = "s" if n == 1 else ""
    kind, ci = _widest(pair["mean_drop_ci"])
    unit, factor = ("points", 100) if _fractions(value) else ("units of the score", 1)
    metric = _METRICS.get(value["options"].get("metric", "accuracy"))
    unit += f" of {metric}" if metric else ""
    where = f"on “{pair['new']}” compared with “{pair['original']}”"
    if ci is None:
        verb = f"lose{many}" if drop >= 0 else f"gain{many}"
        text = f"{who} {verb} {signed(factor * abs(drop))} {unit} {where} (no interval is known)"
    elif ci[0] <= 0 <= ci[1]:
        text = (
            f"{who} show{many} no change that can be told from chance {where}: mean drop "
            f"{signed(factor * drop)} {unit}, {level} interval {_between(ci, factor)} over {kind}"
        )
    else:
        gain = drop < 0
        shown = [-ci[1], -ci[0]] if gain else ci
        verb = f"gain{many}" if gain else f"lose{many}"
        text = (
            f"{who} {verb} {signed(factor * abs(drop))} {unit} {where} ({level} interval "
            f"{_between(shown, factor)}, over {kind})"
        )
    found = pair["inversions"]
    if found["resolved"] is not None and found["pairs"] > 1:
        told = (
            "the order of the models is the same on both"
            if not found["inverted"]
            else f"{found['inverted']} of {found['pairs']} pairs of models change places, "
            + (
                "none by more than chance can explain"
                if not found["resolved"]
                else f"{found['resolved']} by more than chance explains"
            )
        )
        text += f"; {told}"
    return text + "."


def _widest(ci: Mapping[str, Any]) -> tuple[str, list[float] | None]:
    for kind, words in (("both", "images and models"), ("images", "images"), ("models", "models")):
        if ci.get(kind) is not None:
            return words, ci[kind]
    return "nothing", None


def findings(value: Value) -> list[tuple[str, str]]:
    """Topic and sentence of every finding."""
    found: list[tuple[str, str]] = []
    for pair in value["pairs"]:
        name = pair["new"]
        line = pair["fits"]["linear"]
        if line is not None and line["n"] > 2:
            kind, ci = _widest(line["ci"])
            others = [
                f"{signed(fit['slope'], 2)} on the {scale} scale"
                for scale, fit in pair["fits"].items()
                if fit is not None and scale != "linear"
            ]
            text = (
                f"One point gained on {pair['original']} goes with {signed(line['slope'], 2)} "
                f"points ({_between(ci, 1, 2)}, over {kind}) on the linear scale"
            )
            text += f"; the slope is {joined(others)}" if others else ""
            if pair["straightest_scale"]:
                text += f". The straightest scale is the {pair['straightest_scale']} one"
            found.append((f"Progress on {name}", text + "."))
        if pair["equivalence"] is not None:
            equal = pair["equivalence"]
            verdict = "It is shown" if equal["equivalent"] else "It is not shown"
            found.append(
                (
                    f"Equivalence on {name}",
                    f"{verdict} that the mean gap lies within ±{percent(equal['margin'])} points "
                    f"(two one-sided tests, p = {equal['p']:.2g}).",
                )
            )
        if pair["paired"] is not None:
            item = pair["paired"]
            found.append(
                (
                    f"Matched items of {name}",
                    f"On {count(item['n'], 'matched item')} the mean drop is "
                    f"{percent(item['mean_drop'])} points ({_between(item['ci'])}).",
                )
            )
        odd = [c for c in pair["classes"] if c["p_adjusted"] <= 1 - value["options"]["level"]]
        if pair["classes"]:
            most = max(odd, key=lambda c: abs(c["excess"])) if odd else None
            text = (
                f"{count(len(odd), 'class', 'classes')} of {len(pair['classes'])} drop by another "
                f"amount than the sets as a whole (false discoveries controlled)"
            )
            if most is not None:
                text += f"; the farthest, {most['class']}, drops by {percent(most['gap'])} points"
            found.append((f"Classes of {name}", text + "."))
        if pair["trend"] is not None and pair["trend"]["ci"] is not None:
            trend = pair["trend"]
            found.append(
                (
                    f"Newer models on {name}",
                    f"Effective robustness changes by {percent(trend['rho_per_year'], 2)} points "
                    f"a year of release ({_between(trend['ci'], 100, 2)}, {trend['n']} models); "
                    f"below zero would be a mark of adaptivity.",
                )
            )
        off = [
            (m, r)
            for m, r in pair["effective_robustness"].items()
            if r["ci"] is not None and (r["ci"][0] > 0 or r["ci"][1] < 0)
        ]
        if off:
            model, rho = max(off, key=lambda entry: abs(entry[1]["rho"]))
            side = "above" if rho["rho"] > 0 else "below"
            found.append(
                (
                    f"Off the line on {name}",
                    f"{count(len(off), 'model')} of {len(pair['effective_robustness'])} lie off "
                    f"the others' line, each by its own interval; farthest {model}, "
                    f"{percent(abs(rho['rho']))} points {side} ({_between(rho['ci'])}). With this "
                    f"many intervals some miss zero by chance.",
                )
            )
    return found


def decomposition(value: Value) -> list[str]:
    """What the drop is made of: what is bounded, what only has evidence, what is assumed."""
    texts = []
    for pair in value["pairs"]:
        widths = [
            (on["ci_simultaneous"][1] - on["ci_simultaneous"][0]) / 2
            for item in value["models"]
            for name, on in item["sets"].items()
            if name == pair["new"] and on["ci_simultaneous"] is not None
        ]
        if not widths or pair["mean_drop"] is None:
            continue
        text = (
            f"{pair['new']}: of the mean drop of {percent(pair['mean_drop'])} points, the "
            f"generalisation gap (this sample of the new distribution against all of it) is at "
            f"most ±{percent(max(widths))} points for any model, all models at once. The "
            f"adaptivity gap and the distribution gap are not told apart by one new set."
        )
        line = pair["fits"]["linear"]
        if line is not None and line["ci"]["both"] is not None:
            low, high = line["ci"]["both"]
            text += (
                " A slope below 1 would be the mark of adaptivity, models that gained on the "
                f"original without gaining on the new set; here it is {signed(line['slope'], 2)} "
                f"({signed(low, 2)} to {signed(high, 2)})"
            )
            text += (
                ", so there is no sign of it." if low >= 1 else
                ", which is below 1: adaptivity, or a scale on which easier models lose less."
                if high < 1 else ", which does not decide."
            )  # fmt: skip
        texts.append(text)
    return texts


def methods(found: Analysis, value: Value) -> str:
    """How the numbers came about, from what was really run."""
    options = found.options
    parts = []
    sizes = [
        f"{s.name} ({count(int(s.n.max()), 'item')})" if len(s.n) and s.n.max() else s.name
        for s in found.sets
    ]
    parts.append(f"Models were scored on {joined(sizes)} and paired by name.")
    exact = any(s.binary and s.groups is None for s in found.sets)
    if exact:
        parts.append(
            "Accuracies are counts of right items with Clopper–Pearson intervals, gaps of single "
            "models have Newcombe's (method 10)."
        )
    told = _HOW_MEASURED.get(value["options"].get("metric", "accuracy"))
    parts += [told] if told else []
    with_items = [s for s in found.sets if s.items is not None]
    drawn = [s for s in found.sets if s.drawable]
    clustered = [s.name for s in drawn if s.groups is not None]
    if clustered:
        parts.append(f"Items of {joined(clustered)} were resampled by group (cluster bootstrap).")
    balanced = [
        s.name
        for s in drawn
        if s.classes is not None and s.groups is None and len(s.classes) and is_balanced(s.classes)
    ]
    if balanced:
        parts.append(f"Items of {joined(balanced)} were resampled within their (equal) classes.")
    parts.append(_resampling(found))
    parts.append(
        "Lines are ordinary least squares on linear, probit and logit axes; accuracies of 0 and 1 "
        "are moved by half an item."
    )
    baseline = "" if options.baseline is None else "declared baseline "
    parts.append(
        f"Effective robustness is a model's score minus what the line of the other {baseline}"
        f"models predicts on the {options.scale} scale, in points; a model is left out of its own "
        f"line."
    )
    if any(pair.inversions is not None for pair in found.pairs):
        parts.append(
            "A pair of models is inverted if its order differs between the sets, and resolved if "
            "McNemar's mid-p test finds it different on both, after Holm's correction over all "
            "pairs."
        )
    if with_items:
        parts.append(
            "The effective number of models is that of independent models whose largest "
            "error would be as large (max-t bootstrap)."
        )
    if found.options.human and any(pair.humans for pair in found.pairs):
        parts.append("Rows of people are drawn and never fitted or averaged.")
    if value["excluded"]:
        parts.append(f"{count(len(value['excluded']), 'model and set', 'models and sets')} "
                     "were left out; the reasons are below.")  # fmt: skip
    return " ".join(parts)


def _resampling(found: Analysis) -> str:
    options = found.options
    over = []
    if all(scores.drawable for scores in found.sets):
        over.append("over images (the same resample for all models, both sets independently)")
    elif any(pair.mean_drop_ci.get("images") for pair in found.pairs):
        over.append("over images (each model's count by itself, where single items are not known)")
    if any(pair.mean_drop_ci.get("models") for pair in found.pairs):
        over.append("over models (widened for their small number)")
    if any(pair.mean_drop_ci.get("both") for pair in found.pairs):
        over.append("over both")
    if not over:
        return "There is nothing to resample, so no bootstrap interval is given."
    return (
        f"Intervals of mean gaps, lines and effective robustness are percentile bootstrap "
        f"intervals at {100 * options.level:g} % from {count(options.resamples, 'resample')} (seed "
        f"{options.seed}): {joined(over)}."
    )
