"""`replicate shifts`: sets generated from a set, with what kind of shift each is."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click

from replicate.base.errors import UsageError
from replicate.cli.options import example, json_option
from replicate.cli.output import emit, say

_PATH = click.Path(path_type=Path)
_KINDS = "shifts.csv"
SYNTHETIC, ATTACKED, ACROSS_TIME = (
    ("synthetic", "benign"), ("synthetic", "adversarial"), ("natural", "adversarial"),
)  # fmt: skip


@click.group()
def shifts() -> None:
    """Generate shifted sets: corruptions, Lp attacks, frames of videos.

    Each is natural or synthetic, benign or adversarial; a file shifts.csv says which, for
    `replicate analyze --kinds`.
    """


@shifts.command("list", epilog=example("replicate shifts list", "replicate shifts list --json"))
@json_option
def list_shifts(as_json: bool) -> None:
    """List the shifts that can be generated, and what kind each is."""
    from replicate.zoo.attacks import METHODS, NORMS
    from replicate.zoo.corruptions import CORRUPTIONS

    rows = [("corrupt", name, SYNTHETIC) for name in CORRUPTIONS]
    rows += [("attack", f"{method} {norm}", ATTACKED) for method in METHODS for norm in NORMS]
    rows.append(("frames", "pm-k", ACROSS_TIME))
    value = [
        {"command": command, "name": name, "kind": kind, "attribute": attribute}
        for command, name, (kind, attribute) in rows
    ]
    lines = [f"{c:8} {name:18} {kind}, {attribute}" for c, name, (kind, attribute) in rows]
    emit({"shifts": value}, as_json, "\n".join(lines))


@shifts.command(
    epilog=example(
        "replicate shifts corrupt --data pictures --output shifted --kind fog --severity 3",
        "replicate shifts corrupt --data pictures --output shifted-32 --kind '*_noise' "
        "--severity 1 --severity 5 --size 32 --json",
    )
)
@click.option("--data", required=True, type=_PATH, help="A folder of images, best one a class.")
@click.option("--output", required=True, type=_PATH, help="The folder of the new sets.")
@click.option("--kind", "kinds", multiple=True, default=("*",), show_default=True,
              help="A corruption, or a wildcard (repeatable).")  # fmt: skip
@click.option("--severity", "severities", multiple=True, type=click.IntRange(1, 5),
              help="How strong, 1 to 5 (repeatable; default: all).")  # fmt: skip
@click.option("--size", default=224, show_default=True, type=click.IntRange(min=0),
              help="Cut this many pixels a side first; 0: images whole.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="The seed of all noise.")
@click.option("--executor", type=click.Choice(("local", "ray")), default="local",
              show_default=True, help="Where images are made.")  # fmt: skip
@click.option("--processes", default=1, show_default=True, type=click.IntRange(min=1),
              help="How many work at a time.")  # fmt: skip
@json_option
def corrupt(as_json: bool, **given: Any) -> None:
    """Write corrupted copies of a folder, as ImageNet-C has.

    One folder a kind and severity; beside them a folder `clean`, cut and encoded alike: compare
    with that. Images are PNG, so that no further encoding mixes in. What is there is not made
    again; ends with 3 if an image failed.
    """
    from replicate.zoo.corrupted_sets import CLEAN, Shift, make_shift
    from replicate.zoo.corruptions import CORRUPTIONS, SEVERITIES
    from replicate.zoo.image_sets import folder_set

    chosen = [
        kind for kind in CORRUPTIONS if any(fnmatchcase(kind, each) for each in given["kinds"])
    ]
    if not chosen:
        raise UsageError(
            f"There is no corruption {', '.join(given['kinds'])}.",
            f"Known: {', '.join(CORRUPTIONS)}.",
        )
    output: Path = given["output"]
    images = folder_set(
        given["data"], given["data"].resolve().name, known=output / ".work" / "files.json"
    )
    severities = sorted(set(given["severities"])) or list(SEVERITIES)
    wanted = [Shift(CLEAN, 0), *(Shift(kind, s) for kind in chosen for s in severities)]
    rows: list[dict[str, Any]] = []
    for shift in wanted:
        made = make_shift(
            images, shift, output, size=given["size"], seed=given["seed"],
            executor=given["executor"], workers=given["processes"],
        )  # fmt: skip
        rows.append(
            {"set": shift.name, "folder": str(made.folder), "n": made.n, "made_now": made.done,
             "failed_images": made.failed}
        )  # fmt: skip
        say(f"{shift.name}: {made.n} images, {made.done} made now")
    names = [shift.name for shift in wanted if shift.severity]
    _note(output, dict.fromkeys(names, SYNTHETIC))
    broken = rows[0]["failed_images"]
    text = f"{len(rows)} sets of {rows[0]['n']} images in {output}, kinds in {output / _KINDS}"
    text += "".join(f"\n  {item}: {why}" for item, why in list(broken.items())[:10])
    emit({"sets": rows, "kinds": str(output / _KINDS)}, as_json, text)
    click.get_current_context().exit(3 if broken else 0)


@shifts.command(
    epilog=example(
        "replicate shifts attack --models py:mymodels:build --data pictures --output attacked "
        "--epsilon 0.5/255 --epsilon 2/255 --steps 5",
        "replicate shifts attack --models py:mymodels:build --data pictures --output attacked "
        "--method fgsm --norm l2 --epsilon 0.5 --json",
    )
)
@click.option("--models", "patterns", multiple=True, required=True, metavar="NAME",
              help="A model, or a wildcard (repeatable).")  # fmt: skip
@click.option("--data", required=True, type=_PATH, help="A folder of images, one a class.")
@click.option("--output", required=True, type=_PATH, help="The folder of predictions.")
@click.option("--method", type=click.Choice(("fgsm", "pgd")), default="pgd", show_default=True,
              help="One step, or many from a random start.")  # fmt: skip
@click.option("--norm", type=click.Choice(("linf", "l2")), default="linf", show_default=True,
              help="How a change is measured.")  # fmt: skip
@click.option("--epsilon", "budgets", multiple=True, required=True, metavar="E",
              help="The budget, of images in [0, 1]: 2/255, 0.5 (repeatable).")  # fmt: skip
@click.option("--steps", default=40, show_default=True, type=click.IntRange(min=1),
              help="Steps of pgd.")  # fmt: skip
@click.option("--sample", default=1000, show_default=True, type=click.IntRange(min=1),
              help="Images at most, the same for all models.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="The seed of sample and starts.")
@click.option("--class-map", type=_PATH, help="output,class a line: what outputs mean here.")
@click.option("--restrict", is_flag=True, help="Only outputs of the set's own classes compete.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 …")
@click.option("--download", is_flag=True, help="Fetch weights that are not on this machine.")
@json_option
def attack(as_json: bool, **given: Any) -> None:
    """Score models on images changed against them.

    Each image of a sample is changed within a budget. The sample as it is is scored as well:
    compare with that. Predictions are kept like those of `score folder`. What is there is not made
    again; ends with 3 if a model failed.
    """
    from replicate.cli.shift_attacks import attack_models

    value, names = attack_models(given)
    _note(given["output"], dict.fromkeys(names, ATTACKED))
    lines = []
    for row in value["models"]:
        if not row["ok"]:
            lines.append(f"{row['model']}: failed: {row['reason']}")
            continue
        shares = ", ".join(
            f"{name} {100 * each['accuracy']:.2f} %" for name, each in row["sets"].items()
        )
        lines.append(f"{row['model']}: {shares}")
    emit(value | {"kinds": str(given["output"] / _KINDS)}, as_json, "\n".join(lines))
    click.get_current_context().exit(0 if all(row["ok"] for row in value["models"]) else 3)


@shifts.command(
    epilog=example(
        "replicate shifts frames predictions/pictures --frames frames.csv --k 1 --output pm1.csv",
    )
)
@click.argument("predictions", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--frames", "table", required=True, type=click.Path(path_type=Path, exists=True),
              help="A table: item, video, frame, and perhaps anchor (1 or 0).")  # fmt: skip
@click.option("--k", default=10, show_default=True, type=click.IntRange(min=0),
              help="Frames before and after an anchor that count.")  # fmt: skip
@click.option("--output", required=True, type=_PATH, help="A table of scores for analyze: OUT.csv.")
@json_option
def frames(predictions: Path, table: Path, k: int, output: Path, as_json: bool) -> None:
    """Judge predictions across time (pm-k).

    Right is only what is right on all frames around an anchor. PREDICTIONS is a folder of `score
    folder`, of all the frames. The table that is written has two sets, the anchors and their pm-k,
    for: replicate analyze OUT.csv --original anchors.
    """
    from replicate.cli.shift_frames import judge

    value = judge(predictions, table, k, output)
    _note(output.parent, {value["set"]: ACROSS_TIME})
    lines = [
        f"{row['model']}: {100 * row['anchors']['accuracy']:.2f} % of {row['n']} anchors, "
        f"{100 * row['pm_k']['accuracy']:.2f} % on all frames within {k}"
        if row["ok"]
        else f"{row['model']}: failed: {row['reason']}"
        for row in value["models"]
    ]
    emit(value | {"kinds": str(output.parent / _KINDS)}, as_json, "\n".join(lines))
    click.get_current_context().exit(0 if all(row["ok"] for row in value["models"]) else 3)


def _note(folder: Path, kinds: Mapping[str, tuple[str, str]]) -> None:
    """Say in a folder's shifts.csv what kind its sets are; what it says of others stays."""
    from replicate.base.files import write_text

    path = folder / _KINDS
    known = {}
    if path.is_file():
        rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        known = {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}
    known |= kinds
    lines = [f"{name},{kind},{attribute}" for name, (kind, attribute) in sorted(known.items())]
    write_text(path, "\n".join(["set,kind,attribute", *lines]) + "\n")
