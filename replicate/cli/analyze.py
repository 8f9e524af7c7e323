"""`replicate analyze`: the analysis of a replication, on anybody's predictions."""

from pathlib import Path
from typing import Any

import click

from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say

SCALES = ("linear", "probit", "logit")
METRICS = ("accuracy", "mean-per-class", "macro-f1", "auc")


@click.command(
    epilog=example(
        "replicate analyze scores.csv --original original --json",
        "replicate analyze --original preds/v1 --labels-original v1.npy --new v2=preds/v2 "
        "--labels-new v2=v2.npy",
    )
)
@click.argument("table", required=False, type=click.Path(path_type=Path))
@click.option("--original", help="The original: a folder of predictions, or a set of the TABLE.")
@click.option("--labels-original", type=click.Path(path_type=Path), help="Its labels.")
@click.option("--new", multiple=True, metavar="NAME=DIR", help="A new set (may be repeated).")
@click.option("--labels-new", multiple=True, metavar="NAME=FILE", help="Its labels.")
@click.option("--baseline", type=click.Path(path_type=Path), help="Fit on the models of this list.")
@click.option("--scale", type=click.Choice(SCALES), default="logit", show_default=True,
              help="The scale of effective robustness.")  # fmt: skip
@click.option("--rename", multiple=True, metavar="OLD=NEW", help="A model's name in some folder.")
@click.option("--repair", multiple=True, type=click.Choice(("columns", "offset")),
              help="Mend predictions stored worst first, or off by one class.")  # fmt: skip
@click.option("--top", default=1, show_default=True, help="Right if among the first K predictions.")
@click.option("--pairs", multiple=True, metavar="[NAME=]FILE", help="Which items are matched.")
@click.option("--groups", multiple=True, metavar="[NAME=]FILE", help="The cluster of each item.")
@click.option("--dates", type=click.Path(path_type=Path), help="Releases: model,date a line.")
@click.option("--families", type=click.Path(path_type=Path), help="Families: model,family a line.")
@click.option("--standards", type=click.Path(path_type=Path),
              help="Interventions: model,standard model a line (relative robustness).")  # fmt: skip
@click.option("--kinds", type=click.Path(path_type=Path),
              help="Shifts: set,natural|synthetic[,benign|adversarial] a line.")  # fmt: skip
@click.option("--trained-on", type=click.Path(path_type=Path), help="model,training set a line.")
@click.option("--tasks", is_flag=True, help="The new sets are tasks that models transferred to.")
@click.option(
    "--subgroups", multiple=True, metavar="[NAME=]FILE", help="The subgroup of each item."
)
@click.option("--frequencies", multiple=True, metavar="[NAME=]FILE",
              help="Votes on each item: columns selected,shown.")  # fmt: skip
@click.option("--metric", type=click.Choice(METRICS), default="accuracy", show_default=True,
              help="What a model's score is; auc needs scores of classes.")  # fmt: skip
@click.option("--classes", type=click.Path(path_type=Path),
              help="Class names in the order of class ids, one a line.")  # fmt: skip
@click.option("--human", multiple=True, metavar="PATTERN", help="Rows that are people (human*).")
@click.option("--lower-is-better", is_flag=True, help="Scores (of the TABLE, of items) are errors.")
@click.option("--same-classes", is_flag=True, help="Use only classes that all sets have.")
@click.option("--margin", type=float, help="Points within which a gap would not matter.")
@click.option("--seed", default=0, show_default=True, help="The seed of all resamples.")
@click.option("--resamples", default=10_000, show_default=True, help="Bootstrap resamples.")
@click.option("--level", default=0.95, show_default=True, help="Confidence level.")
@click.option("--report", type=click.Path(path_type=Path), help="Write a report: OUT.html.")
@json_option
def analyze(as_json: bool, **given: Any) -> None:
    """Analyse published predictions: gaps, lines, ranks, robustness, similarity.

    Give folders of predictions (one file a model: .npy, .json, .csv, .txt …; class ids, best
    first, or scores of all classes) with labels, or a TABLE of scores with the columns model,
    test_set, and correct and n, or score, or item and score. Models are matched by name. What
    cannot be trusted is left out, with the evidence, and the command ends with 3.
    """
    from replicate.analysis.further import further
    from replicate.analysis.replication import analyse
    from replicate.cli.analyze_inputs import options_of, read_inputs, values_by_set
    from replicate.cli.analyze_material import material_of
    from replicate.cli.analyze_text import as_text
    from replicate.reporting.analysis_json import as_json as values_of
    from replicate.reporting.further_json import add_further

    published, original, others = read_inputs(given)
    subgroups = values_by_set(given["subgroups"], [original, *others], "subgroups")
    material = material_of(given, original, others, subgroups)
    found = analyse(original, others, options_of(given, published, original))
    excluded = [_values(item) for item in published.excluded]
    repaired = [_values(item) for item in published.repaired]
    value = values_of(found, excluded, published.warnings, repaired)
    value["respelled"] = published.respelled
    value["options"]["metric"] = given["metric"]
    add_further(value, further(found, material), material.families)
    if given["report"] is not None:
        from replicate.reporting.analysis_page import write_page

        files = write_page(given["report"], found, value)
        say(f"Report: {files[0]}, with {len(files) - 1} files of figures and tables beside it.")
        value["report"] = str(files[0])
    if as_json:
        for item in excluded:
            say(f"Left out: {item['model']} on {item['set']}: {item['reason']}")
    emit(value, as_json, as_text(value))
    click.get_current_context().exit(3 if excluded else 0)


def _values(item: Any) -> dict[str, str]:
    return {
        "model": item.model,
        "set": item.set,
        "reason": f"{item.reason}: {item.evidence}",
        "kind": item.reason,
    }
